"""Audits: what they find, what comes of it, and that they change no password themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from campaign import assert_nobody_was_locked_out
from demo.account import own_events, sample
from leaks import passwords_in
from standin.client import Standin
from test_leaks import TRACE, seen_by_others
from world import World, users_by_status

READS = ("Get", "BatchGet", "List", "Query", "Describe", "Simulate", "Generate")
AUDIT = {"action": "audit"}
QUEUE = "audit-jobs"


def only_account(answer: dict[str, Any]) -> dict[str, Any]:
    """The one account that an audit answers for."""
    (account,) = answer["accounts"]
    assert (account["status"], account["totals"]["failed"]) == ("audited", 0), account
    return account


def only_user(answer: dict[str, Any]) -> dict[str, Any]:
    """The one user of that account."""
    (user,) = only_account(answer)["users"]
    return user


def finding_of(it: World) -> dict[str, Any]:
    """The account's one finding."""
    (finding,) = it.aws.findings(it.account_id)
    return finding


def in_short(finding: dict[str, Any]) -> tuple[str, str, str]:
    """What the event rule reads of it."""
    return finding["Compliance"]["Status"], finding["RecordState"], finding["Workflow"]["Status"]


def test_a_finding_of_the_audit_leads_to_a_reset_and_the_audit_sees_it_through(
    aws: Standin, world: Callable[..., World]
) -> None:
    it = world()
    found = only_user(it.answer(AUDIT))
    assert (found["state"], found["finding"]["status"], found["finding"]["workflow"]) == ("stale", "FAILED", "NEW")
    it.assert_untouched()
    (event,) = own_events(aws, it.account_id)
    known = sample("password-age-own.json", it.account_id)["detail"]["findings"][0]
    raised = event["detail"]["findings"][0]
    for field in ("ProductArn", "ProductName", "CompanyName", "GeneratorId", "AwsAccountId", "Types", "Compliance"):
        assert raised[field] == known[field]
    assert raised["Resources"][0]["Id"] == it.user()["arn"]

    assert users_by_status(it.answer(event)) == {"alice": "reset"}
    it.assert_reset()
    assert in_short(finding_of(it)) == ("FAILED", "ACTIVE", "NOTIFIED")

    aws.let_pass(1)
    waits = only_user(it.answer(AUDIT))
    assert (waits["state"], waits["secret"]["claimed"]) == ("fresh", False)
    assert in_short(finding_of(it)) == ("FAILED", "ACTIVE", "NOTIFIED")
    assert not it.secret()["deleted"]

    it.assert_can_sign_in()
    aws.let_pass(1)
    it.answer(AUDIT)
    assert in_short(finding_of(it)) == ("PASSED", "ACTIVE", "RESOLVED")
    assert it.secret()["deleted"]
    assert len(own_events(aws, it.account_id)) == 1, "one finding, one reset"
    (scheduled,) = it.calls("DeleteSecret")
    assert scheduled["params"]["RecoveryWindowInDays"] == 30

    aws.let_pass(1)
    assert "secret" not in only_user(it.answer(AUDIT))
    assert len(it.calls("DeleteSecret")) == 1
    assert_nobody_was_locked_out(aws)


def test_a_grace_period_that_is_over_makes_the_finding_new_again(aws: Standin, world: Callable[..., World]) -> None:
    it = world(variables={"GRACE_DAYS": "7"})
    it.answer(AUDIT)
    (event,) = own_events(aws, it.account_id)
    assert users_by_status(it.answer(event)) == {"alice": "change-required"}
    aws.let_pass(6)
    assert only_user(it.answer(AUDIT))["state"] == "in-grace"
    assert len(own_events(aws, it.account_id)) == 1, "there is time left"
    aws.let_pass(1)
    assert only_user(it.answer(AUDIT))["state"] == "stale"
    _, event = own_events(aws, it.account_id)
    assert users_by_status(it.answer(event)) == {"alice": "reset"}
    it.assert_can_sign_in()
    assert_nobody_was_locked_out(aws)


def test_users_are_warned_and_reminded_once(aws: Standin, world: Callable[..., World]) -> None:
    it = world(users={"alice": 75, "bob": 120})
    for event in [AUDIT, *own_events(aws, it.account_id)]:
        it.answer(event)
    for event in own_events(aws, it.account_id):
        it.answer(event)
    warned, reminded = [], []
    for _ in range(15):
        aws.let_pass(1)
        it.answer(AUDIT)
        warned.append(len(it.messages(kind="password-expiring", user_name="alice")))
        reminded.append(len(it.messages(kind="password-unclaimed", user_name="bob")))
    # 14 days before, and three.
    assert warned == [1] * 11 + [2] * 4
    assert reminded == [0] * 6 + [1] * 9


@pytest.mark.parametrize("is_dry_run", [True, False])
def test_a_dry_run_writes_nothing_and_answers_the_same(world: Callable[..., World], is_dry_run: bool) -> None:
    it = world(users={"alice": 120, "bob": 80, "carol": 1}, earlier=("carol",))
    account = only_account(it.answer({**AUDIT, "dry_run": is_dry_run}))
    states = {user["user_name"]: user["state"] for user in account["users"]}
    assert states == {"alice": "stale", "bob": "expiring", "carol": "fresh"}
    writes = {operation for operation in it.operations() if not operation.startswith(READS)}
    assert writes == (set() if is_dry_run else {"BatchImportFindings", "Publish", "UpdateItem"})


def test_an_account_without_security_hub_is_audited_all_the_same(world: Callable[..., World]) -> None:
    it = world(users={"alice": 80}, security_hub=False)
    account = only_account(it.answer(AUDIT))
    assert account["security_hub"] == "off"
    assert account["totals"]["warned"] == 1
    assert not it.calls("BatchImportFindings")


def test_an_audit_of_all_accounts_leaves_one_order_an_account(aws: Standin, world: Callable[..., World]) -> None:
    home, one, other = "710000000001", "710000000002", "710000000003"
    variables = {
        "WORK_QUEUE_URL": f"{aws.url}/{home}/{QUEUE}",
        "MEMBER_ROLE_NAME": "member-audit",
        "ACCOUNTS": f"*,!{other}",
    }
    members = dict.fromkeys((one, other), "ENABLED")
    it = world(account_id=home, variables=variables, members=members, queues=[{"name": QUEUE}])
    member = world(account_id=one, topics=[], tables=[], roles=[{"name": "member-audit"}], generate_report=False)
    answer = it.answer({**AUDIT, "account_id": "*"})
    assert [(account["account_id"], account["status"]) for account in answer["accounts"]] == [
        (home, "queued"),
        (one, "queued"),
    ]
    (queue,) = aws.queues(home)
    orders = [json.loads(message["body"]) for message in queue["messages"]]
    assert orders == [{**AUDIT, "account_id": home}, {**AUDIT, "account_id": one}]

    assert only_account(it.answer(orders[1]))["account_id"] == one
    assert finding_of(member)["ProductArn"].endswith(f":{one}:product/{one}/default")
    assert aws.findings(home) == []
    assert all("assumed-role/member-audit/" in call["principal"] for call in member.calls())


def test_no_password_is_seen_in_an_audit(aws: Standin, world: Callable[..., World]) -> None:
    it = world(users={"alice": 120, "bob": 80, "carol": 1}, earlier=("alice", "carol"), variables=TRACE)
    invocations = [it.deliver(AUDIT), it.deliver({**AUDIT, "dry_run": True})]
    assert all(invocation.error is None for invocation in invocations)
    seen = seen_by_others(aws, [it], invocations) + it.audit_function.log() + json.dumps(aws.findings())
    assert '"message":"audit"' in seen, "the search had something to search in"
    assert passwords_in(seen, aws.passwords()) == []


def test_a_severity_that_a_person_set_is_left_alone(aws: Standin, world: Callable[..., World]) -> None:
    it = world(users={"alice": 78})
    it.answer(AUDIT)
    finding = finding_of(it)
    identifier = {"Id": finding["Id"], "ProductArn": finding["ProductArn"]}
    hub = aws.boto3("securityhub", account=it.account_id)
    hub.batch_update_findings(FindingIdentifiers=[identifier], Severity={"Label": "CRITICAL"})
    imports = []
    for _ in range(3):
        aws.let_pass(1)
        it.answer(AUDIT)
        imports.append(len(it.calls("BatchImportFindings")))
    assert imports == [1, 1, 1]
    assert finding_of(it)["Severity"]["Label"] == "CRITICAL"


def test_users_with_an_address_are_subscribed_to_their_own_messages(aws: Standin, world: Callable[..., World]) -> None:
    users = [{"name": name, "age_days": 10, "tags": {"email": f"{name}@example.com"}} for name in ("alice", "bob")]
    it = world(users=users, variables={"EMAIL_TAG": "email"})
    iam, sns = (aws.boto3(service, account=it.account_id) for service in ("iam", "sns"))

    def addresses() -> dict[str, Any]:
        found = {}
        for subscription in sns.list_subscriptions()["Subscriptions"]:
            arn = subscription["SubscriptionArn"]
            attributes = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
            found[subscription["Endpoint"]] = json.loads(attributes["FilterPolicy"])
        return found

    assert only_account(it.answer(AUDIT))["totals"]["enrolled"] == 2
    assert addresses() == {
        f"{name}@example.com": {"account_id": [it.account_id], "user_name": [name]} for name in ("alice", "bob")
    }
    iam.tag_user(UserName="alice", Tags=[{"Key": "email", "Value": "alice@example.org"}])
    iam.untag_user(UserName="bob", TagKeys=["email"])
    assert only_account(it.answer(AUDIT))["totals"]["enrolled"] == 1
    assert list(addresses()) == ["alice@example.org"]
