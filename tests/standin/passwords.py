"""What AWS demands of an IAM user's password.

Rules: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_passwords_account-policy.html
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .wire import ApiError

MAX_LENGTH = 128
SYMBOLS = frozenset("!@#$%^&*()_+-=[]{}|'")

_PERMITTED = re.compile(r"[\t\n\r\x20-\xff]+")
_DEFAULT_MIN_LENGTH = 8
_DEFAULT_CLASSES = 3


@dataclass(frozen=True)
class _Class:
    name: str
    characters: frozenset[str]
    policy_field: str


_CLASSES = (
    _Class("uppercase letter", frozenset(string.ascii_uppercase), "require_uppercase_characters"),
    _Class("lowercase letter", frozenset(string.ascii_lowercase), "require_lowercase_characters"),
    _Class("number", frozenset(string.digits), "require_numbers"),
    _Class("symbol", SYMBOLS, "require_symbols"),
)


def check(password: str, policy: Any | None, history: Sequence[str]) -> None:
    """Refuses what AWS refuses. `history` ends with the current password; empty means reuse does not matter here."""
    if not 1 <= len(password) <= MAX_LENGTH or not _PERMITTED.fullmatch(password):
        raise ApiError(
            400,
            "ValidationError",
            "1 validation error detected: Value at 'password' failed to satisfy "
            "constraint: 1 to 128 characters from the Basic Latin and Latin-1 Supplement sets",
        )
    complaint = _complaint(password, policy) or _reuse(password, policy, history)
    if complaint:
        raise ApiError(400, "PasswordPolicyViolation", complaint)


def _complaint(password: str, policy: Any | None) -> str | None:
    present = [kind for kind in _CLASSES if kind.characters.intersection(password)]
    if policy is None:
        # Without a policy of its own an account has AWS's default one.
        if len(password) < _DEFAULT_MIN_LENGTH:
            return f"Password should have a minimum length of {_DEFAULT_MIN_LENGTH}"
        if len(present) < _DEFAULT_CLASSES:
            return "Password should have three of: uppercase letter, lowercase letter, number, symbol"
        return None
    if len(password) < policy.minimum_password_length:
        return f"Password should have a minimum length of {policy.minimum_password_length}"
    for kind in _CLASSES:
        if getattr(policy, kind.policy_field) and kind not in present:
            return f"Password should have at least one {kind.name}"
    return None


def _reuse(password: str, policy: Any | None, history: Sequence[str]) -> str | None:
    remembered = policy.password_reuse_prevention if policy else None
    # The current password and the `remembered` ones before it.
    if remembered and password in history[-(remembered + 1) :]:
        return f"Password was used before: the last {remembered} may not be used again"
    return None
