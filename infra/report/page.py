"""The page: headline numbers, the figure, a table of accounts, and a list of users for each question."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from . import figure
from .answers import User
from .digest import GROUPS, Digest, Entry, Row

_HERE = Path(__file__).parent
_SCRIPT = (_HERE / "script.js").read_text()
_STYLE = (_HERE / "style.css").read_text()

_BECAUSE = {
    "tag": "tag",
    "name": "name or path",
    "tags-unreadable": "tags could not be read",
    "suppressed": "finding suppressed by a person",
}


class Cell(NamedTuple):
    """A cell of a table: what it shows, what it is sorted by, and of what kind it is."""

    text: str
    key: str
    kind: str = "text"


def _number(value: int | None) -> Cell:
    return Cell("–", "-1", "number") if value is None else Cell(f"{value:,}", str(value), "number")


def _day(value: datetime | None, otherwise: str = "–") -> Cell:
    if value is None:
        return Cell(otherwise, "", "day")
    value = value.astimezone(timezone.utc)
    return Cell(f"{value:%Y-%m-%d}", value.isoformat(), "day")


def _text(value: str, kind: str = "text") -> Cell:
    return Cell(value, value.lower(), kind)


def _finding(user: User) -> Cell:
    return _text(f"{user.finding.status}, {user.finding.workflow}" if user.finding else "none")


def _secret(user: User) -> Cell:
    # The name and its suffix: the rest of the ARN is the same for the whole account.
    return _text(user.secret.arn.partition(":secret:")[2] or user.secret.arn if user.secret else "–", "place")


# What a list can say about a user.
COLUMNS: dict[str, Callable[[User], Cell]] = {
    "User": lambda user: _text(user.user_name, "name"),
    "State": lambda user: _text(user.state),
    "Age (days)": lambda user: _number(user.password_age_days),
    "Limit": lambda user: _number(user.max_password_age_days),
    "Changed": lambda user: _day(user.password_last_changed, "not known"),
    "Last sign-in": lambda user: _day(user.last_sign_in, "none known"),
    "MFA": lambda user: _text("yes" if user.mfa else "no"),
    "Finding": _finding,
    "Replaced on": lambda user: _day(user.due),
    "Too old on": lambda user: _day(user.due),
    "Exempt because of": lambda user: _text(_BECAUSE[user.exempt_because] if user.exempt_because else "not told"),
    "Past limit": lambda user: _text("yes" if user.past_limit else "no"),
    "Stored": lambda user: _day(user.secret.stored_at if user.secret else None, "not known"),
    "Secret": _secret,
}


@dataclass(frozen=True)
class Listing:
    """How the page answers the question of a group."""

    title: str
    meaning: str
    order: str
    columns: tuple[str, ...]


_OLD = ("Age (days)", "Limit", "Changed", "Last sign-in", "MFA", "Finding")

LISTINGS = {
    "stale": Listing(
        "Stale",
        "The password is older than the limit. The finding leads to a new one, or to a time of grace where one is set.",
        "oldest first",
        _OLD,
    ),
    "held": Listing(
        "Held",
        "Older than the limit, in an account with more such users than a sweep may reset. Nothing happens until a "
        "person approves.",
        "oldest first",
        _OLD,
    ),
    "in-grace": Listing(
        "In grace",
        "Older than the limit, and the user was told to change it. If they do not, it is replaced on the day given.",
        "soonest first",
        ("Replaced on", "Age (days)", "Limit", "Last sign-in", "MFA"),
    ),
    "expiring": Listing(
        "Expiring",
        "Within the limit, but not for long.",
        "soonest first",
        ("Too old on", "Age (days)", "Limit", "Last sign-in", "MFA"),
    ),
    "exempt": Listing(
        "Exempt",
        "Never touched, however old the password is: by a tag, a name or path in the configuration, because the tags "
        "could not be read, or because a person suppressed the finding.",
        "oldest first",
        ("Exempt because of", "Age (days)", "Limit", "Past limit", "Last sign-in", "MFA"),
    ),
    "unclaimed": Listing(
        "Unclaimed",
        "A new password was stored for the user, who has not used it yet.",
        "longest stored first",
        ("Stored", "State", "Secret"),
    ),
    "without-mfa": Listing(
        "Without MFA",
        "A console password and no MFA device: the password alone opens the account.",
        "oldest password first",
        ("State", "Age (days)", "Limit", "Last sign-in"),
    ),
    "never-signed-in": Listing(
        "Never signed in",
        "No sign-in with the password is known: there was none, or IAM does not tell.",
        "oldest password first",
        ("State", "Age (days)", "Limit", "Changed", "MFA"),
    ),
}

# Remarks that stand above the numbers.
_FEW = 3

# The accounts' table, by the names of the totals.
_TOTALS = {
    "users": "Users",
    "stale": "Stale",
    "held": "Held",
    "in_grace": "In grace",
    "expiring": "Expiring",
    "exempt": "Exempt",
    "fresh": "Fresh",
    "unclaimed": "Unclaimed",
    "without_mfa": "Without MFA",
    "never_signed_in": "Never signed in",
}


def render(digest: Digest, audited_at: datetime, date_from: str, csv_name: str) -> str:
    """The page as HTML. `date_from` says where the date of the audit is from."""
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["count"] = count
    ages = figure.bars(digest)
    alternative = _in_words(digest, ages)
    limits = _limits(digest.limits)
    return environment.get_template("page.html.jinja").render(
        digest=digest,
        totals=digest.totals,
        audited_at=audited_at.astimezone(timezone.utc),
        date_from=date_from,
        csv_name=csv_name,
        limits=limits,
        too_old=digest.too_old,
        share=_share,
        number="{:,}".format,
        oldest=digest.oldest,
        bars=ages,
        kinds=figure.KINDS,
        alternative=alternative,
        figure=figure.draw(digest, alternative) if ages else None,
        account_columns=["Account", *_TOTALS.values(), "Oldest (days)", "Limit (days)"],
        account_rows=[_account_cells(row) for row in digest.answered],
        account_sums=[f"{digest.totals[name]:,}" for name in _TOTALS],
        lists=[
            (group.key, LISTINGS[group.key], digest.counts[group.key], _list(digest, group.key)) for group in GROUPS
        ],
        with_accounts=len(digest.rows) > 1,
        missing=[(row.account_id, _why_missing(row)) for row in digest.missing],
        remarks=[(row.account_id, _remark(row)) for row in digest.remarks],
        few=_FEW,
        accounts_shown=sorted({entry.account_id for shown in digest.shown.values() for entry in shown}),
        style=Markup(_STYLE),
        script=Markup(_SCRIPT),
        script_hash=base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode(),
    )


def count(number: int, noun: str) -> str:
    """`1 user`, `2,000 users`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / max(whole, 1):.0f}%"


def _limits(limits: dict[int, int] | tuple[int, ...]) -> str:
    found = sorted(limits)
    if not found:
        return "–"
    return f"{found[0]:,}" if len(found) == 1 else f"{found[0]:,} to {found[-1]:,}"


def _account_cells(row: Row) -> list[Cell]:
    totals = row.totals
    assert totals, "an account whose users are known"
    return [
        _text(row.account_id, "account"),
        *(_number(getattr(totals, name)) for name in _TOTALS),
        _number(totals.oldest_password_age_days if row.totals.users else None),
        Cell(_limits(row.limits), str(max(row.limits, default=-1)), "number"),
    ]


def _why_missing(row: Row) -> str:
    if row.status == "queued":
        return "was only queued: its audit ran as a job of its own, whose answer is not here"
    return f"could not be audited: {row.reason or 'no reason was given'}"


def _remark(row: Row) -> str:
    off = "has Security Hub off: no finding can be raised there, only sweeps replace passwords"
    parts = [f"was audited in part: {row.reason}"] if row.reason else []
    return "; it ".join([*parts, off] if row.security_hub == "off" else parts)


def _list(digest: Digest, key: str) -> list[tuple[Entry, list[Cell]]]:
    columns = ("User", *LISTINGS[key].columns)
    return [(entry, [COLUMNS[column](entry.user) for column in columns]) for entry in digest.shown[key]]


def _in_words(digest: Digest, ages: list[figure.Bar]) -> str:
    if not ages:
        return "The age of no password is known."
    passwords, most = sum(bar.users for bar in ages), max(ages, key=lambda bar: bar.users)
    marked = "the limit, " if len(digest.limits) == 1 else "the limits, "
    return (
        f"The ages of {count(passwords, 'password')} against {marked}{_limits(digest.limits)} days. "
        f"Too old: {digest.too_old:,}, and {digest.exempt_past_limit:,} more of exempt users. "
        f"The highest bar, {most.users:,}, is that of {most.label} days."
    )
