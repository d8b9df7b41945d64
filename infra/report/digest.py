"""What the page shows of many accounts: counts, and the head of each list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from deploy import Problem

from .answers import Account, Totals, User

# Users a list shows. A page of eight full ones can still be printed and opened everywhere.
SHOWN = 200

_LONG_AGO = datetime.min.replace(tzinfo=timezone.utc)


class Entry(NamedTuple):
    """A user, and where."""

    account_id: str
    user: User


@dataclass(frozen=True)
class Group:
    """A question that the page answers with a list of users."""

    key: str
    belongs: Callable[[User], bool]
    # Who comes first.
    order: Callable[[User], Any]


def _oldest(user: User) -> int:
    return -(user.password_age_days or 0)


def _soonest(user: User) -> datetime:
    return user.due or _LONG_AGO


def _longest_stored(user: User) -> datetime:
    return (user.secret and user.secret.stored_at) or _LONG_AGO


GROUPS = (
    Group("stale", lambda user: user.state == "stale", _oldest),
    Group("held", lambda user: user.state == "held", _oldest),
    Group("in-grace", lambda user: user.state == "in-grace", _soonest),
    Group("expiring", lambda user: user.state == "expiring", _soonest),
    Group("exempt", lambda user: user.state == "exempt", _oldest),
    Group("unclaimed", lambda user: user.unclaimed, _longest_stored),
    Group("without-mfa", lambda user: not user.mfa, _oldest),
    Group("never-signed-in", lambda user: user.last_sign_in is None, _oldest),
)


@dataclass(frozen=True)
class Row:
    """An account without its users."""

    account_id: str
    status: str
    reason: str | None
    security_hub: str | None
    totals: Totals | None
    # The limits that hold for its users, ascending.
    limits: tuple[int, ...]

    @property
    def too_old(self) -> int:
        """Users whose password is to be changed or replaced."""
        return self.totals.stale + self.totals.in_grace + self.totals.held if self.totals else 0


@dataclass
class Digest:
    """Takes accounts one after the other and keeps what the page shows of them."""

    rows: dict[str, Row] = field(default_factory=dict)
    totals: Counter[str] = field(default_factory=Counter)
    # Users by limit, by age and state, and by group.
    limits: Counter[int] = field(default_factory=Counter)
    ages: Counter[tuple[int, str]] = field(default_factory=Counter)
    without_age: int = 0
    exempt_past_limit: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    shown: dict[str, list[Entry]] = field(default_factory=lambda: {group.key: [] for group in GROUPS})
    oldest: Entry | None = None
    # The earliest moment at which every password was as old as its answer says.
    seen_at: datetime | None = None

    def add(self, account: Account) -> None:
        """Takes an account. One that was only queued gives way to its answer."""
        known = self.rows.get(account.account_id)
        if known and "queued" not in (known.status, account.status):
            raise Problem(f"account {account.account_id} is in the answers twice: give one answer of each account")
        if known and account.status == "queued":
            return
        totals = account.totals if account.has_figures else None
        limits = Counter(user.max_password_age_days for user in account.users)
        self.rows[account.account_id] = Row(
            account.account_id, account.status, account.reason, account.security_hub, totals, tuple(sorted(limits))
        )
        self.limits += limits
        self.totals.update({name: value for name, value in totals or () if value is not None})
        for user in account.users:
            self._count(Entry(account.account_id, user))
        for group in GROUPS:
            found = [Entry(account.account_id, user) for user in account.users if group.belongs(user)]
            self.counts[group.key] += len(found)
            self.shown[group.key] = _head(group, [*self.shown[group.key], *found])

    @property
    def too_old(self) -> int:
        """Users whose password is to be changed or replaced."""
        return sum(row.too_old for row in self.rows.values())

    @property
    def answered(self) -> list[Row]:
        """Accounts whose users are known: most passwords to be changed first."""
        known = (row for row in self.rows.values() if row.totals)
        return sorted(known, key=lambda row: (-row.too_old, row.account_id))

    @property
    def missing(self) -> list[Row]:
        """Accounts whose users are not known."""
        return sorted((row for row in self.rows.values() if not row.totals), key=lambda row: row.account_id)

    @property
    def remarks(self) -> list[Row]:
        """Accounts whose users are known, but of which the function has more to say."""
        return [row for row in self.answered if row.reason or row.security_hub == "off"]

    def _count(self, entry: Entry) -> None:
        user = entry.user
        if user.password_age_days is None:
            self.without_age += 1
            return
        self.ages[user.password_age_days, user.state] += 1
        self.exempt_past_limit += user.state == "exempt" and user.past_limit
        if not self.oldest or user.password_age_days > (self.oldest.user.password_age_days or 0):
            self.oldest = entry
        if user.password_last_changed:
            reached = user.password_last_changed + timedelta(days=user.password_age_days)
            self.seen_at = max(reached, self.seen_at or reached)


def _head(group: Group, entries: Iterable[Entry]) -> list[Entry]:
    def order(entry: Entry) -> tuple[Any, str, str]:
        return group.order(entry.user), entry.account_id, entry.user.user_name

    return sorted(entries, key=order)[:SHOWN]


def digest(accounts: Iterable[Account]) -> Digest:
    """Takes all of them."""
    taken = Digest()
    for account in accounts:
        taken.add(account)
    return taken
