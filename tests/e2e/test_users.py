"""Who is reset and who is left alone, whatever state the user, the secret and the report are in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from demo.account import STRONG_POLICY
from standin.client import Standin
from world import PREFIX, World, old_secret, only_user

FORBIDDEN = {**STRONG_POLICY, "AllowUsersToChangePassword": False}
DENY_WITHOUT_MFA = {
    "Statement": {
        "Effect": "Deny",
        "NotAction": ["iam:ListMFADevices", "sts:GetSessionToken"],
        "Resource": "*",
        "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
    }
}
ALLOW_CHANGE = {
    "Statement": {
        "Effect": "Allow",
        "Action": "iam:ChangePassword",
        "Resource": "arn:aws:iam::*:user/${aws:username}",
    }
}


def by_hand(user: str, **more: Any) -> dict[str, Any]:
    return {"action": "reset", "user_name": user, **more}


@pytest.mark.parametrize(
    "name, secret, tag",
    [
        ("doe,john", "doe/2Cjohn", "doe/2Cjohn"),
        ("a,b,c", "a/2Cb/2Cc", "a/2Cb/2Cc"),
        ("a+b=c.d@e_f-g", "a+b=c.d@e_f-g", "a+b=c.d@e_f-g"),
        ("svc-abc123", "svc-abc123/console", "svc-abc123"),
        ("x", "x", "x"),
        ("U" * 64, "U" * 64, "U" * 64),
    ],
)
def test_every_name_that_iam_allows_works(world: Callable[..., World], name: str, secret: str, tag: str) -> None:
    it = world(users={name: 200})
    assert only_user(it.answer(by_hand(name)))["user_name"] == name
    it.assert_reset(name)
    stored = it.secret(name)
    assert stored["name"] == f"{PREFIX}/{it.account_id}/{secret}"
    assert stored["tags"]["iam-user"] == tag
    assert stored["versions"][0]["value"]["username"] == name
    (message,) = it.messages()
    assert message["attributes"]["user_name"] == name
    it.assert_can_sign_in(name)


def test_names_that_look_alike_share_no_secret(world: Callable[..., World]) -> None:
    names = ["doe,john", "doe2Cjohn", "svc-abc123", "svc-abc123console"]
    it = world(users=dict.fromkeys(names, 200))
    it.answer({"action": "sweep"})
    for name in names:
        it.assert_reset(name)
    assert len({it.secret(name)["arn"] for name in names}) == len(names)


def test_a_user_on_a_path_is_found_by_name_in_any_case_and_by_arn(world: Callable[..., World]) -> None:
    users = [{"name": name, "path": "/division/team/", "age_days": 120} for name in ("alice", "erin")]
    it = world(users=users)
    assert only_user(it.answer(by_hand("ERIN")))["user_name"] == "erin"
    event = it.event("password-age-imported")
    arn = f"arn:aws:iam::{it.account_id}:user/division/team/alice"
    event["detail"]["findings"][0]["Resources"] = [{"Type": "AwsIamUser", "Id": arn}]
    it.answer(event)
    it.assert_reset("erin")
    it.assert_reset("alice")


def test_a_user_who_is_named_by_id_is_found(world: Callable[..., World]) -> None:
    it = world(users={f"user-{number:03}": 3 for number in range(120)} | {"alice": 120})
    event = it.event("password-age-imported")
    event["detail"]["findings"][0]["Resources"] = [{"Type": "AwsIamUser", "Id": it.user()["user_id"]}]
    assert only_user(it.answer(event))["user_name"] == "alice"
    it.assert_reset()


@pytest.mark.parametrize(
    "reason, user, event",
    [
        ("exempt", {"tags": {"Password-Remediation": "Exempt"}}, by_hand("alice", force=True)),
        ("no-console-password", {"password": None}, by_hand("alice")),
        ("password-fresh", {"age_days": 89}, by_hand("alice")),
        ("user-not-found", {"name": "somebody-else"}, by_hand("alice")),
        ("root", {}, by_hand("<root_account>")),
        ("cannot-change-password", {"inline_policies": {"mfa": DENY_WITHOUT_MFA}}, by_hand("alice", force=True)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_user_is_left_alone_with_a_reason(
    world: Callable[..., World], reason: str, user: dict[str, Any], event: dict[str, Any]
) -> None:
    it = world(users=[{"name": "alice", "age_days": 120, **user}])
    answered = only_user(it.answer(event))
    assert (answered["status"], answered["reason"]) == ("skipped", reason)
    assert not it.secrets() and not it.messages()
    if user.get("name", "alice") == "alice":
        it.assert_untouched()
    assert not [name for name in it.operations() if not name.startswith(("Get", "List", "Describe", "Simulate"))]


def test_where_users_may_not_change_their_password_the_user_is_granted_it_first(world: Callable[..., World]) -> None:
    it = world(password_policy=FORBIDDEN)
    assert not it.sign_in("alice", it.seeded_passwords["alice"])["may_change"]
    it.answer("password-age-imported")
    it.assert_reset()
    assert it.user()["attached_policies"] == ["IAMUserChangePassword"]
    operations = it.operations()
    assert operations.index("AttachUserPolicy") < operations.index("UpdateLoginProfile")
    it.assert_can_sign_in()


@pytest.mark.parametrize("policy", [FORBIDDEN, None], ids=["forbidden", "no policy at all"])
def test_where_granting_is_not_wanted_the_user_is_left_alone(
    world: Callable[..., World], policy: dict[str, Any] | None
) -> None:
    it = world(password_policy=policy, variables={"CHANGE_PASSWORD_GRANT": "skip"})
    assert only_user(it.answer("password-age-imported"))["reason"] == "cannot-change-password"
    it.assert_untouched()


def test_a_user_whose_own_policy_allows_the_change_needs_no_grant(world: Callable[..., World]) -> None:
    user = {"name": "alice", "age_days": 120, "inline_policies": {"own": ALLOW_CHANGE}}
    it = world(users=[user], password_policy=FORBIDDEN, variables={"CHANGE_PASSWORD_GRANT": "skip"})
    it.answer("password-age-imported")
    it.assert_reset()
    assert it.user()["attached_policies"] == []
    it.assert_can_sign_in()


def test_a_user_who_has_no_room_for_the_grant_is_not_reset(world: Callable[..., World]) -> None:
    statement = {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    policies = [{"name": f"policy-{number}", "document": document} for number in range(10)]
    account_id = "410000000001"
    arns = [f"arn:aws:iam::{account_id}:policy/{policy['name']}" for policy in policies]
    user = {"name": "alice", "age_days": 120, "attached_policies": arns}
    it = world(account_id=account_id, users=[user], policies=policies, password_policy=FORBIDDEN)
    assert "iam:AttachUserPolicy failed: LimitExceeded" in only_user(it.failure("password-age-imported"))["reason"]
    it.assert_untouched()


def test_a_secret_that_is_scheduled_for_deletion_is_restored(world: Callable[..., World]) -> None:
    account_id = "410000000002"
    it = world(account_id=account_id, secrets=[old_secret(account_id, deleted=True)])
    it.answer("password-age-imported")
    it.assert_reset(before=1)
    labels = {version["version_id"][-4:]: version["labels"] for version in it.secret()["versions"]}
    assert labels["01d0"] == ["AWSPREVIOUS"]


@pytest.mark.parametrize("vanish", [True, False], ids=["unlabelled versions vanish", "unlabelled versions stay"])
def test_a_user_is_reset_again_whenever_the_password_they_chose_gets_too_old(
    aws: Standin, world: Callable[..., World], vanish: bool
) -> None:
    day = 86_400
    aws.settings(clock_offset_seconds=-400 * day, drop_unlabelled_versions=vanish)
    it = world()
    given = set()
    for days_ago in (300, 200, 100, 0):
        aws.settings(clock_offset_seconds=-days_ago * day)
        it.answer("password-age-imported")
        it.assert_reset(announced=4, passwords=4)
        given.add(it.user()["password"])
        assert sum(1 for version in it.secret()["versions"] if version["labels"]) == min(len(given), 2)
        it.assert_can_sign_in()
    assert len(given) == len(it.messages(kind="password-reset")) == 4
    assert aws.invariant() == {"now": [], "watched": []}


def test_a_secret_that_somebody_else_made_under_that_name_is_used_and_tagged(world: Callable[..., World]) -> None:
    account_id = "410000000004"
    theirs = {
        "name": f"{PREFIX}/{account_id}/alice",
        "age_days": 10,
        "tags": {"team": "red"},
        "versions": [{"value": "a note, and no JSON"}],
    }
    it = world(account_id=account_id, secrets=[theirs])
    it.answer("password-age-imported")
    it.assert_reset(before=1)
    assert it.secret()["tags"] == {
        "team": "red",
        "managed-by": "iam-password-remediator",
        "iam-user": "alice",
        "account-id": account_id,
    }


@pytest.mark.parametrize("polls", [0, 3])
def test_a_credential_report_that_does_not_exist_is_asked_for_and_awaited(
    aws: Standin, world: Callable[..., World], polls: int
) -> None:
    aws.settings(report_polls=polls)
    it = world(generate_report=False)
    it.answer("password-age-imported")
    it.assert_reset()
    assert len(it.calls("GenerateCredentialReport")) == 1
    codes = [call["code"] for call in it.calls("GetCredentialReport")]
    assert codes == ["ReportNotPresent", *["ReportInProgress"] * polls, None]


def test_a_credential_report_that_has_expired_is_made_anew(aws: Standin, world: Callable[..., World]) -> None:
    aws.settings(clock_offset_seconds=-5 * 3600)
    it = world()
    aws.settings(clock_offset_seconds=0)
    it.answer("password-age-imported")
    it.assert_reset()
    codes = [call["code"] for call in it.calls("GetCredentialReport")]
    assert codes == ["ReportExpired", None]


def test_a_report_that_never_comes_fails_the_invocation_in_time(aws: Standin, world: Callable[..., World]) -> None:
    aws.settings(report_polls=1000)
    it = world(generate_report=False, timeout_seconds=13)
    answer = it.failure("password-age-imported")
    assert "iam:GetCredentialReport failed: ReportInProgress" in only_user(answer)["reason"]
    it.assert_untouched()


def test_a_password_set_after_the_report_is_not_older_than_its_login_profile(
    aws: Standin, world: Callable[..., World]
) -> None:
    it = world()
    iam = aws.boto3("iam", account=it.account_id)
    iam.delete_login_profile(UserName="alice")
    iam.create_login_profile(UserName="alice", Password="Made-Anew-Today-1")
    assert only_user(it.answer("password-age-imported"))["reason"] == "password-fresh"


@pytest.mark.parametrize(
    "row, status",
    [
        ({"password_enabled": "TRUE"}, "reset"),
        ({"password_last_changed": "2024-01-01T00:00:00Z"}, "reset"),
        ({"password_last_changed": "2099-01-01T00:00:00+00:00"}, "skipped"),
    ],
    ids=str,
)
def test_a_report_may_be_written_otherwise(world: Callable[..., World], row: dict[str, str], status: str) -> None:
    user = {"name": "alice", "age_days": 120, "report_row": row}
    it = world(users=[user], report={"root_row": False, "extra_columns": {"additional_credentials_info": "N/A"}})
    assert only_user(it.answer("password-age-imported"))["status"] == status
