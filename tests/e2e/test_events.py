"""Every sample event, byte for byte, through the Runtime API, comes to what events/expected.json says."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from demo.account import ACCOUNT_ID, AGES, EVENTS, WEAK_POLICY, assumed, password_policy, users
from world import World, users_by_status

EXPECTED = json.loads((EVENTS / "expected.json").read_text())
# OCSF has numbers for them: In Progress and Resolved.
WORKFLOW = {2: "NOTIFIED", 4: "RESOLVED"}
TOTALS = ("reset", "change_required", "skipped", "held", "queued", "failed")


@pytest.fixture
def account(world: Callable[..., World], name: str) -> World:
    """The account of events/README.md."""
    variables = assumed(EVENTS / name)
    return world(account_id=ACCOUNT_ID, users=users(), password_policy=WEAK_POLICY, variables=variables)


@pytest.mark.parametrize("name", sorted(path.name for path in EVENTS.glob("*.json") if path.name != "expected.json"))
def test_a_sample_event_comes_to_what_is_expected(account: World, name: str) -> None:
    before = password_policy(account.aws)
    sent = (EVENTS / name).read_bytes()
    invocation = account.host(json.loads(sent)).invoke(sent)
    if "refused" in EXPECTED[name]:
        assert invocation.error["errorType"] == "UnsupportedEvent"
        assert EXPECTED[name]["refused"] in invocation.error["errorMessage"]
        assert account.calls() == [], "there was nothing to ask AWS"
        expected: dict[str, Any] = {"users": {}, "changes": [], "recorded": []}
    else:
        assert invocation.error is None, invocation.error
        expected = EXPECTED[name]["answer"]
        _assert_answer(invocation.result, expected)

    resets = {user for user, status in expected["users"].items() if status == "reset"}
    now = account.look()
    for user in AGES:
        if user in resets:
            now.assert_reset(user)
        else:
            account.assert_untouched(user)
    assert {secret["tags"]["iam-user"] for secret in account.secrets()} == resets
    after = password_policy(account.aws)
    changed = {
        setting: f"{before[setting]} -> {after[setting]}" for setting in after if before[setting] != after[setting]
    }
    assert changed == dict(change.split(" ", 1) for change in expected["changes"])
    assert [_workflow(update) for update in account.finding_updates()] == expected["recorded"]


def _assert_answer(answer: dict[str, Any], expected: dict[str, Any]) -> None:
    if "failed_messages" in expected:
        failures = [{"itemIdentifier": identifier} for identifier in expected["failed_messages"]]
        assert answer == {"batchItemFailures": failures}
        return
    assert answer["mode"] == expected["mode"]
    found = [" ".join(filter(None, (f["status"], f.get("reason")))) for f in answer["findings"]]
    assert found == expected["findings"]
    if "states" in expected:
        assert _states(answer) == expected["states"]
        return
    assert users_by_status(answer) == expected["users"]
    assert list(users_by_status(answer)) == sorted(expected["users"]), "in the order of their names"
    policies = [{"account_id": ACCOUNT_ID, "status": "strengthened", "changes": expected["changes"]}]
    told = [{key: policy[key] for key in ("account_id", "status", "changes")} for policy in answer["policies"]]
    assert told == (policies if expected["changes"] else [])
    for user in answer["users"]:
        assert user["account_id"] == ACCOUNT_ID
        if user["status"] in ("reset", "would-reset", "held"):
            assert user["password_age_days"] == AGES[user["user_name"]]
    statuses = [user["status"].replace("-", "_") for user in answer["users"]]
    assert answer["totals"] == {status: statuses.count(status) for status in TOTALS}


def _states(answer: dict[str, Any]) -> dict[str, str]:
    (account,) = answer["accounts"]
    assert (account["account_id"], account["status"]) == (ACCOUNT_ID, "audited")
    users = account["users"]
    assert [user["user_name"] for user in users] == sorted(user["user_name"] for user in users)
    for user in users:
        assert user["password_age_days"] == AGES[user["user_name"]]
    return {user["user_name"]: user["state"] for user in users}


def _workflow(update: dict[str, Any]) -> str:
    changes = update["changes"]
    return WORKFLOW[changes["status_id"]] if "status_id" in changes else changes["Workflow"]["Status"]
