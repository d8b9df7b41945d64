"""An account, the function that looks after it, and all that a test wants to know of both.

Each `World` is an AWS account of its own in the one stand-in, with processes of its own. So tests that take many
worlds (a crash at every call) let them live side by side, and one account's faults are no other's.
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

from demo.account import AUDIT_KEY, STRONG_POLICY, TABLE, TOPIC, environment, remember, sample
from standin.client import Standin
from standin.runtime import FunctionHost, Invocation, function_host

PREFIX = "iam-console-password"
LONGEST_PASSWORD = 128
# Lambda's longest. No test waits for it, and none fails because the machine is busy.
LONGEST_SECONDS = 900
# What a run says that found another one at work on the user.
BUSY = "another run is at work on this user"

_account_ids = (f"{number:012d}" for number in count(200_000_000_001))
_choices = count(1)


class World:
    """One account with its users, and the function as it is deployed there.

    `earlier` names those to whom a reset long ago left a secret that the ledger knows; `earlier_secret` is more for
    the seed of each.
    """

    def __init__(
        self,
        aws: Standin,
        binary: Path,
        *,
        users: list[dict[str, Any]] | dict[str, int] | None = None,
        account_id: str | None = None,
        earlier: tuple[str, ...] = (),
        earlier_secret: dict[str, Any] | None = None,
        variables: dict[str, str] | None = None,
        kind: str = "builtin",
        processes: int = 1,
        occasion: Any = "password-age-imported",
        **seed: Any,
    ):
        self.aws = aws
        self.account_id = account_id or next(_account_ids)
        # What asks for a reset here: an event, or the name of a sample event.
        self.occasion = occasion
        users = {"alice": 120} if users is None else users
        if isinstance(users, dict):
            users = [{"name": name, "age_days": age} for name, age in users.items()]
        secrets = [old_secret(self.account_id, name, **(earlier_secret or {})) for name in earlier]
        self.seeded = aws.seed(
            **{
                "account_id": self.account_id,
                "users": users,
                "password_policy": STRONG_POLICY,
                "topics": [{"name": TOPIC}],
                "tables": [{"name": TABLE}],
                "secrets": secrets,
                "generate_report": True,
                **seed,
            }
        )
        arns = self.seeded["secrets"]
        remember(aws, self.account_id, {name: arns[secret_name(self.account_id, name)] for name in earlier})
        self._binary, self._kind, self._processes = binary, kind, processes
        self._variables = {**environment(self.account_id), **(variables or {})}
        self._function: FunctionHost | None = None
        self._audit_function: FunctionHost | None = None
        self.seeded_passwords = {user["name"]: user["password"] for user in self.users()}

    @property
    def function(self) -> FunctionHost:
        """The function; started when it is first wanted."""
        if self._function is None:
            self._function = self._start({})
        return self._function

    @property
    def audit_function(self) -> FunctionHost:
        """The same program as the template deploys it for audits: with credentials of its own, by which its calls are
        told from the other's."""
        if self._audit_function is None:
            self._audit_function = self._start({"AWS_ACCESS_KEY_ID": f"{self.account_id}{AUDIT_KEY}"})
        return self._audit_function

    def host(self, event: Any) -> FunctionHost:
        """Which of the two an event is sent to."""
        return self.audit_function if _is_audit(event) else self.function

    def close(self) -> None:
        """Ends the functions."""
        for host in (self._function, self._audit_function):
            if host:
                host.stop()
        self._function = self._audit_function = None

    def _start(self, variables: dict[str, str]) -> FunctionHost:
        return function_host(
            self._kind,
            self._binary,
            endpoint_url=self.aws.url,
            environment={**self._variables, **variables},
            account_id=self.account_id,
            processes=self._processes,
            timeout_seconds=LONGEST_SECONDS,
        ).start()

    def event(self, name: str) -> Any:
        """A sample event, as if it had happened here."""
        return sample(f"{name}.json", self.account_id)

    def asks(self) -> Any:
        """The event that asks for a reset here."""
        return self.event(self.occasion) if isinstance(self.occasion, str) else self.occasion

    def deliver(self, event: Any, **delivery: Any) -> Invocation:
        """Sends an event, or the sample event of that name, and waits for what comes of it."""
        event = self.event(event) if isinstance(event, str) else event
        return self.host(event).invoke(event, **delivery)

    def answer(self, event: Any, **delivery: Any) -> dict[str, Any]:
        """The answer, which must be none of an error."""
        invocation = self.deliver(event, **delivery)
        assert invocation.error is None, invocation.error
        return invocation.result

    def failure(self, event: Any, **delivery: Any) -> dict[str, Any]:
        """The answer in the message of the function error `RemediationFailed`."""
        return failure_of(self.deliver(event, **delivery))

    def users(self) -> list[dict[str, Any]]:
        """All users as IAM has them, working passwords included."""
        return self.aws.users(account=self.account_id)

    def user(self, name: str = "alice") -> dict[str, Any]:
        """One user."""
        return self.aws.user(name, account=self.account_id)

    def secrets(self) -> list[dict[str, Any]]:
        """All secrets."""
        return self.aws.secrets(account=self.account_id)

    def secret(self, name: str = "alice") -> dict[str, Any]:
        """The user's one secret."""
        found = [secret for secret in self.secrets() if secret["tags"].get("iam-user") == tag_value(name)]
        assert len(found) == 1, f"{name} has {len(found)} secrets"
        return found[0]

    def messages(self, **attributes: str) -> list[dict[str, Any]]:
        """Messages published about this account."""
        return self.aws.messages(account_id=self.account_id, **attributes)

    def finding_updates(self) -> list[dict[str, Any]]:
        """What was recorded on findings in this account's Security Hub."""
        return [update for update in self.aws.finding_updates() if update["account_id"] == self.account_id]

    def calls(self, operation: str | None = None) -> list[dict[str, Any]]:
        """The function's calls to this account, in order of arrival."""
        return [
            call
            for call in self.aws.calls(operation)
            if call["account_id"] == self.account_id and call["user_agent"].startswith("aws-sdk-rust")
        ]

    def operations(self) -> list[str]:
        """The names of these calls."""
        return [call["operation"] for call in self.calls()]

    def sign_in(self, name: str, password: str, new_password: str | None = None) -> dict[str, Any]:
        """What happens when the person does."""
        return self.aws.sign_in(name, password, new_password, account_id=self.account_id)

    def look(self) -> Snapshot:
        """All users and what belongs to them, as they are now."""
        return Snapshot(self)

    def assert_reset(self, name: str = "alice", **expected: int) -> None:
        """One user was reset: see `Snapshot.assert_reset`."""
        self.look().assert_reset(name, **expected)

    def assert_untouched(self, name: str = "alice") -> None:
        """Nothing happened to the user."""
        user = self.user(name)
        is_same = user["password"] == self.seeded_passwords[name]
        assert is_same, f"{name}'s password was reset"
        assert not user["reset_required"], f"{name} must change the password"
        assert not self.messages(user_name=name), f"{name} was told of something"
        assert not self.look().under_way(name)

    def assert_can_sign_in(self, name: str = "alice") -> None:
        """The user reads the secret, signs in and chooses a password of their own."""
        current = next(version for version in self.secret(name)["versions"] if "AWSCURRENT" in version["labels"])
        own = f"Chosen-{next(_choices)}-by-{name}-".ljust(LONGEST_PASSWORD, "x")
        signed_in = self.sign_in(name, current["value"]["password"], own)
        assert signed_in["works"] and signed_in["change_required"] and signed_in["changed"], signed_in


class Snapshot:
    """An account's users, secrets, messages and ledger at one moment."""

    def __init__(self, world: World):
        self._before, self._account_id = world.seeded_passwords, world.account_id
        self._users = {user["name"]: user for user in world.users()}
        self._secrets: dict[str, list[dict[str, Any]]] = {}
        for secret in world.secrets():
            self._secrets.setdefault(secret["tags"].get("iam-user", ""), []).append(secret)
        messages = world.messages(kind="password-reset")
        self._told = Counter(message["attributes"]["user_name"] for message in messages)
        invariant = world.aws.invariant()
        self._lockouts = [
            found for found in [*invariant["now"], *invariant["watched"]] if found["account_id"] == self._account_id
        ]
        # Of all accounts: the ledger stands in the function's.
        self._ledger = {item["id"]: item for item in world.aws.ledger()}

    def told(self, name: str) -> int:
        """How often the user was told of a reset."""
        return self._told[name]

    def passwords(self, name: str) -> int:
        """How many passwords the user's secret holds. Its first version holds none."""
        secrets = self._secrets.get(tag_value(name), [])
        return sum(version["value"]["password"] is not None for secret in secrets for version in secret["versions"])

    def under_way(self, name: str) -> set[str]:
        """What the ledger has of an attempt that did not come to its end, or of a lease."""
        item = self._ledger.get(f"user#{self._account_id}#{name.lower()}", {})
        return item.keys() & {"open", "versions", "request", "lease_holder", "lease_until"}

    def assert_reset(self, name: str, *, announced: int = 1, passwords: int = 1, before: int = 0) -> None:
        """One working, stored and announced password, nothing left half done, nobody locked out.

        `announced`: the user heard of it once, or up to so many times. `passwords`: as many were made, or fewer.
        `before`: passwords that the secret held.
        """
        user, secrets = self._users[name], self._secrets.get(tag_value(name), [])
        assert len(secrets) == 1, f"{name} has {len(secrets)} secrets"
        (secret,) = secrets
        labels = {label: version for version in secret["versions"] for label in version["labels"]}
        # Compared before `assert`, whose message would show the passwords.
        is_stored = labels.get("AWSCURRENT", {}).get("value", {}).get("password") == user["password"]
        is_new = user["password"] != self._before[name]
        assert is_stored, f"{name}'s working password is not the current version; labels: {sorted(labels)}"
        assert is_new, f"{name}'s password is the one from before"
        assert user["reset_required"], f"{name} need not change the password"
        left = {label for label in labels if label not in ("AWSCURRENT", "AWSPREVIOUS")}
        assert not left, f"labels are left on {name}'s secret: {left}"
        assert not secret["deleted"], f"{name}'s secret is scheduled for deletion"
        made = self.passwords(name) - before
        assert 1 <= made <= passwords, f"{made} passwords were made for {name}"
        assert 1 <= self.told(name) <= announced, f"{name} was told {self.told(name)} times"
        assert not self.under_way(name), f"the ledger has {name}'s {self.under_way(name)}"
        lockouts = [(found["problem"], found.get("call")) for found in self._lockouts if found["user"] == name]
        assert not lockouts, lockouts


def _is_audit(event: Any) -> bool:
    """An order by hand, or a batch of the queue of such."""
    if not isinstance(event, dict):
        return False
    records = event.get("Records") or []
    return event.get("action") == "audit" or any('"audit"' in record.get("body", "") for record in records)


def failure_of(invocation: Invocation) -> dict[str, Any]:
    """The answer in the message of the function error `RemediationFailed`."""
    assert invocation.error is not None, invocation.result
    assert invocation.error["errorType"] == "RemediationFailed", invocation.error
    return json.loads(invocation.error["errorMessage"])


def tag_value(name: str) -> str:
    """A user's name as the secret's tag has it: tags hold no comma."""
    return name.replace(",", "/2C")


def secret_name(account_id: str, name: str = "alice") -> str:
    """What the function calls the secret of a user with a plain name."""
    return f"{PREFIX}/{account_id}/{name}"


def old_secret(account_id: str, name: str = "alice", **more: Any) -> dict[str, Any]:
    """A seed's secret as a reset 120 days ago left it, claimed since. By itself it is foreign: see `World`."""
    return {
        "name": secret_name(account_id, name),
        "tags": {"managed-by": "iam-password-remediator", "iam-user": name, "account-id": account_id},
        "age_days": 120,
        "versions": [
            {
                "value": {
                    "username": name,
                    "password": f"Long-ago-given-to-{name}-1",
                    "account_id": account_id,
                    "sign_in_url": f"https://{account_id}.signin.aws.amazon.com/console",
                },
            }
        ],
        **more,
    }


def users_by_status(answer: dict[str, Any]) -> dict[str, str]:
    """Who ended how: `alice` to `reset`, `breakglass` to `skipped exempt`."""
    return {user["user_name"]: _status(user) for user in answer["users"]}


def only_user(answer: dict[str, Any]) -> dict[str, Any]:
    """The one user that an answer is about."""
    assert len(answer["users"]) == 1, answer["users"]
    return answer["users"][0]


def _status(user: dict[str, Any]) -> str:
    return f"{user['status']} {user['reason']}" if user["status"] == "skipped" else user["status"]
