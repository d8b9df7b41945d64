"""Several processes, on events that mean the same user, at the same time."""

from __future__ import annotations

import copy
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from demo.account import STRONG_POLICY
from standin.client import Standin
from world import World, old_secret, only_user

COPIES = 5


@pytest.mark.parametrize("latency_ms", [0, 3, 25])
@pytest.mark.parametrize("is_first", [True, False], ids=["a first reset", "a later reset"])
def test_five_processes_with_one_event_make_one_password_and_one_message(
    aws: Standin, world: Callable[..., World], latency_ms: int, is_first: bool
) -> None:
    account_id = f"40000000{latency_ms:03}{int(is_first)}"
    secrets = [] if is_first else [old_secret(account_id)]
    it = world(account_id=account_id, secrets=secrets, processes=COPIES)
    aws.settings(latency_ms=latency_ms)
    event = it.event("password-age-imported")
    sent = [it.function.submit(event) for _ in range(COPIES)]
    invocations = [future.result(timeout=60) for future in sent]
    aws.settings(latency_ms=0)

    assert [invocation.error for invocation in invocations] == [None] * COPIES
    assert len(it.calls("GetUser")) >= COPIES, "they all went to work"
    it.assert_reset(before=len(secrets))
    statuses = Counter(only_user(invocation.result)["status"] for invocation in invocations)
    assert statuses["reset"] >= 1 and statuses["reset"] + statuses["skipped"] == COPIES, statuses
    it.assert_can_sign_in()
    assert aws.invariant() == {"now": [], "watched": []}


def test_one_finding_from_two_accounts_and_regions_makes_one_password_and_is_recorded_twice(
    aws: Standin, world: Callable[..., World]
) -> None:
    it = world(processes=2)
    one = it.event("password-age-imported")
    other = copy.deepcopy(one)
    other["id"], other["region"] = "another-event", "eu-central-1"
    finding = other["detail"]["findings"][0]
    finding["Id"] = finding["Id"].replace("1b4f0e98", "2c5f1fa9")
    finding["ProductArn"] = finding["ProductArn"].replace("us-east-1", "eu-central-1")
    sent = [it.function.submit(event) for event in (one, other)]
    assert [future.result(timeout=60).error for future in sent] == [None, None]
    it.assert_reset()
    recorded = {update["processed"][0]["Id"] for update in it.finding_updates()}
    assert recorded == {one["detail"]["findings"][0]["Id"], finding["Id"]}


def test_the_same_event_later_does_nothing_twice(aws: Standin, world: Callable[..., World]) -> None:
    it = world()
    it.answer("password-age-imported")
    # The credential report still shows the old date, and does so for four hours.
    for _ in range(3):
        user = only_user(it.answer("password-age-imported"))
        assert (user["status"], user["reason"]) == ("skipped", "already-reset")
        assert user["secret_arn"] == it.secret()["arn"]
    it.assert_can_sign_in()
    chosen = it.user()["password"]
    user = only_user(it.answer("password-age-imported"))
    assert (user["status"], user["reason"]) == ("skipped", "already-reset"), "the user has chosen one since"
    is_the_chosen_one = it.user()["password"] == chosen
    assert is_the_chosen_one and not it.user()["reset_required"]
    assert len(it.messages(kind="password-reset")) == 1
    assert len(it.calls("UpdateLoginProfile")) == 1


def test_a_finding_and_a_sweep_and_a_person_at_once_reset_each_user_once(
    aws: Standin, world: Callable[..., World]
) -> None:
    it = world(users={"alice": 120, "bob": 200}, processes=3)
    aws.settings(latency_ms=5)
    events = [it.event("password-age-imported"), {"action": "sweep"}, {"action": "reset", "user_name": "ALICE"}]
    sent = [it.function.submit(event) for event in events]
    assert [future.result(timeout=60).error for future in sent] == [None] * 3
    it.assert_reset("alice")
    it.assert_reset("bob")
    assert aws.invariant() == {"now": [], "watched": []}


def test_findings_about_one_policy_at_once_do_not_undo_each_other(aws: Standin, world: Callable[..., World]) -> None:
    names = ["iam17-imported", "cis-v1.2-1.9", "cis-v5.0-1.8", "iam10-pci-3.2.1"]
    weak = {"MinimumPasswordLength": 8, "AllowUsersToChangePassword": True}
    it = world(users={"dave": 3}, password_policy=weak, processes=len(names))
    aws.settings(latency_ms=15)
    sent = [it.function.submit(it.event(name)) for name in names]
    assert [future.result(timeout=60).error for future in sent] == [None] * len(names)
    policy = aws.state()["password_policies"][it.account_id]
    assert policy["minimum_password_length"] == 14
    assert policy["password_reuse_prevention"] == 24
    assert policy["max_password_age"] == 90
    assert policy["require_uppercase_characters"] and policy["allow_users_to_change_password"]
    assert not policy["hard_expiry"]
    statuses = [update["changes"]["Workflow"]["Status"] for update in it.finding_updates()]
    assert statuses == ["RESOLVED"] * len(names)


def test_a_password_that_was_used_before_is_not_a_reason_to_make_another_when_it_was_ours(
    aws: Standin, world: Callable[..., World]
) -> None:
    # The answer to UpdateLoginProfile is lost, and IAM then refuses the same password as used before.
    it = world(password_policy={**STRONG_POLICY, "PasswordReusePrevention": 24})
    aws.faults({"match": {"operation": "UpdateLoginProfile", "nth": 1}, "effect": "drop_after"})
    it.answer("password-age-imported")
    codes = [call["code"] for call in it.calls("UpdateLoginProfile")]
    assert codes == ["NoAnswer", "PasswordPolicyViolation"]
    it.assert_reset()


def custom_action(it: World, at: str) -> dict[str, Any]:
    """A person pressed the button at that time, for alice alone."""
    event = it.event("custom-action")
    finding = event["detail"]["findings"][0]
    finding["Resources"] = [resource for resource in finding["Resources"] if resource["Id"].endswith("/alice")]
    return {**event, "time": at}


# Wishes that are not copies of each other, though they mean the same user.
WISHES: dict[str, Callable[[World], Any]] = {
    "a finding": lambda it: it.event("password-age-imported"),
    "a custom action": lambda it: custom_action(it, "2026-11-20T08:15:42Z"),
    "another custom action": lambda it: custom_action(it, "2026-11-20T08:15:44Z"),
    "by hand": lambda it: {"action": "reset", "user_name": "alice"},
    "by hand, with force": lambda it: {"action": "reset", "user_name": "alice", "force": True},
    "a sweep": lambda it: {"action": "sweep"},
}


def assert_settled(it: World) -> None:
    """However many passwords were made: the current one works, alice was told, and nothing is half done."""
    it.assert_reset(announced=2 * len(WISHES), passwords=2 * len(WISHES), before=1)
    it.assert_can_sign_in()


@pytest.mark.parametrize(
    "first, second",
    [
        ("a custom action", "another custom action"),
        ("a finding", "a custom action"),
        ("a custom action", "by hand, with force"),
        ("a finding", "by hand, with force"),
    ],
)
def test_of_two_wishes_that_cross_the_password_that_is_set_last_is_the_current_one(
    aws: Standin, world: Callable[..., World], first: str, second: str
) -> None:
    # Which of the two is ahead is chance, so there are several pairs.
    accounts = [f"{400_000_100_001 + number}" for number in range(8)]
    worlds = [world(account_id=account, secrets=[old_secret(account)], processes=2) for account in accounts]
    # Both have looked before either stores; then one sets its password when the other has finished.
    aws.faults({"match": {"operation": "PutSecretValue"}, "effect": "hang_before"})
    sent = [it.function.submit(WISHES[wish](it)) for it in worlds for wish in (first, second)]
    _until(lambda: len(aws.calls("PutSecretValue")) == len(sent))
    one_at = {"operation": "UpdateLoginProfile", "nth": 1}
    aws.faults(*({"match": {**one_at, "account_id": account}, "effect": "hang_before"} for account in accounts))
    _until(lambda: sum(future.done() for future in sent) == len(worlds), at_most_seconds=6)
    aws.faults()
    assert [future.result(timeout=60).error for future in sent] == [None] * len(sent)
    for it in worlds:
        assert_settled(it)
    assert aws.invariant() == {"now": [], "watched": []}


def test_of_many_wishes_at_once_the_current_password_works_in_the_end(
    aws: Standin, world: Callable[..., World]
) -> None:
    chance = random.Random(7)
    worlds = []
    for number in range(16):
        account_id = f"{400_000_200_001 + number}"
        worlds.append(world(account_id=account_id, secrets=[old_secret(account_id)], processes=len(WISHES)))
    aws.settings(latency_ms=10)
    sent = []
    for it in worlds:
        for wish in chance.sample(sorted(WISHES), len(WISHES)):
            sent.append((it, wish, it.function.submit(WISHES[wish](it))))
            time.sleep(chance.choice([0, chance.random() / 50]))
    failed = [(it, wish) for it, wish, future in sent if future.result(timeout=60).error]
    for it, wish in failed:
        it.answer(WISHES[wish](it))
    aws.settings(latency_ms=0)
    assert aws.invariant() == {"now": [], "watched": []}
    for it in worlds:
        assert_settled(it)


def test_one_user_named_in_many_ways_in_one_event_is_reset_once(aws: Standin, world: Callable[..., World]) -> None:
    it = world()
    event = it.event("password-age-imported")
    (finding,) = event["detail"]["findings"]
    names = ["alice", "ALICE", it.user()["user_id"], f"arn:aws:iam::{it.account_id}:user/alice"]
    findings = [
        {**finding, "Id": f"{finding['Id']}/{number}", "Resources": [{"Type": "AwsIamUser", "Id": name}]}
        for number, name in enumerate(names)
    ]
    event["detail"]["findings"] = findings
    it.answer(event)
    it.assert_reset()
    assert len(it.finding_updates()) == len(names)


def test_copies_within_one_batch_of_a_queue_reset_the_user_once(aws: Standin, world: Callable[..., World]) -> None:
    it = world()
    body = json.dumps(it.event("password-age-imported"))
    records = [{"messageId": str(n), "eventSource": "aws:sqs", "body": body} for n in range(COPIES)]
    assert it.answer({"Records": records}) == {"batchItemFailures": []}
    it.assert_reset()


def _until(holds: Callable[[], bool], at_most_seconds: float = 30) -> None:
    deadline = time.monotonic() + at_most_seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
