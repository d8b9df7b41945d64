"""What others put in the way: secrets planted under a user's name, findings written in the function's name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from demo.account import TABLE, WEAK_POLICY, password_policy
from standin.client import Standin
from world import World, old_secret, only_user, users_by_status

CHANGES = {"PutSecretValue", "UpdateSecretVersionStage", "TagResource", "RestoreSecret", "UpdateLoginProfile"}
PLANTED: dict[str, dict[str, Any]] = {
    "with the function's own tags": {},
    "without tags": {"tags": {"team": "red"}, "versions": [{"value": "a note, and no JSON"}]},
    "with a version that looks pending": {
        "versions": [
            {"value": {"username": "alice", "password": "Known-to-mallory-1"}, "labels": ["AWSCURRENT", "AWSPENDING"]}
        ]
    },
    "without a version": {"versions": []},
    "and deleted": {"deleted": True},
}


def as_it_was_planted(it: World, planted: dict[str, Any]) -> None:
    """Nothing was put into it, and its name is of no use to whoever planted it."""
    (secret,) = it.secrets()
    assert len(secret["versions"]) == len(planted["versions"])
    assert secret["tags"] == planted["tags"] and secret["deleted"] == planted.get("deleted", False)
    user = it.user()
    assert user["history_length"] == 1, "alice's password was reset"


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_secret_receives_no_password_and_operators_are_told(
    aws: Standin, world: Callable[..., World], planted: str
) -> None:
    account_id = "420000000001"
    spec = old_secret(account_id, **PLANTED[planted])
    it = world(account_id=account_id, secrets=[spec])
    arn = it.seeded["secrets"][spec["name"]]
    user = only_user(it.failure("password-age-imported"))
    assert f"the secret {arn} is in the way: this function did not make it" in user["reason"]
    assert "secret_arn" not in user, "it is not the user's"
    as_it_was_planted(it, spec)
    assert not CHANGES & set(it.operations())
    assert not it.user()["reset_required"]
    (message,) = it.messages()
    assert (message["attributes"]["audience"], message["attributes"]["kind"]) == ("operator", "remediation-failed")
    assert arn in json.loads(message["bodies"]["default"])["reason"]

    # Its owner is found, and deletes it.
    aws.boto3("secretsmanager", account=account_id).delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    it.answer("password-age-imported")
    it.assert_reset()
    assert it.secret()["arn"] != arn
    it.assert_can_sign_in()


def test_a_secret_planted_between_look_and_creation_receives_no_password(
    aws: Standin, world: Callable[..., World]
) -> None:
    account_id = "420000000002"
    spec = old_secret(account_id)
    it = world(account_id=account_id, secrets=[spec])
    not_yet = {"status": 400, "code": "ResourceNotFoundException", "message": "there is no such secret"}
    aws.faults({"match": {"operation": "DescribeSecret", "nth": 1}, "effect": {"error": not_yet}})
    user = only_user(it.failure("password-age-imported"))
    assert [call["code"] for call in it.calls("CreateSecret")] == ["ResourceExistsException"]
    assert "is in the way: this function did not make it" in user["reason"]
    as_it_was_planted(it, spec)


def test_a_secret_that_a_lost_ledger_knew_is_used_again_once_a_person_adopts_it(
    aws: Standin, world: Callable[..., World]
) -> None:
    it = world(users={"alice": 120, "bob": 200})
    it.answer({"action": "sweep"})
    it.assert_can_sign_in("alice")
    arn = it.secret("alice")["arn"]
    ledger = aws.boto3("dynamodb", account=it.account_id)
    for item in aws.ledger(it.account_id):
        ledger.delete_item(TableName=TABLE, Key={"id": {"S": item["id"]}})

    again = {"action": "reset", "user_name": "alice", "force": True}
    assert arn in only_user(it.failure(again))["reason"]
    for event, status in (
        ({"action": "adopt", "dry_run": True}, "would-adopt"),
        ({"action": "adopt"}, "adopted"),
        ({"action": "adopt"}, "known"),
    ):
        answer = it.answer(event)
        assert {secret["status"] for secret in answer["secrets"]} == {status}
        assert {secret["secret_arn"] for secret in answer["secrets"]} == {secret["arn"] for secret in it.secrets()}
    assert users_by_status(it.answer(again)) == {"alice": "reset"}
    it.assert_reset("alice", announced=2, passwords=2)
    assert it.secret("alice")["arn"] == arn


def forged(it: World, about: str) -> dict[str, Any]:
    """A finding under the function's own name, which everyone with BatchImportFindings can write."""
    event = it.event("password-age-own")
    (finding,) = event["detail"]["findings"]
    control, resource = {
        "the account": ("IAM.7", {"Type": "AwsAccount", "Id": f"AWS::::Account:{it.account_id}"}),
        "a user, by a control": ("IAM.7", {"Type": "AwsIamUser", "Id": f"arn:aws:iam::{it.account_id}:user/dave"}),
        "a user": (None, {"Type": "AwsIamUser", "Id": f"arn:aws:iam::{it.account_id}:user/dave"}),
    }[about]
    parameters = {"MinimumPasswordLength": "128", "MaxPasswordAge": "1", "PasswordReusePrevention": "24"}
    finding["Resources"] = [{"Partition": "aws", "Region": "us-east-1", **resource}]
    finding["Compliance"] = {
        "Status": "FAILED",
        **({"SecurityControlId": control} if control else {}),
        "SecurityControlParameters": [{"Name": name, "Value": [value]} for name, value in parameters.items()],
    }
    return event


@pytest.mark.parametrize("about", ["the account", "a user, by a control", "a user"])
def test_a_forged_finding_changes_no_policy_and_no_limit(aws: Standin, world: Callable[..., World], about: str) -> None:
    it = world(users={"dave": 3}, password_policy=WEAK_POLICY)
    before = password_policy(aws, it.account_id)
    answer = it.answer(forged(it, about))
    assert answer["policies"] == []
    assert users_by_status(answer).items() <= {("dave", "skipped password-fresh")}
    assert password_policy(aws, it.account_id) == before
    it.assert_untouched("dave")
    assert not it.messages() and "UpdateAccountPasswordPolicy" not in it.operations()
