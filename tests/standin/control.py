"""The control API: how tests fill the stand-in, look into it and tamper with it. README.md describes it.

GET  /_standin/NAME?parameter=value
POST /_standin/NAME   a JSON document
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from moto.iam.models import iam_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.securityhub.models import securityhub_backends
from moto.sqs.models import sqs_backends

from . import dynamodb, gateway
from .faults import FAULTS
from .gateway import LOCK, HttpRequest
from .iam import User, sign_in
from .invariant import find_user, violations
from .journal import JOURNAL
from .passage import let_pass
from .secretsmanager import Secret
from .seed import seed
from .settings import HOME_ACCOUNT, SETTINGS
from .wire import ApiError, Reply

PREFIX = "/_standin/"

# AWS sets this key, false, for a console session without a second factor.
_CONSOLE_CONTEXT = {"aws:MultiFactorAuthPresent": ["false"]}


def handle(request: HttpRequest, base_url: str) -> Reply:
    """Answers a request below PREFIX. Mistakes are 4xx with an `error`."""
    name = request.path.removeprefix(PREFIX)
    try:
        with LOCK:
            if request.method == "GET" and name in _VIEWS:
                query = {key: values[0] for key, values in parse_qs(urlsplit(request.url).query).items()}
                return Reply.of_json(_VIEWS[name](query))
            if request.method == "POST" and name in _ACTIONS:
                return Reply.of_json(_ACTIONS[name](json.loads(request.body or b"{}"), base_url))
    except ApiError as error:
        return Reply.of_json({"error": str(error)}, 400)
    except LookupError as error:
        return Reply.of_json({"error": f"not found: {error}"}, 404)
    except (ValueError, TypeError) as error:
        return Reply.of_json({"error": str(error)}, 400)
    except Exception as error:
        # A defect here, not a mistake there.
        traceback.print_exc(file=sys.stderr)
        return Reply.of_json({"error": repr(error)}, 500)
    return Reply.of_json({"error": f"no {request.method} {request.path}"}, 404)


def _user(query: dict[str, str]) -> dict[str, Any]:
    _, user = find_user(query.get("account", HOME_ACCOUNT), query["name"])
    return _user_facts(user)


def _user_facts(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "user_id": user.id,
        "arn": user.arn,
        "account_id": user.account_id,
        "password": user.password,
        "password_last_changed": user.password_last_changed.isoformat() if user.password else None,
        "history_length": len(user.password_history),
        "reset_required": user.password_reset_required,
        "attached_policies": [policy.name for policy in user.managed_policies.values()],
        "tags": {tag["Key"]: tag["Value"] for tag in user.tags or []},
    }


def _users(query: dict[str, str]) -> list[dict[str, Any]]:
    return [
        _user_facts(user)
        for account_id, _, backend in iam_backends.iter_backends()
        if query.get("account", account_id) == account_id
        for user in backend.users.values()
    ]


def _secrets(query: dict[str, str]) -> list[dict[str, Any]]:
    return [
        _secret_facts(secret)
        for account_id, _, backend in secretsmanager_backends.iter_backends()
        if query.get("account", account_id) == account_id
        for secret in backend.secrets.values()
    ]


def _secret_facts(secret: Secret) -> dict[str, Any]:
    return {
        "name": secret.name,
        "arn": secret.arn,
        "account_id": secret.account_id,
        "region": secret.region,
        "kms_key_id": secret.kms_key_id,
        "tags": {tag["Key"]: tag["Value"] for tag in secret.tags or []},
        "deleted": secret.is_deleted(),
        "versions": [
            {
                "version_id": version["version_id"],
                "labels": version["version_stages"],
                "value": _parsed(version.get("secret_string")),
            }
            for version in secret.versions.values()
        ],
    }


def _ledger(query: dict[str, str]) -> list[dict[str, Any]]:
    return dynamodb.items(query.get("account"))


def _queues(query: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "name": queue.name,
            "account_id": account_id,
            "messages": [{"body": message.body} for message in queue._messages],
        }
        for account_id, _, backend in sqs_backends.iter_backends()
        if query.get("account", account_id) == account_id
        for queue in backend.queues.values()
    ]


def _password_policies() -> dict[str, Any]:
    return {
        account_id: {
            key: value for key, value in vars(backend.account_password_policy).items() if not key.startswith("_")
        }
        for account_id, _, backend in iam_backends.iter_backends()
        if backend.account_password_policy
    }


def _passwords(_: dict[str, str]) -> list[str]:
    """Every password there ever was: what must not be found in logs, messages and the like."""
    found = set()
    for user in (u for _, _, backend in iam_backends.iter_backends() for u in backend.users.values()):
        found.update(user.password_history, user.known_passwords)
    for secret in _secrets({}):
        for version in secret["versions"]:
            # A placeholder has none.
            if isinstance(version["value"], dict) and version["value"].get("password"):
                found.add(version["value"]["password"])
    return sorted(found)


def _state(query: dict[str, str]) -> dict[str, Any]:
    return {
        "settings": SETTINGS.as_dict(),
        "faults": FAULTS.as_list(),
        "users": _users(query),
        "password_policies": _password_policies(),
        "secrets": _secrets(query),
        "messages": JOURNAL.messages,
        "findings": _findings(query),
        "finding_events": JOURNAL.finding_events,
        "finding_updates": JOURNAL.finding_updates,
        "queues": _queues(query),
        "ledger": _ledger(query),
        "calls": JOURNAL.calls,
        "violations": JOURNAL.violations,
    }


def _calls(query: dict[str, str]) -> list[dict[str, Any]]:
    return JOURNAL.calls[int(query.get("after", 0)) :]


def _reset(_: Any, __: str) -> dict[str, Any]:
    gateway.reset()
    return {}


def _expire_leases(body: dict[str, Any], _: str) -> dict[str, int]:
    return {"expired": dynamodb.expire_leases(body.get("account"))}


def _let_pass(body: dict[str, Any], _: str) -> dict[str, Any]:
    let_pass(body["days"])
    return {}


def _findings(query: dict[str, str]) -> list[dict[str, Any]]:
    return [
        finding.data
        for account_id, _, backend in securityhub_backends.iter_backends()
        if query.get("account", account_id) == account_id
        for finding in backend.findings
    ]


def _sign_in(body: dict[str, Any], _: str) -> dict[str, Any]:
    backend, user = find_user(body.get("account_id", HOME_ACCOUNT), body["user_name"])
    return sign_in(backend, user, body["password"], body.get("new_password"), _CONSOLE_CONTEXT)


def _invariant(_: Any, __: str) -> dict[str, Any]:
    return {"now": violations(), "watched": JOURNAL.violations}


def _faults(body: Any, _: str) -> list[dict[str, Any]]:
    FAULTS.replace(body)
    return FAULTS.as_list()


def _settings(body: dict[str, Any], _: str) -> dict[str, Any]:
    SETTINGS.update(body)
    return SETTINGS.as_dict()


_VIEWS: dict[str, Callable[[dict[str, str]], Any]] = {
    "calls": _calls,
    "faults": lambda _: FAULTS.as_list(),
    "finding-events": lambda _: JOURNAL.finding_events,
    "finding-updates": lambda _: JOURNAL.finding_updates,
    "findings": _findings,
    "ledger": _ledger,
    "messages": lambda _: JOURNAL.messages,
    "passwords": _passwords,
    "queues": _queues,
    "secrets": _secrets,
    "settings": lambda _: SETTINGS.as_dict(),
    "state": _state,
    "user": _user,
    "users": _users,
}
_ACTIONS: dict[str, Callable[[Any, str], Any]] = {
    "faults": _faults,
    "invariant": _invariant,
    "ledger/expire-leases": _expire_leases,
    "let-pass": _let_pass,
    "reset": _reset,
    "seed": seed,
    "settings": _settings,
    "sign-in": _sign_in,
}


def _parsed(value: str | None) -> Any:
    try:
        return json.loads(value) if value is not None else None
    except ValueError:
        return value
