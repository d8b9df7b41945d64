"""Every sample event, byte for byte, through the Runtime API: the answer is the one that events/README.md gives."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from demo.account import ACCOUNT_ID, AGES, EVENTS, WEAK_POLICY, users
from standin.client import Standin
from world import World, users_by_status

FOUR_CLASSES = [
    "RequireSymbols false -> true",
    "RequireNumbers false -> true",
    "RequireUppercaseCharacters false -> true",
    "RequireLowercaseCharacters false -> true",
]
LENGTH_14 = "MinimumPasswordLength 8 -> 14"
AGE_90 = "MaxPasswordAge none -> 90"
REUSE_24 = "PasswordReusePrevention none -> 24"


@dataclass(frozen=True)
class Expected:
    """What an event comes to in the account of events/README.md."""

    users: dict[str, str] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=lambda: ["handled"])
    recorded: list[str] = field(default_factory=list)
    failed_messages: list[str] | None = None
    refused: str | None = None
    mode: str = "remediate"


def _stale(status: str) -> dict[str, str]:
    """Everyone whose password is too old, and what becomes of them if nobody is exempt."""
    return {"alice": status, "bob": status, "carol": status, "breakglass": "skipped exempt"}


def _ages(**users: str) -> Expected:
    return Expected(users, recorded=["NOTIFIED"])


def _policy(*changes: str) -> Expected:
    return Expected(_stale("reset"), list(changes), recorded=["RESOLVED"])


def _by_hand(mode: str = "remediate", **users: str) -> Expected:
    return Expected(users, findings=[], mode=mode)


def _ignored(reason: str) -> Expected:
    return Expected(findings=[f"ignored {reason}"])


EXPECTED = {
    "password-age-imported": _ages(alice="reset"),
    "password-age-conformance-pack": _ages(carol="reset"),
    "password-age-legacy": _ages(bob="reset"),
    "password-age-own": _ages(alice="reset", carol="reset"),
    "password-age-v2": _ages(carol="reset"),
    "password-age-exempt-user": Expected({"breakglass": "skipped exempt"}),
    "iam7-imported": _policy(LENGTH_14, *FOUR_CLASSES, AGE_90, REUSE_24),
    "iam7-v2": _policy(LENGTH_14, *FOUR_CLASSES, AGE_90, REUSE_24),
    "iam7-fsbp-legacy": _policy(*FOUR_CLASSES),
    "iam7-control-tower": _policy(*FOUR_CLASSES),
    "iam10-pci-3.2.1": _policy(*FOUR_CLASSES[1:], AGE_90, "PasswordReusePrevention none -> 4"),
    "cis-v1.2-1.9": _policy(LENGTH_14),
    "cis-v5.0-1.8": _policy(REUSE_24),
    "iam17-imported": _policy(AGE_90),
    "custom-action": _ages(alice="reset", bob="reset"),
    "root": Expected({"<root_account>": "skipped root"}),
    "reset-manual": _by_hand(alice="reset"),
    "reset-fresh": _by_hand(dave="skipped password-fresh"),
    "reset-manual-force": _by_hand(dave="reset"),
    "reset-dry-run": _by_hand("dry-run", alice="would-reset"),
    "sweep": _by_hand(**_stale("reset")),
    "sweep-dry-run": _by_hand("dry-run", **_stale("would-reset")),
    "sweep-held": _by_hand(**_stale("held")),
    "sqs-batch": Expected(
        {"alice": "reset", "bob": "reset", "breakglass": "skipped exempt"},
        recorded=["NOTIFIED"],
        failed_messages=["5cb7393d-7c4e-4b1d-9a57-5e2c8d20d01d"],
    ),
    "passed": _ignored("not-failed"),
    "archived": _ignored("archived"),
    "suppressed": _ignored("suppressed"),
    "already-notified": _ignored("already-handled"),
    "forged-product": _ignored("untrusted-product"),
    "unsupported-control": _ignored("unsupported-control"),
    "malformed-neighbour": Expected(
        {"alice": "reset"}, findings=["ignored malformed", "ignored malformed", "handled"], recorded=["NOTIFIED"]
    ),
    "insight-results": Expected(refused="an event `Security Hub Findings - Imported`"),
    "reset-typo": Expected(refused="only `action`, `user_name`, `account_id`, `force`, `dry_run`"),
}
# OCSF has numbers for them: In Progress and Resolved.
WORKFLOW = {2: "NOTIFIED", 4: "RESOLVED"}


@pytest.fixture
def account(world: Callable[..., World]) -> World:
    """The account of events/README.md."""
    return world(account_id=ACCOUNT_ID, users=users(), password_policy=WEAK_POLICY)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_event_is_answered_as_its_readme_says(account: World, name: str) -> None:
    expected = EXPECTED[name]
    invocation = account.function.invoke((EVENTS / f"{name}.json").read_bytes())
    if expected.refused:
        assert invocation.error["errorType"] == "UnsupportedEvent"
        assert expected.refused in invocation.error["errorMessage"]
    elif expected.failed_messages is not None:
        failures = [{"itemIdentifier": identifier} for identifier in expected.failed_messages]
        assert invocation.result == {"batchItemFailures": failures}
    else:
        _assert_answer(invocation.result, expected)

    resets = {user for user, status in expected.users.items() if status == "reset"}
    for user in AGES:
        if user in resets:
            account.assert_reset(user)
        else:
            account.assert_untouched(user)
    assert {secret["tags"]["iam-user"] for secret in account.secrets()} == resets
    assert [_workflow(update) for update in account.finding_updates()] == expected.recorded
    if not (expected.users.keys() & AGES.keys() or expected.changes):
        assert account.calls() == [], "there was nothing to ask AWS"


def _assert_answer(answer: dict[str, Any], expected: Expected) -> None:
    assert answer["mode"] == expected.mode
    assert [" ".join(filter(None, (f["status"], f.get("reason")))) for f in answer["findings"]] == expected.findings
    assert users_by_status(answer) == expected.users
    policies = [{"account_id": ACCOUNT_ID, "status": "strengthened", "changes": expected.changes}]
    assert answer["policies"] == (policies if expected.changes else [])
    for user in answer["users"]:
        assert user["account_id"] == ACCOUNT_ID
        if user["status"] in ("reset", "would-reset", "held"):
            assert user["password_age_days"] == AGES[user["user_name"]]
        if user["status"] == "reset":
            prefix = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT_ID}:secret:iam-console-password/{ACCOUNT_ID}/"
            assert user["secret_arn"].startswith(prefix + user["user_name"])
    statuses = [user["status"] for user in answer["users"]]
    assert answer["totals"] == {
        status: statuses.count(status) for status in ("reset", "skipped", "held", "queued", "failed")
    }


def test_every_sample_event_is_tested_and_described() -> None:
    assert {path.stem for path in EVENTS.glob("*.json")} == set(EXPECTED) == set(_rows())


@pytest.mark.parametrize("name", [name for name, row in EXPECTED.items() if row.users])
def test_the_readme_names_the_users_and_what_becomes_of_them(name: str) -> None:
    told, expected = _rows()[name], EXPECTED[name]
    if expected.changes or told.startswith("the same"):
        return
    named = set(re.findall("|".join(AGES), told))
    acted_on = {user for user, status in expected.users.items() if not status.startswith("skipped")}
    assert acted_on <= named <= expected.users.keys()
    for status in expected.users.values():
        assert status.split()[0] in told or status.startswith("skipped") and not named - acted_on, told


def test_an_account_without_a_policy_of_its_own_gets_one_that_the_control_asks_for(world: Callable[..., World]) -> None:
    it = world(users={"dave": 3}, password_policy=None)
    policy = it.answer("iam7-imported")["policies"][0]
    assert policy["status"] == "strengthened"
    after = it.aws.state()["password_policies"][it.account_id]
    assert after["minimum_password_length"] == 14
    assert after["allow_users_to_change_password"] is True
    assert not after["hard_expiry"]


def test_a_policy_is_never_weakened(world: Callable[..., World]) -> None:
    strict = {
        **WEAK_POLICY,
        "MinimumPasswordLength": 30,
        "MaxPasswordAge": 60,
        "RequireSymbols": True,
        "PasswordReusePrevention": 6,
        "AllowUsersToChangePassword": False,
    }
    it = world(users={"dave": 3}, password_policy=strict)
    before = it.aws.state()["password_policies"][it.account_id]
    policy = it.answer("iam7-imported")["policies"][0]
    assert policy["changes"] == [*FOUR_CLASSES[1:], "PasswordReusePrevention 6 -> 24"]
    after = it.aws.state()["password_policies"][it.account_id]
    kept = ("minimum_password_length", "max_password_age", "require_symbols", "allow_users_to_change_password")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert after["password_reuse_prevention"] == 24 and after["require_numbers"]
    assert [_workflow(update) for update in it.finding_updates()] == ["RESOLVED"]


@pytest.mark.parametrize(
    "event",
    [
        {},
        [],
        "reset",
        {"action": "reset"},
        {"action": "reset", "user_name": "alice", "password": "mine"},
        {"action": "delete", "user_name": "alice"},
        {"source": "aws.securityhub", "detail-type": "Security Hub Insight Results", "detail": {}},
        {"source": "my.app", "detail-type": "Security Hub Findings - Imported", "detail": {"findings": []}},
        {"Records": [{"eventSource": "aws:s3"}]},
        {"Records": []},
    ],
    ids=str,
)
def test_anything_else_is_refused_before_any_call(account: World, aws: Standin, event: Any) -> None:
    error = account.function.invoke(event).error
    assert error["errorType"] == "UnsupportedEvent"
    assert error["errorMessage"].startswith("expected "), "it says what was expected"
    assert aws.calls() == []


def _workflow(update: dict[str, Any]) -> str:
    changes = update["changes"]
    return WORKFLOW[changes["status_id"]] if "status_id" in changes else changes["Workflow"]["Status"]


def _rows() -> dict[str, str]:
    """The last cell of every event's row in the tables of events/README.md."""
    rows = re.findall(r"^\| `([\w.-]+)\.json` \|(.*)\|$", (EVENTS / "README.md").read_text(), re.MULTILINE)
    return {name: cells.split("|")[-1].strip() for name, cells in rows}
