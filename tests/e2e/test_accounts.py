"""Findings of member accounts, remediated from the account that the function is in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from demo.account import WEAK_POLICY
from standin.client import Standin
from world import World, only_user

ROLE = "password-remediation-member"
HOME, ONE, OTHER = "500000000000", "511111111111", "522222222222"
CENTRAL = {"sts", "sns", "securityhub"}


class Organisation:
    """The function's account and two members, each with an alice whose password is too old."""

    def __init__(self, make: Callable[..., World], variables: dict[str, str], roles: list[dict[str, Any]]):
        weak = {"password_policy": WEAK_POLICY}
        self.home = make(account_id=HOME, variables=variables, **weak)
        self.members = [make(account_id=account, topics=[], roles=roles, **weak) for account in (ONE, OTHER)]

    def event(self, member: World, name: str) -> Any:
        """A member's finding, as the administrator's Security Hub sends it."""
        return {**member.event(name), "account": HOME}

    def deliver(self, member: World, name: str) -> dict[str, Any]:
        return self.home.answer(self.event(member, name))


@pytest.fixture
def organisation(world: Callable[..., World]) -> Organisation:
    return Organisation(world, {"MEMBER_ROLE_NAME": ROLE}, [{"name": ROLE}])


def _policies(aws: Standin) -> dict[str, int]:
    return {account: policy["minimum_password_length"] for account, policy in aws.state()["password_policies"].items()}


def test_a_member_user_is_reset_in_the_members_own_account(organisation: Organisation, aws: Standin) -> None:
    home, (one, other) = organisation.home, organisation.members
    user = only_user(organisation.deliver(one, "password-age-imported"))
    assert user["account_id"] == ONE
    assert user["secret_arn"].startswith(f"arn:aws:secretsmanager:us-east-1:{ONE}:secret:iam-console-password/{ONE}/")
    one.assert_reset()
    one.assert_can_sign_in()
    for untouched in (home, other):
        untouched.assert_untouched()
        assert untouched.secrets() == []

    (message,) = aws.messages()
    assert message["topic_arn"] == home.seeded["topics"]["passwords"], "the central topic"
    assert message["attributes"]["account_id"] == ONE
    assert f"https://{ONE}.signin.aws.amazon.com/console" in message["bodies"]["email"]
    (update,) = aws.finding_updates()
    assert update["account_id"] == HOME

    assert {call["service"] for call in home.calls()} == CENTRAL
    assert {call["service"] for call in one.calls()} == {"iam", "secretsmanager"}
    assert other.calls() == []
    session = f"arn:aws:sts::{ONE}:assumed-role/{ROLE}/iam-password-remediator"
    assert {call["principal"] for call in one.calls()} == {session}


def test_iam7_of_each_member_is_remediated_there_and_nowhere_else(organisation: Organisation, aws: Standin) -> None:
    home, members = organisation.home, organisation.members
    for done, member in enumerate(members, 1):
        answer = organisation.deliver(member, "iam7-imported")
        assert [policy["account_id"] for policy in answer["policies"]] == [member.account_id]
        assert answer["policies"][0]["status"] == "strengthened"
        assert only_user(answer)["account_id"] == member.account_id
        member.assert_reset()
        strengthened = {member.account_id: 14 for member in members[:done]}
        assert _policies(aws) == {HOME: 8, ONE: 8, OTHER: 8} | strengthened
    home.assert_untouched()
    assert {message["topic_arn"] for message in aws.messages()} == {home.seeded["topics"]["passwords"]}
    kinds = [(message["attributes"]["account_id"], message["attributes"]["kind"]) for message in aws.messages()]
    kinds_of_each = ["policy-strengthened", "password-reset"]
    assert kinds == [(account, kind) for account in (ONE, OTHER) for kind in kinds_of_each]
    statuses = [(update["account_id"], update["changes"]["Workflow"]["Status"]) for update in aws.finding_updates()]
    assert statuses == [(HOME, "RESOLVED")] * 2
    assert {call["service"] for call in home.calls()} == CENTRAL


def test_findings_of_several_accounts_in_one_event_are_each_dealt_with_at_home(
    organisation: Organisation, aws: Standin
) -> None:
    home, (one, other) = organisation.home, organisation.members
    event = organisation.event(one, "password-age-imported")
    for member in (other, home):
        event["detail"]["findings"] += member.event("password-age-imported")["detail"]["findings"]
    for number, finding in enumerate(event["detail"]["findings"]):
        finding["Id"] += f"/{number}"
    answer = home.answer(event)
    statuses = {user["account_id"]: user["status"] for user in answer["users"]}
    assert statuses == dict.fromkeys((HOME, ONE, OTHER), "reset")
    for account in (home, one, other):
        account.assert_reset()
    assert {secret["account_id"] for secret in aws.secrets()} == {HOME, ONE, OTHER}
    assert aws.invariant() == {"now": [], "watched": []}


def test_one_account_out_of_reach_does_not_stop_the_others(organisation: Organisation, aws: Standin) -> None:
    home, (one, other) = organisation.home, organisation.members
    aws.boto3("iam", account=OTHER).delete_role(RoleName=ROLE)
    event = organisation.event(one, "password-age-imported")
    event["detail"]["findings"] += other.event("password-age-imported")["detail"]["findings"]
    event["detail"]["findings"][1]["Id"] += "/other"
    users = {user["account_id"]: user for user in home.failure(event)["users"]}
    assert users[ONE]["status"] == "reset"
    assert users[OTHER]["status"] == "failed"
    role = f"arn:aws:iam::{OTHER}:role/{ROLE}"
    assert f"{role} could not be assumed: sts:AssumeRole failed: AccessDenied" in users[OTHER]["reason"]
    one.assert_reset()
    other.assert_untouched()


@pytest.mark.parametrize("name", ["password-age-imported", "iam7-imported"])
def test_without_a_role_a_members_finding_fails_by_the_name_of_the_variable(
    world: Callable[..., World], aws: Standin, name: str
) -> None:
    organisation = Organisation(world, {}, [{"name": ROLE}])
    answer = organisation.home.failure(organisation.event(organisation.members[0], name))
    failed = [*answer["users"], *answer["policies"]]
    assert failed and all(part["status"] == "failed" for part in failed)
    assert all("MEMBER_ROLE_NAME is not set" in part["reason"] for part in failed)
    assert aws.calls() == [], "nothing was tried in any account"


def test_by_hand_another_account_can_be_named(organisation: Organisation) -> None:
    one = organisation.members[0]
    answer = organisation.home.answer({"action": "reset", "user_name": "alice", "account_id": ONE})
    assert only_user(answer)["account_id"] == ONE
    one.assert_reset()
    organisation.home.assert_untouched()


def test_one_role_session_serves_many_users(organisation: Organisation, aws: Standin) -> None:
    crowd = [{"name": f"user-{number}", "age_days": 120} for number in range(12)]
    aws.seed(account_id=ONE, users=crowd, generate_report=True)
    organisation.home.answer({"action": "sweep", "account_id": ONE})
    organisation.home.answer({"action": "sweep", "account_id": ONE})
    assert len(organisation.home.calls("AssumeRole")) == 1
