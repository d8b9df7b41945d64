"""What a process shows of a reset: its log, its metrics, and whom its message reaches."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from standin.client import Standin
from standin.runtime import Invocation
from world import World


def lines(invocation: Invocation) -> list[dict[str, Any]]:
    """The log of an invocation: every line is JSON."""
    return [json.loads(line) for line in invocation.log.splitlines()]


def test_the_log_is_json_with_the_names_that_dashboards_know(world: Callable[..., World]) -> None:
    it = world()
    first, second = it.deliver("password-age-imported"), it.deliver("password-age-imported")
    for invocation, is_cold, told in ((first, True, ("reset", None)), (second, False, ("skipped", "already-reset"))):
        (decision,) = [line for line in lines(invocation) if line.get("message") == "decision"]
        assert (decision["decision"], decision.get("reason")) == told
        assert (decision["cold_start"], decision["level"]) == (is_cold, "INFO")
        assert decision["service"] == "iam-password-remediator"
        assert decision["function_request_id"] == invocation.request_id
        assert (decision["account_id"], decision["user_name"]) == (it.account_id, "alice")
        assert decision["finding_id"] == invocation.result["findings"][0]["id"]
        assert decision["secret_arn"] == it.secret()["arn"]


def test_the_metrics_are_lines_of_the_log_in_embedded_metric_format(world: Callable[..., World]) -> None:
    it = world(users={"alice": 120, "bob": 200, "dave": 3})
    (line,) = [line for line in lines(it.deliver({"action": "sweep"})) if "_aws" in line]
    assert (line["Resets"], line["Skips"], line["Failures"], line["OldestPasswordAgeDays"]) == (2, 0, 0, 200)
    (definition,) = line["_aws"]["CloudWatchMetrics"]
    assert definition["Dimensions"] == [["service"]] and line["service"] == "iam-password-remediator"
    assert all(isinstance(line[metric["Name"]], int) for metric in definition["Metrics"])


def test_a_message_reaches_whoever_subscribed_to_it_and_nobody_else(aws: Standin, world: Callable[..., World]) -> None:
    it = world(users={"alice": 120, "bob": 200, "carol": 300})

    def subscription(endpoint: str, **wanted: str) -> dict[str, Any]:
        policy = {name: [value] for name, value in wanted.items()}
        return {"protocol": "email", "endpoint": f"{endpoint}@example.com", "filter_policy": policy}

    subscriptions = [
        subscription("alice", account_id=it.account_id, user_name="alice"),
        subscription("bob", account_id=it.account_id, user_name="bob"),
        subscription("help-desk", audience="user"),
        subscription("operators", audience="operator"),
        subscription("another-alice", account_id="999999999999", user_name="alice"),
    ]
    aws.seed(account_id=it.account_id, topics=[{"name": "passwords", "subscriptions": subscriptions}])
    aws.faults({"match": {"operation": "PutSecretValue", "user": "carol"}, "effect": "access_denied"})
    it.failure({"action": "sweep"})
    reached = {
        (message["attributes"]["kind"], json.loads(message["bodies"]["default"])["user_name"]): sorted(
            delivery["endpoint"].partition("@")[0] for delivery in message["deliveries"]
        )
        for message in it.messages()
    }
    assert reached == {
        ("password-reset", "alice"): ["alice", "help-desk"],
        ("password-reset", "bob"): ["bob", "help-desk"],
        ("remediation-failed", "carol"): ["operators"],
    }


def test_a_finding_is_marked_by_the_call_of_its_own_security_hub(aws: Standin, world: Callable[..., World]) -> None:
    it = world(users={"alice": 120, "carol": 95})
    aws.settings(accept_unknown_findings=False)
    for name, api, user in (
        ("password-age-imported", "BatchUpdateFindings", "alice (120 days old) reset"),
        ("password-age-v2", "BatchUpdateFindingsV2", "carol (95 days old) reset"),
    ):
        event = it.event(name)
        aws.seed(account_id=it.account_id, findings=event["detail"]["findings"])
        it.answer(event)
        update = it.finding_updates()[-1]
        assert (update["api"], len(update["processed"]), update["unprocessed"]) == (api, 1, [])
        changes = update["changes"]
        assert user in (changes.get("comment") or changes["Note"]["Text"])

    unknown = it.event("password-age-imported")
    unknown["detail"]["findings"][0]["Id"] += "/gone"
    answer = it.answer(unknown)
    assert "Security Hub does not know the finding" in answer["findings"][0]["reason"]
