"""Variables that cannot be used end the start, with a line that says which, what it is and what is allowed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from world import World

TOPIC = {"NOTIFICATION_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:passwords"}
WRONG = [
    ("NOTIFICATION_TOPIC_ARN", "passwords", "arn:aws:sns:REGION:ACCOUNT:NAME"),
    ("MODE", "dryrun", "remediate or dry-run"),
    ("MAX_PASSWORD_AGE_DAYS", "0", "1 to 1095"),
    ("MAX_PASSWORD_AGE_DAYS", "ninety", "1 to 1095"),
    ("PASSWORD_LENGTH", "7", "8 to 128"),
    ("PASSWORD_LENGTH", "129", "8 to 128"),
    ("PASSWORD_POLICY", "yes", "strengthen or report"),
    ("SWEEP", "all", "stale or off"),
    ("MAX_RESETS_PER_SWEEP", "-1", "0 to 5000"),
    ("EXEMPT_TAG", "exempt", "KEY=VALUE"),
    ("CHANGE_PASSWORD_GRANT", "no", "attach or skip"),
    ("SECRET_PREFIX", "pass words", "letters, digits"),
    ("SECRET_KMS_KEY_ID", "my key", "KMS key"),
    ("WORK_QUEUE_URL", "jobs", "the URL of an SQS queue"),
    ("MEMBER_ROLE_NAME", "team/role", "the name of an IAM role"),
    ("NOTIFICATION_LANGUAGE", "de", "en or ja"),
    ("RUST_LOG", "loud=very", "a level"),
]


def start(binary: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Starts the binary where there is no Runtime API: it must end before it looks for one."""
    nowhere = {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9", "AWS_REGION": "us-east-1"}
    return subprocess.run(
        [binary], env={**nowhere, **variables}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=10
    )


@pytest.mark.parametrize("variable, value, allowed", WRONG)
def test_a_wrong_value_ends_the_start_and_is_named(binary: Path, variable: str, value: str, allowed: str) -> None:
    ended = start(binary, {**TOPIC, variable: value})
    assert ended.returncode not in (0, 101), "101 is a panic's"
    line = json.loads(ended.stdout)
    assert line["level"] == "ERROR"
    assert line["message"].startswith(f"{variable} is `{value}`, which is not allowed") and allowed in line["message"]


@pytest.mark.parametrize("variables", [{}, {"NOTIFICATION_TOPIC_ARN": ""}], ids=["left out", "empty"])
def test_the_topic_is_required(binary: Path, variables: dict[str, str]) -> None:
    ended = start(binary, variables)
    assert ended.returncode not in (0, 101)
    assert json.loads(ended.stdout)["message"].startswith("NOTIFICATION_TOPIC_ARN is not set")


def test_lambda_sees_that_the_function_did_not_start(world: Callable[..., World]) -> None:
    it = world(variables={"MODE": "dryrun"})
    invocation = it.deliver("password-age-imported")
    assert invocation.error["errorType"].startswith("Runtime.")
    assert "MODE is `dryrun`" in it.function.log()
    it.assert_untouched()


def test_empty_variables_mean_their_defaults(world: Callable[..., World]) -> None:
    names = {variable for variable, _, _ in WRONG} - set(TOPIC)
    it = world(variables=dict.fromkeys(names, ""))
    it.answer("password-age-imported")
    it.assert_reset()


@pytest.mark.parametrize(
    "variables, status",
    [
        ({"MAX_PASSWORD_AGE_DAYS": "121"}, "skipped"),
        ({"MAX_PASSWORD_AGE_DAYS": "119"}, "reset"),
        ({"EXEMPT_USERS": "root-*, ALI*"}, "skipped"),
        ({"EXEMPT_TAG": "team=Red"}, "skipped"),
        ({"PASSWORD_AGE_FINDINGS": "*mfa*"}, None),
        ({"PASSWORD_AGE_FINDINGS": "*mfa*,*USER-password*"}, "reset"),
    ],
    ids=str,
)
def test_what_is_configured_decides(world: Callable[..., World], variables: dict[str, str], status: str | None) -> None:
    it = world(users=[{"name": "alice", "age_days": 120, "tags": {"team": "red"}}], variables=variables)
    answer = it.answer("password-age-imported")
    assert [user["status"] for user in answer["users"]] == ([status] if status else [])


def test_products_of_others_are_believed_where_that_is_configured(world: Callable[..., World]) -> None:
    it = world(variables={"TRUSTED_PRODUCTS": "arn:aws:securityhub:*:*:product/*/*"})
    answer = it.answer("forged-product")
    assert answer["findings"][0]["status"] == "handled"
    it.assert_reset()
