"""Starts, drives and looks into the stand-in from tests and the demo. Standard library only, but for `boto3`."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

_SERVE = Path(__file__).resolve().parent / "serve.py"
_CONTROL_TIMEOUT_SECONDS = 120


class ControlError(Exception):
    """The control API refused; the message says why."""


class Standin:
    """A running stand-in. As a context manager, or by `stop`, it ends the process it started, if it started one."""

    def __init__(self, url: str, process: subprocess.Popen[bytes] | None = None):
        self.url = url
        self._process = process

    @classmethod
    def start(cls, port: int = 0) -> Standin:
        """A new process on a free port of 127.0.0.1, which ends with this one whatever happens."""
        process = subprocess.Popen(
            [sys.executable, str(_SERVE), "--port", str(port), "--until-stdin-closes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        line = process.stdout.readline().decode()
        if not line.startswith("listening on "):
            process.wait()
            raise RuntimeError(f"the stand-in did not start; status {process.returncode}, said {line!r}")
        return cls(line.removeprefix("listening on ").strip(), process)

    def stop(self) -> None:
        """Ends the process. May be called twice."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
            self._process.stdout.close()
            self._process = None

    def __enter__(self) -> Standin:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def reset(self) -> None:
        """Wipes everything: state, journal, faults, settings."""
        self._post("reset", {})

    def seed(self, **spec: Any) -> dict[str, Any]:
        """Fills an account; answers ARNs and URLs of what was made."""
        return self._post("seed", spec)

    def user(self, name: str, account: str | None = None) -> dict[str, Any]:
        """One user, with the working password."""
        return self._get("user", name=name, account=account)

    def users(self, account: str | None = None) -> list[dict[str, Any]]:
        """All users."""
        return self._get("users", account=account)

    def sign_in(self, user_name: str, password: str, new_password: str | None = None, **more: Any) -> dict[str, Any]:
        """What happens when the person does. `more`: `account_id`."""
        return self._post(
            "sign-in", {"user_name": user_name, "password": password, "new_password": new_password, **more}
        )

    def messages(self, **attributes: str) -> list[dict[str, Any]]:
        """Messages published, those with these attributes only."""
        return [m for m in self._get("messages") if attributes.items() <= m["attributes"].items()]

    def finding_updates(self) -> list[dict[str, Any]]:
        """Calls of BatchUpdateFindings and its V2."""
        return self._get("finding-updates")

    def findings(self, account: str | None = None) -> list[dict[str, Any]]:
        """All findings in ASFF."""
        return self._get("findings", account=account)

    def finding_events(self, account: str | None = None) -> list[dict[str, Any]]:
        """The findings that were imported or updated, as they were then, in order of arrival."""
        found = [event["finding"] for event in self._get("finding-events")]
        return [finding for finding in found if account in (None, finding.get("AwsAccountId"))]

    def calls(self, operation: str | None = None, after: int = 0) -> list[dict[str, Any]]:
        """AWS calls in order of arrival, after number `after`, of one operation only."""
        return [call for call in self._get("calls", after=after) if operation in (None, call["operation"])]

    def secrets(self, account: str | None = None) -> list[dict[str, Any]]:
        """All secrets with their versions, labels and values."""
        return self._get("secrets", account=account)

    def queues(self, account: str | None = None) -> list[dict[str, Any]]:
        """All queues with their messages."""
        return self._get("queues", account=account)

    def ledger(self, account: str | None = None) -> list[dict[str, Any]]:
        """All items of the ledger, as plain JSON."""
        return self._get("ledger", account=account)

    def expire_leases(self, account: str | None = None) -> int:
        """Makes every lease that is held an old one, as time would: how many."""
        return self._post("ledger/expire-leases", {"account": account})["expired"]

    def let_pass(self, days: int) -> None:
        """Makes everything that has a date so many days older."""
        self._post("let-pass", {"days": days})

    def passwords(self) -> list[str]:
        """Every password there ever was."""
        return self._get("passwords")

    def state(self) -> dict[str, Any]:
        """Everything in one document."""
        return self._get("state")

    def invariant(self) -> dict[str, Any]:
        """Users locked out `now`, and those that a `watched` call locked out."""
        return self._post("invariant", {})

    def faults(self, *rules: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Replaces the rules; none given clears them and releases hanging calls."""
        return self._post("faults", rules)

    def fault_report(self) -> list[dict[str, Any]]:
        """The rules in force and how often they fired."""
        return self._get("faults")

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Changes settings; answers all of them."""
        return self._post("settings", changes)

    def boto3(self, service: str, account: str | None = None, region: str = "us-east-1", **config: Any) -> Any:
        """A client without retries, of the home account or another one."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id=account or "AKIAIOSFODNN7EXAMPLE",
            aws_secret_access_key="none",
            aws_session_token=config.pop("session_token", None),
            config=Config(retries={"total_max_attempts": 1}, **config),
        )

    def _get(self, view: str, /, **query: Any) -> Any:
        given = {key: value for key, value in query.items() if value is not None}
        return self._request(f"{view}?{urlencode(given)}", None)

    def _post(self, name: str, body: Mapping[str, Any] | Iterable[Any]) -> Any:
        return self._request(name, json.dumps(body).encode())

    def _request(self, path: str, body: bytes | None) -> Any:
        request = urllib.request.Request(f"{self.url}/_standin/{path}", data=body)
        # No proxy, whatever the environment says: this is loopback.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_CONTROL_TIMEOUT_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise ControlError(json.load(error)["error"]) from None
