"""The promise that matters: nobody is locked out.

Whoever has a console password must be able to get at the one that works: they know it, or it stands in a labelled
version of their secret. A secret marked as deleted cannot be read and so does not count.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from moto.iam.models import iam_backends
from moto.secretsmanager.models import secretsmanager_backends

from .iam import IamBackend, User
from .secretsmanager import Secret
from .wire import ApiError, Call

Owner = tuple[str, str]  # account, user name in lower case


def violations(owners: Iterable[Owner] | None = None) -> list[dict[str, Any]]:
    """Users whose working password nobody can get at: among `owners`, or everybody."""
    wanted = None if owners is None else set(owners)
    readable = _readable_passwords(wanted)
    found = []
    for account_id, _, backend in iam_backends.iter_backends():
        for key, user in backend.users.items():
            owner = (account_id, key)
            if not user.password or (wanted is not None and owner not in wanted):
                continue
            if user.password not in user.known_passwords and user.password not in readable[owner]:
                found.append(
                    {
                        "account_id": account_id,
                        "user": user.name,
                        "working_password": user.password,
                        "problem": "the working password is neither known to the user nor in a labelled version",
                    }
                )
    return found


def owners_touched(call: Call) -> set[Owner]:
    """Whose promise the call can break, judged by the state at this moment: ask before the call and after it."""
    if call.service == "iam" and call.user:
        return {(call.account_id, call.user.lower())}
    if call.service == "secretsmanager" and "SecretId" in call.params:
        try:
            return owners_of(secretsmanager_backends[call.account_id][call.region].find(call.params["SecretId"]))
        except ApiError:
            return set()
    return set()


def owners_of(secret: Secret) -> set[Owner]:
    """By the tags `iam-user` and `account-id`, or else by what its values say.

    A tag cannot hold every user name (there is no comma in tags). One with a slash, which no user name has, is taken
    for a name that was written otherwise.
    """
    tagged = secret.tag("iam-user")
    if tagged and "/" not in tagged:
        return {(secret.tag("account-id") or secret.account_id, tagged.lower())}
    values = [_value(version) for version in secret.labelled_versions()]
    return {
        (str(value.get("account_id", secret.account_id)), str(value["username"]).lower())
        for value in values
        if "username" in value
    }


def _readable_passwords(wanted: set[Owner] | None) -> defaultdict[Owner, set[str]]:
    passwords: defaultdict[Owner, set[str]] = defaultdict(set)
    accounts = secretsmanager_backends if wanted is None else {account_id for account_id, _ in wanted}
    for account_id in list(accounts):
        for backend in secretsmanager_backends[account_id].values():
            for secret in backend.secrets.values():
                if secret.is_deleted():
                    continue
                for owner in owners_of(secret):
                    if wanted is None or owner in wanted:
                        values = (_value(version) for version in secret.labelled_versions())
                        passwords[owner].update(str(value.get("password")) for value in values)
    return passwords


def _value(version: dict[str, Any]) -> dict[str, Any]:
    try:
        value = json.loads(version.get("secret_string", ""))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def find_user(account_id: str, name: str) -> tuple[IamBackend, User]:
    """The user, in whatever partition. LookupError when there is none."""
    for backend in iam_backends[account_id].values():
        user = backend.users.get(name)
        if user is not None:
            return backend, user
    raise LookupError(f"no user {name!r} in account {account_id}")
