"""What an audit answers, read and checked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from deploy import Problem
from pydantic import AwareDatetime, BaseModel, ConfigDict, NonNegativeInt, StringConstraints, ValidationError

AccountId = Annotated[str, StringConstraints(pattern=r"^\d{12}$")]
State = Literal["fresh", "expiring", "stale", "in-grace", "held", "exempt"]
# Older than the limit, and to be changed or replaced.
TOO_OLD = ("stale", "in-grace", "held")
# What a function error has for a type if its message is an answer.
FAILED = "RemediationFailed"


class _Part(BaseModel):
    # What is added to the answer later is no reason to refuse it.
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class Finding(_Part):
    """The function's own finding about a user."""

    id: str
    status: Literal["PASSED", "WARNING", "FAILED", "ARCHIVED"]
    workflow: str


class Secret(_Part):
    """A stored password: where it is, never what it is."""

    arn: str
    claimed: bool
    stored_at: AwareDatetime | None = None


class User(_Part):
    """A user with a console password."""

    user_name: str
    state: State
    max_password_age_days: NonNegativeInt
    mfa: bool
    password_age_days: NonNegativeInt | None = None
    password_last_changed: AwareDatetime | None = None
    due: AwareDatetime | None = None
    last_sign_in: AwareDatetime | None = None
    exempt_because: Literal["tag", "name", "tags-unreadable", "suppressed"] | None = None
    finding: Finding | None = None
    secret: Secret | None = None

    @property
    def too_old(self) -> bool:
        """Whether the password is to be changed or replaced."""
        return self.state in TOO_OLD

    @property
    def past_limit(self) -> bool:
        """Whether the password is older than the limit, exempt or not. Ages are whole days, rounded down."""
        return self.password_age_days is not None and self.password_age_days >= self.max_password_age_days

    @property
    def unclaimed(self) -> bool:
        """Whether a stored password was not used."""
        return self.secret is not None and not self.secret.claimed


class Totals(_Part):
    """An account's users, counted by the function."""

    users: NonNegativeInt
    fresh: NonNegativeInt
    expiring: NonNegativeInt
    stale: NonNegativeInt
    in_grace: NonNegativeInt
    held: NonNegativeInt
    exempt: NonNegativeInt
    unclaimed: NonNegativeInt
    without_mfa: NonNegativeInt
    never_signed_in: NonNegativeInt
    oldest_password_age_days: NonNegativeInt | None = None


class Account(_Part):
    """An account, audited or not."""

    account_id: AccountId
    status: Literal["audited", "queued", "failed"]
    reason: str | None = None
    security_hub: Literal["on", "off"] | None = None
    users: tuple[User, ...] = ()
    totals: Totals | None = None

    @property
    def has_figures(self) -> bool:
        """Whether its users are known. One that failed may have come that far; if it lists none, it has not."""
        return self.status == "audited" or bool(self.users)


class _Answer(_Part):
    accounts: tuple[Account, ...]


def read(path: Path) -> Iterator[Account]:
    """The accounts of a file with one answer, or one answer a line."""
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if number == 1 and not _is_json(line):
                    yield from parse(line + lines.read(), str(path))
                elif line.strip():
                    yield from parse(line, f"{path}, line {number}")
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{path}: {error}") from error


def parse(text: str, origin: str) -> tuple[Account, ...]:
    """The accounts of one answer. A Problem that names the origin if it is none."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise Problem(f"{origin}: this is no JSON: {error}") from error
    if isinstance(document, dict) and "errorType" in document:
        if document["errorType"] != FAILED:
            message = document.get("errorMessage", "no message")
            raise Problem(f"{origin}: the function answered with {document['errorType']}: {message}")
        text = str(document.get("errorMessage"))
    try:
        accounts = _Answer.model_validate_json(text).accounts
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "the document"
        raise Problem(f"{origin}: this is no answer of an audit: {place}: {first['msg']}") from error
    for account in accounts:
        _check(account, origin)
    return accounts


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _check(account: Account, origin: str) -> None:
    """A page whose figures contradict its lists would be worth nothing."""
    where = f"{origin}: account {account.account_id}"
    if not account.has_figures:
        return
    if account.totals is None:
        raise Problem(f"{where} has no totals")
    states = Counter(user.state for user in account.users)
    ages = [user.password_age_days for user in account.users if user.password_age_days is not None]
    listed: dict[str, Any] = {
        "users": len(account.users),
        **{state.replace("-", "_"): states[state] for state in State.__args__},
        "unclaimed": sum(user.unclaimed for user in account.users),
        "without_mfa": sum(not user.mfa for user in account.users),
        "oldest_password_age_days": max(ages, default=None),
    }
    for name, value in listed.items():
        told = getattr(account.totals, name)
        # The oldest of nobody may be told as 0.
        if told != value and (told or value):
            raise Problem(f"{where}: by totals, {name} is {told}; by the users listed, {value}")
    # No sign-in is listed for users of whom IAM does not know either.
    without = sum(user.last_sign_in is None for user in account.users)
    if account.totals.never_signed_in > without:
        raise Problem(
            f"{where}: by totals, never_signed_in is {account.totals.never_signed_in}; by the users listed, no more "
            f"than {without}"
        )
