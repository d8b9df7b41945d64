"""Time that passes: everything that has a date gets so much older.

The function's clock is the machine's, so it is not the clock that moves. Whole days only, for what is counted by days.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from moto.iam.models import iam_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.securityhub.models import securityhub_backends

from . import dynamodb
from .iam import User
from .secretsmanager import Secret
from .settings import now

_DAY = timedelta(days=1)
_OF_USERS = ("create_date", "login_profile_created", "password_last_changed", "password_last_used")
_OF_SECRETS = ("created_date", "last_changed_date", "deleted_date")
_OF_FINDINGS = ("CreatedAt", "UpdatedAt", "ProcessedAt")


def let_pass(days: int) -> None:
    """Makes all users, reports, secrets, findings and ledgers older. What is scheduled for deletion comes to it."""
    by = days * _DAY
    for _, _, iam in iam_backends.iter_backends():
        for user in iam.users.values():
            _age_user(user, by)
        iam.report.age(by)
    for _, _, secrets in secretsmanager_backends.iter_backends():
        for name, secret in list(secrets.secrets.items()):
            _age_secret(secret, by)
            if secret.is_deleted() and secret.deleted_date <= now().timestamp():
                secrets.secrets.pop(name)
    for _, _, hub in securityhub_backends.iter_backends():
        for finding in hub.findings:
            for field in finding.data.keys() & set(_OF_FINDINGS):
                finding.data[field] = _earlier(finding.data[field], by)
            fields = finding.data.get("ProductFields", {})
            # Dates that a provider wrote: those of the function's own findings among them.
            fields.update({name: _earlier(text, by) for name, text in fields.items() if _is_date(text)})
    dynamodb.age(by)


def _age_user(user: User, by: timedelta) -> None:
    for field in _OF_USERS:
        at = getattr(user, field, None)
        if at is not None:
            setattr(user, field, at - by)


def _age_secret(secret: Secret, by: timedelta) -> None:
    for field in _OF_SECRETS:
        at = getattr(secret, field)
        if at is not None:
            setattr(secret, field, at - by.total_seconds())
    for version in secret.versions.values():
        version["createdate"] -= by.total_seconds()


def _is_date(text: str) -> bool:
    try:
        return "T" in text and datetime.fromisoformat(text.replace("Z", "+00:00")).tzinfo is not None
    except ValueError:
        return False


def _earlier(text: str, by: timedelta) -> str:
    return (datetime.fromisoformat(text.replace("Z", "+00:00")) - by).isoformat().replace("+00:00", "Z")
