"""Member accounts, each dealt with by a session of its own role, from the account that the function is in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from campaign import assert_nobody_was_locked_out
from demo.account import WEAK_POLICY
from standin.client import Standin
from world import World, only_user

ROLE = "password-remediation-member"
HOME, ONE, OTHER = "500000000000", "511111111111", "522222222222"
SESSION = f"arn:aws:sts::{{}}:assumed-role/{ROLE}/iam-password-remediator"


class Organisation:
    """The function's account and two members, each with an alice whose password is too old."""

    def __init__(self, make: Callable[..., World], variables: dict[str, str] | None = None):
        variables = {"MEMBER_ROLE_NAME": ROLE} if variables is None else variables
        self.home = make(account_id=HOME, variables=variables, password_policy=WEAK_POLICY)
        self.members = [
            make(
                account_id=account,
                topics=[],
                tables=[],
                roles=[{"name": ROLE}],
                password_policy=WEAK_POLICY,
                generate_report=False,
            )
            for account in (ONE, OTHER)
        ]

    def event(self, name: str, *accounts: World) -> Any:
        """One finding of each account, as the administrator's Security Hub sends them."""
        event = {**self.home.event(name), "account": HOME}
        event["detail"]["findings"] = [
            {**finding, "Id": f"{finding['Id']}/{account.account_id}"}
            for account in accounts
            for finding in account.event(name)["detail"]["findings"]
        ]
        return event


@pytest.fixture
def organisation(world: Callable[..., World]) -> Organisation:
    return Organisation(world)


def test_findings_of_several_accounts_are_each_dealt_with_at_home(organisation: Organisation, aws: Standin) -> None:
    home, (one, other) = organisation.home, organisation.members
    event = organisation.event("password-age-imported", other, one, home)
    # Some findings name a user by id alone.
    event["detail"]["findings"][0]["Resources"] = [{"Type": "AwsIamUser", "Id": other.user()["user_id"]}]
    answer = home.answer(event)
    assert [(user["account_id"], user["status"]) for user in answer["users"]] == [
        (account, "reset") for account in (HOME, ONE, OTHER)
    ]
    for it, user in zip((home, one, other), answer["users"], strict=True):
        it.assert_reset()
        assert user["secret_arn"] == it.secret()["arn"]
        (message,) = it.messages()
        assert message["topic_arn"] == home.seeded["topics"]["passwords"], "the central topic"
        assert f"https://{it.account_id}.signin.aws.amazon.com/console" in message["bodies"]["email"]
        it.assert_can_sign_in()
    assert_nobody_was_locked_out(aws)

    assert {secret["account_id"] for secret in aws.secrets()} == {HOME, ONE, OTHER}
    assert {update["account_id"] for update in aws.finding_updates()} == {HOME}
    for it in (one, other):
        assert {call["service"] for call in it.calls()} == {"iam", "secretsmanager"}
        assert {call["principal"] for call in it.calls()} == {SESSION.format(it.account_id)}
        assert aws.ledger(it.account_id) == [], "the ledger stands at home"


def test_iam7_of_a_member_is_remediated_there_and_nowhere_else(organisation: Organisation, aws: Standin) -> None:
    home, (one, other) = organisation.home, organisation.members
    answer = home.answer(organisation.event("iam7-imported", one))
    assert [(policy["account_id"], policy["status"]) for policy in answer["policies"]] == [(ONE, "strengthened")]
    assert only_user(answer)["account_id"] == ONE
    one.assert_reset()
    for untouched in (home, other):
        untouched.assert_untouched()
    lengths = {
        account: policy["minimum_password_length"] for account, policy in aws.state()["password_policies"].items()
    }
    assert lengths == {HOME: 8, ONE: 14, OTHER: 8}
    (update,) = aws.finding_updates()
    assert (update["account_id"], update["changes"]["Workflow"]["Status"]) == (HOME, "RESOLVED")
    assert {call["service"] for call in home.calls()} == {"dynamodb", "securityhub", "sns", "sts"}
    assert other.calls() == []


def test_an_account_out_of_reach_does_not_stop_the_others(organisation: Organisation, aws: Standin) -> None:
    home, (one, other) = organisation.home, organisation.members
    aws.boto3("iam", account=OTHER).delete_role(RoleName=ROLE)
    answer = home.answer(organisation.event("password-age-imported", one, other))
    assert [finding.get("reason") for finding in answer["findings"]] == [None, "account-out-of-reach"]
    assert [(user["account_id"], user["status"]) for user in answer["users"]] == [(ONE, "reset")]
    one.assert_reset()
    other.assert_untouched()
    assert other.calls() == []
    (message,) = aws.messages(account_id=OTHER)
    assert message["attributes"] == {"audience": "operator", "kind": "remediation-failed", "account_id": OTHER}
    assert f"arn:aws:iam::{OTHER}:role/{ROLE} could not be assumed" in message["bodies"]["email"]


def test_the_note_on_a_finding_out_of_reach_causes_one_more_event_and_no_second_note(
    organisation: Organisation, aws: Standin
) -> None:
    home, (_, other) = organisation.home, organisation.members
    aws.boto3("iam", account=OTHER).delete_role(RoleName=ROLE)
    event = organisation.event("password-age-imported", other)
    aws.seed(account_id=HOME, findings=event["detail"]["findings"])
    hub = aws.boto3("securityhub", account=HOME)
    for _ in range(3):
        answer = home.answer(event)
        assert answer["findings"][0]["reason"] == "account-out-of-reach"
        # As Security Hub has it by now, and sends it out again.
        event["detail"]["findings"] = hub.get_findings()["Findings"]
        (finding,) = event["detail"]["findings"]
        assert finding["Workflow"]["Status"] == "NEW" and OTHER in finding["Note"]["Text"]
    assert [set(update["changes"]) for update in home.finding_updates()] == [{"Note"}]
    assert len(aws.messages(account_id=OTHER)) == 1


def test_without_a_role_a_members_finding_is_passed_over_and_a_person_hears_why(
    world: Callable[..., World], aws: Standin
) -> None:
    organisation = Organisation(world, {})
    member = organisation.members[0]
    for name in ("password-age-imported", "iam7-imported"):
        answer = organisation.home.answer(organisation.event(name, member))
        assert answer["findings"][0]["reason"] == "account-out-of-reach"
        assert answer["users"] == answer["policies"] == []
    assert {call["account_id"] for call in aws.calls()} == {HOME}, "nothing was tried in any account"
    answer = organisation.home.failure({"action": "sweep", "account_id": ONE})
    assert "MEMBER_ROLE_NAME is not set" in only_user(answer)["reason"]


def test_an_account_that_is_not_enabled_is_left_alone(world: Callable[..., World], aws: Standin) -> None:
    organisation = Organisation(world, {"MEMBER_ROLE_NAME": ROLE, "ACCOUNTS": f"*,!{OTHER}"})
    one, other = organisation.members
    answer = organisation.home.answer(organisation.event("password-age-imported", one, other))
    assert [finding.get("reason") for finding in answer["findings"]] == [None, "account-not-enabled"]
    one.assert_reset()
    other.assert_untouched()
    error = organisation.home.deliver({"action": "reset", "user_name": "alice", "account_id": OTHER}).error
    assert error["errorType"] == "UnsupportedEvent"
    assert error["errorMessage"] == f"expected an account that ACCOUNTS names, found account {OTHER}"
    assert other.calls() == []
    assumed = [call["params"]["RoleArn"] for call in aws.calls("AssumeRole")]
    assert assumed == [f"arn:aws:iam::{ONE}:role/{ROLE}"]


def test_one_session_serves_many_users_and_deliveries(organisation: Organisation, aws: Standin) -> None:
    crowd = [{"name": f"user-{number}", "age_days": 120} for number in range(12)]
    aws.seed(account_id=ONE, users=crowd)
    sweep = {"action": "sweep", "account_id": ONE}
    assert organisation.home.answer(sweep)["totals"]["reset"] == 13
    assert organisation.home.answer(sweep)["totals"]["reset"] == 0
    assert len(organisation.home.calls("AssumeRole")) == 1
