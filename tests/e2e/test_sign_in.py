"""Who can sign in after a reset and choose a password, under policies and account settings that IAM evaluates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from campaign import assert_nobody_was_locked_out
from demo.account import STRONG_POLICY
from standin.client import Standin
from world import LONGEST_PASSWORD, World, only_user, secret_name, users_by_status

FORBIDDEN = {**STRONG_POLICY, "AllowUsersToChangePassword": False}
SKIP = {"CHANGE_PASSWORD_GRANT": "skip"}
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
ALLOW_CHANGE_OF_OTHERS = {
    "Statement": {"Effect": "Allow", "Action": "iam:ChangePassword", "Resource": "arn:aws:iam::*:user/bob"}
}
GRANT = "IAMUserChangePassword"


def alice(**more: Any) -> list[dict[str, Any]]:
    return [{"name": "alice", "age_days": 120, **more}]


@pytest.mark.parametrize(
    ("seed", "attached"),
    [
        ({"password_policy": STRONG_POLICY}, []),
        ({"password_policy": None}, [GRANT]),
        ({"password_policy": FORBIDDEN}, [GRANT]),
        ({"password_policy": FORBIDDEN, "users": alice(inline_policies={"own": ALLOW_CHANGE})}, []),
        ({"password_policy": FORBIDDEN, "users": alice(inline_policies={"own": ALLOW_CHANGE_OF_OTHERS})}, [GRANT]),
        ({"password_policy": FORBIDDEN, "users": alice(path="/division/team/")}, [GRANT]),
        (
            {"password_policy": FORBIDDEN, "users": alice(inline_policies={"own": ALLOW_CHANGE}), "variables": SKIP},
            [],
        ),
        ({"password_policy": {**FORBIDDEN, "HardExpiry": True}}, [GRANT]),
        ({"password_policy": {**STRONG_POLICY, "MinimumPasswordLength": LONGEST_PASSWORD}}, []),
    ],
    ids=[
        "strong policy",
        "no policy",
        "forbidden",
        "forbidden, own allow",
        "forbidden, allowed for others",
        "forbidden, on a path",
        "forbidden, own allow, no grant",
        "hard expiry",
        "longest",
    ],
)
def test_whoever_is_reset_can_sign_in_and_choose_a_password(
    aws: Standin, world: Callable[..., World], seed: dict[str, Any], attached: list[str]
) -> None:
    it = world(**seed)
    old = it.seeded_passwords["alice"]
    assert it.sign_in("alice", old)["may_change"] == (not attached)
    it.answer("password-age-imported")
    it.assert_reset()
    assert it.user()["attached_policies"] == attached
    assert not it.sign_in("alice", old)["works"]
    it.assert_can_sign_in()
    assert_nobody_was_locked_out(aws)


@pytest.mark.parametrize(
    "seed",
    [
        {"users": alice(inline_policies={"mfa": DENY_WITHOUT_MFA})},
        {"users": alice(inline_policies={"mfa": DENY_WITHOUT_MFA, "own": ALLOW_CHANGE}), "password_policy": FORBIDDEN},
        {"password_policy": FORBIDDEN, "variables": SKIP},
        {"password_policy": None, "variables": SKIP},
        {
            "password_policy": FORBIDDEN,
            "users": alice(inline_policies={"own": ALLOW_CHANGE_OF_OTHERS}),
            "variables": SKIP,
        },
    ],
    ids=["deny unless MFA", "deny unless MFA over an allow", "no grant", "no policy, no grant", "allowed for others"],
)
def test_whoever_could_not_choose_a_password_is_left_alone(world: Callable[..., World], seed: dict[str, Any]) -> None:
    it = world(**seed)
    user = only_user(it.answer({"action": "reset", "user_name": "alice", "force": True}))
    assert (user["status"], user["reason"]) == ("skipped", "cannot-change-password")
    it.assert_untouched()
    assert not it.secrets()
    assert it.user()["attached_policies"] == []


def test_a_user_who_has_no_room_for_the_grant_is_not_reset(world: Callable[..., World]) -> None:
    statement = {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    policies = [{"name": f"policy-{number}", "document": document} for number in range(10)]
    account_id = "410000000001"
    arns = [f"arn:aws:iam::{account_id}:policy/{policy['name']}" for policy in policies]
    it = world(account_id=account_id, users=alice(attached_policies=arns), policies=policies, password_policy=FORBIDDEN)
    assert "iam:AttachUserPolicy failed: LimitExceeded" in only_user(it.failure("password-age-imported"))["reason"]
    user = it.user()
    assert user["history_length"] == 1 and not user["reset_required"]


# The name, and the end of the secret's.
NAMES = {
    "doe,john": "doe/2Cjohn",
    "doe2Cjohn": "doe2Cjohn",
    "a,b,c": "a/2Cb/2Cc",
    "a+b=c.d@e_f-g": "a+b=c.d@e_f-g",
    "svc-abc123": "svc-abc123/console",
    "svc-abc123console": "svc-abc123console",
    "x": "x",
    "U" * 64: "U" * 64,
}


def test_whatever_name_iam_allows_its_owner_can_sign_in(aws: Standin, world: Callable[..., World]) -> None:
    it = world(users=dict.fromkeys(NAMES, 200))
    assert users_by_status(it.answer({"action": "sweep"})) == dict.fromkeys(NAMES, "reset")
    now = it.look()
    for name, secret in NAMES.items():
        now.assert_reset(name)
        assert it.secret(name)["name"] == secret_name(it.account_id, secret)
        assert [version["value"]["username"] for version in it.secret(name)["versions"]] == [name] * 2
        it.assert_can_sign_in(name)
    assert len({secret["arn"] for secret in it.secrets()}) == len(NAMES), "names that look alike share no secret"
    assert_nobody_was_locked_out(aws)
