"""Invented answers of audits: accounts of any size, the same for the same seed, and those of docs/report-example.*."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Any

NOW = datetime(2026, 12, 1, 6, 0, tzinfo=timezone.utc)
DATE_FROM = "the date is that of the question, as answers carry none"
WARN_DAYS, GRACE_DAYS = 14, 14
_PARTS = """
aiko akira amara anna arjun ben carla chen daisuke diego elena emeka farah felix grace hana haruto ines ivan jonas
julia kenji lara leila liam lucia mateo mei mia nadia noah olga omar priya quentin rosa ravi sara sven tara tomas
abe berg costa diaz endo fischer gupta hoshi ito jansen kato lopez mori nakata okafor park rossi sato
"""
_GIVEN, _FAMILY = _PARTS.split()[:41], _PARTS.split()[41:]
_SERVICES = ("break-glass-1", "break-glass-2", "backup-console", "legacy-billing", "vendor-support")


def audit(*accounts: dict[str, Any], mode: str = "dry-run") -> dict[str, Any]:
    """An answer about these accounts."""
    totals = dict.fromkeys(("reset", "change_required", "skipped", "held", "queued", "failed"), 0)
    totals["failed"] = sum(account["status"] == "failed" for account in accounts)
    return {"mode": mode, "findings": [], "policies": [], "accounts": list(accounts), "totals": totals}


def failed(account_id: str, reason: str) -> dict[str, Any]:
    """An account that could not be audited."""
    return {"account_id": account_id, "status": "failed", "reason": reason, "security_hub": "off", "users": []}


def audited(account_id: str, users: Iterable[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """An account with these users, counted."""
    users = sorted(users, key=lambda user: user["user_name"])
    states = [user["state"] for user in users]
    names = ("fresh", "expiring", "stale", "in-grace", "held", "exempt")
    ages = [user["password_age_days"] for user in users if "password_age_days" in user]
    totals = {
        "users": len(users),
        **{name.replace("-", "_"): states.count(name) for name in names},
        "unclaimed": sum(not user.get("secret", {"claimed": True})["claimed"] for user in users),
        "without_mfa": sum(not user["mfa"] for user in users),
        "never_signed_in": sum("last_sign_in" not in user for user in users),
        **({"oldest_password_age_days": max(ages)} if ages else {}),
        **dict.fromkeys(("imported", "warned", "reminded", "tidied", "enrolled", "failed"), 0),
    }
    known = {"account_id": account_id, "status": "audited", "security_hub": "on", "users": users, "totals": totals}
    return known | more


def user(name: str, age: int | None = 10, state: str = "fresh", limit: int = 90, **more: Any) -> dict[str, Any]:
    """A user with a password of this age in days."""
    known: dict[str, Any] = {"user_name": name, "state": state, "max_password_age_days": limit, "mfa": True}
    if age is not None:
        known |= {"password_age_days": age, "password_last_changed": _time(NOW - timedelta(days=age, minutes=2))}
    return known | more


def invented(account_id: str, size: int, seed: int, limit: int = 90, held: bool = False, old: float = 1.0) -> Any:
    """An account whose users behave as people do; `old` is how many more are late than usual."""
    dice = random.Random(seed)
    names = [f"{given}.{family}" for given in _GIVEN for family in _FAMILY]
    names = dice.sample(names, min(size, len(names))) + [f"user-{number:04}" for number in range(len(names), size)]
    users = [_person(dice, account_id, name, limit, held, old) for name in names]
    users += [_service(dice, account_id, name, limit) for name in _SERVICES[: max(1, size // 12)]]
    return audited(account_id, users)


def _person(dice: random.Random, account_id: str, name: str, limit: int, held: bool, old: float) -> dict[str, Any]:
    late = dice.random() < 0.14 * old
    age = round(limit + 1 + dice.expovariate(1 / 120)) if late else dice.randrange(limit)
    state = "held" if held else dice.choice(("stale", "stale", "stale", "in-grace"))
    if not late:
        state = "expiring" if age >= limit - WARN_DAYS else "fresh"
    found = _around(dice, account_id, user(name, age, state, limit))
    if state == "in-grace":
        found["due"] = _time(NOW + timedelta(days=dice.randrange(1, GRACE_DAYS), hours=3))
    elif not late:
        found["due"] = _time(NOW + timedelta(days=limit - age, minutes=-2))
    if state == "fresh" and age < 20 and dice.random() < 0.5:
        stored = NOW - timedelta(days=age, minutes=2)
        secret = f"iam-console-password/{account_id}/{name}-{''.join(dice.choices('abcdefghkmnpqrstuvwxyz', k=6))}"
        found["secret"] = {
            "arn": f"arn:aws:secretsmanager:us-east-1:{account_id}:secret:{secret}",
            "claimed": dice.random() < 0.4,
            "stored_at": _time(stored),
        }
    return found


def _service(dice: random.Random, account_id: str, name: str, limit: int) -> dict[str, Any]:
    because = "name" if name.startswith("break-glass") else dice.choice(("tag", "tag", "suppressed", "tags-unreadable"))
    found = user(name, dice.randrange(30, 900), "exempt", limit, exempt_because=because)
    found = _around(dice, account_id, found)
    if because == "suppressed":
        found["finding"] |= {"status": "FAILED", "workflow": "SUPPRESSED"}
    return found


def _around(dice: random.Random, account_id: str, found: dict[str, Any]) -> dict[str, Any]:
    age = found["password_age_days"]
    found["mfa"] = dice.random() < 0.75
    if dice.random() < 0.95:
        found["last_sign_in"] = _time(NOW - timedelta(days=min(age, dice.expovariate(1 / 15)), hours=1))
    kinds = {
        "fresh": ("PASSED", "RESOLVED"),
        "expiring": ("WARNING", "NEW"),
        "stale": ("FAILED", "NEW"),
        "held": ("FAILED", "NEW"),
        "in-grace": ("FAILED", "NOTIFIED"),
        "exempt": ("ARCHIVED", "RESOLVED"),
    }
    status, workflow = kinds[found["state"]]
    arn = f"arn:aws:iam::{account_id}:user/{found['user_name']}"
    found["finding"] = {"id": f"iam-password-remediator/password-age/{arn}", "status": status, "workflow": workflow}
    return found


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def example() -> str:
    """Some accounts, one answer a line."""
    unreachable = "the member role iam-password-remediator-member does not trust the function, or is missing"
    answers = (
        audit(invented("123456789012", 84, 11)),
        audit(invented("210987654321", 36, 8, held=True, old=2.5)),
        audit(invented("345678901234", 22, 3, limit=60)),
        audit(invented("456789012345", 9, 4, old=0) | {"security_hub": "off"}),
        audit(failed("567890123456", unreachable)),
    )
    return "".join(f"{json.dumps(answer, separators=(',', ':'))}\n" for answer in answers)
