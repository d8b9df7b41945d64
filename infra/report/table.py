"""The CSV: one row for each console user of every account, whatever the page leaves out."""

from __future__ import annotations

import csv
from datetime import datetime, timezone
from typing import Any, TextIO

from .answers import Account, User

# What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")

COLUMNS = (
    "account_id",
    "user_name",
    "state",
    "password_age_days",
    "max_password_age_days",
    "password_last_changed",
    "due",
    "last_sign_in",
    "mfa",
    "exempt_because",
    "finding_id",
    "finding_status",
    "finding_workflow",
    "secret_arn",
    "secret_claimed",
    "secret_stored_at",
)


class Table:
    """Writes users as rows."""

    def __init__(self, file: TextIO) -> None:
        self._writer = csv.writer(file)
        self._writer.writerow(COLUMNS)

    def add(self, account: Account) -> None:
        """Writes an account's users."""
        self._writer.writerows(map(guard, map(_text, _row(account.account_id, user))) for user in account.users)


def guard(cell: str) -> str:
    """A cell that no spreadsheet calculates: an apostrophe stands before it. `unguard` takes it away again."""
    return f"'{cell}" if cell.startswith((*_FORMULA, "'")) else cell


def unguard(cell: str) -> str:
    """What `guard` was given."""
    return cell.removeprefix("'")


def _row(account_id: str, user: User) -> tuple[Any, ...]:
    finding, secret = user.finding, user.secret
    return (
        account_id,
        user.user_name,
        user.state,
        user.password_age_days,
        user.max_password_age_days,
        user.password_last_changed,
        user.due,
        user.last_sign_in,
        user.mfa,
        user.exempt_because,
        *((finding.id, finding.status, finding.workflow) if finding else (None,) * 3),
        *((secret.arn, secret.claimed, secret.stored_at) if secret else (None,) * 3),
    )


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value)
