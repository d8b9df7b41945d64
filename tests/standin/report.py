"""The IAM credential report: its columns, how it comes to be, and how long it is kept.

Format: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from .settings import SETTINGS, this_second
from .wire import ApiError

if TYPE_CHECKING:
    from .iam import IamBackend, User

COLUMNS = (
    "user",
    "arn",
    "user_creation_time",
    "password_enabled",
    "password_last_used",
    "password_last_changed",
    "password_next_rotation",
    "mfa_active",
    "access_key_1_active",
    "access_key_1_last_rotated",
    "access_key_1_last_used_date",
    "access_key_1_last_used_region",
    "access_key_1_last_used_service",
    "access_key_2_active",
    "access_key_2_last_rotated",
    "access_key_2_last_used_date",
    "access_key_2_last_used_region",
    "access_key_2_last_used_service",
    "cert_1_active",
    "cert_1_last_rotated",
    "cert_2_active",
    "cert_2_last_rotated",
)

_KEPT_FOR = timedelta(hours=4)
_ACCOUNT_OPENED = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
_NO_KEYS = dict.fromkeys(COLUMNS[8:], "N/A") | dict.fromkeys(
    ("access_key_1_active", "access_key_2_active", "cert_1_active", "cert_2_active"), "false"
)


@dataclass
class _Job:
    content: str
    started: datetime
    polls_left: int


class CredentialReport:
    """One account's report. What it says is as old as the call that started it, for four hours."""

    def __init__(self, backend: IamBackend):
        self._backend = backend
        self._job: _Job | None = None
        self._content: str | None = None
        self._generated: datetime | None = None
        self.root_row = True
        self.extra_columns: dict[str, str] = {}

    def generate(self) -> tuple[str, str | None]:
        """GenerateCredentialReport: the state, and a description where AWS gives one."""
        self._advance()
        if self._job:
            return "INPROGRESS", None
        if self._generated and not self._expired():
            return "COMPLETE", None
        self._job = _Job(self._render(), this_second(), SETTINGS.report_polls)
        return "STARTED", "No report exists. Starting a new report generation task"

    def fetch(self) -> tuple[str, datetime]:
        """GetCredentialReport: content and when it was generated."""
        self._advance()
        if self._job:
            raise ApiError(404, "ReportInProgress", "Credential report is still being generated")
        if self._content is None or self._generated is None:
            raise ApiError(410, "ReportNotPresent", "No credential report exists")
        if self._expired():
            raise ApiError(410, "ReportExpired", "The most recent credential report has expired")
        return self._content, self._generated

    def generate_now(self) -> None:
        """A fresh report at once: for seeding, where AWS's rhythm is in the way."""
        self._job = None
        self._content, self._generated = self._render(), this_second()

    def age(self, by: timedelta) -> None:
        """Makes what there is of a report so much older. Its text stays, as it does on AWS."""
        if self._generated:
            self._generated -= by
        if self._job:
            self._job.started -= by

    def _expired(self) -> bool:
        return this_second() - self._generated >= _KEPT_FOR

    def _advance(self) -> None:
        job = self._job
        if job is None:
            return
        if job.polls_left > 0:
            job.polls_left -= 1
        else:
            self._content, self._generated, self._job = job.content, job.started, None

    def _render(self) -> str:
        out = io.StringIO()
        table = csv.DictWriter(out, [*COLUMNS, *self.extra_columns], lineterminator="\n")
        table.writeheader()
        table.writerows({**self.extra_columns, **row} for row in self._rows())
        return out.getvalue()

    def _rows(self) -> Iterable[Mapping[str, str]]:
        if self.root_row:
            yield {
                **_NO_KEYS,
                "user": "<root_account>",
                "arn": f"arn:{self._backend.partition}:iam::{self._backend.account_id}:root",
                "user_creation_time": _date(_ACCOUNT_OPENED),
                "password_enabled": "not_supported",
                "password_last_used": "no_information",
                "password_last_changed": "not_supported",
                "password_next_rotation": "not_supported",
                "mfa_active": "true",
            }
        for user in self._backend.users.values():
            row = self._row(user)
            for changes in user.report_rows or [{}]:
                yield {**row, **changes}

    def _row(self, user: User) -> dict[str, str]:
        policy = self._backend.account_password_policy
        last_used = last_changed = next_rotation = "N/A"
        if user.password:
            last_used = _date(user.password_last_used) if user.password_last_used else "no_information"
            last_changed = _date(user.password_last_changed)
            if policy and policy.max_password_age:
                next_rotation = _date(user.password_last_changed + timedelta(days=policy.max_password_age))
        return {
            **_NO_KEYS,
            "user": user.name,
            "arn": user.arn,
            "user_creation_time": _date(user.create_date),
            "password_enabled": "true" if user.password else "false",
            "password_last_used": last_used,
            "password_last_changed": last_changed,
            "password_next_rotation": next_rotation,
            "mfa_active": "true" if user.mfa_devices else "false",
        }


def _date(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S+00:00")
