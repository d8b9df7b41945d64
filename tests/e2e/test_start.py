"""Starting: variables that end it, and variables that reach what they are for."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from standin.client import Standin
from world import LONGEST_SECONDS, World

REQUIRED = {"NOTIFICATION_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:passwords", "LEDGER_TABLE": "ledger"}


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("NOTIFICATION_TOPIC_ARN", None, "NOTIFICATION_TOPIC_ARN is not set"),
        ("NOTIFICATION_TOPIC_ARN", "", "NOTIFICATION_TOPIC_ARN is not set"),
        ("LEDGER_TABLE", None, "LEDGER_TABLE is not set"),
        ("LEDGER_TABLE", "", "LEDGER_TABLE is not set"),
        ("LEDGER_TABLE", "my ledger", "LEDGER_TABLE is `my ledger`, which is not allowed"),
        ("ACCOUNTS", "!111122223333", "ACCOUNTS is `!111122223333`, which is not allowed"),
        ("MODE", "dryrun", "MODE is `dryrun`, which is not allowed"),
        ("RUST_LOG", "loud=very", "RUST_LOG is `loud=very`, which is not allowed"),
    ],
)
def test_what_cannot_be_used_ends_the_start_with_a_line_that_names_it(
    binary: Path, variable: str, value: str | None, message: str
) -> None:
    # There is no Runtime API: it must end before it looks for one.
    variables = {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9", "AWS_REGION": "us-east-1", **REQUIRED, variable: value}
    given = {name: text for name, text in variables.items() if text is not None}
    ended = subprocess.run(
        [binary],
        env=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LONGEST_SECONDS,
    )
    assert ended.returncode not in (0, 101), "101 is a panic's"
    line = json.loads(ended.stdout)
    assert line["level"] == "ERROR" and line["message"].startswith(message), line


def test_lambda_sees_that_the_function_did_not_start(world: Callable[..., World]) -> None:
    it = world(variables={"MODE": "dryrun"})
    assert it.deliver("password-age-imported").error["errorType"].startswith("Runtime.")
    assert "MODE is `dryrun`" in it.function.log()
    it.assert_untouched()


def test_what_is_configured_reaches_aws(aws: Standin, world: Callable[..., World]) -> None:
    it = world(
        variables={
            "SECRET_PREFIX": "people/console",
            "SECRET_KMS_KEY_ID": "alias/passwords",
            "PASSWORD_LENGTH": "64",
            "NOTIFICATION_LANGUAGE": "ja",
            "SUPPORT_CONTACT": "Help desk, extension 4711",
            # Empty, as a template leaves what is not wanted.
            "MEMBER_ROLE_NAME": "",
            "WORK_QUEUE_URL": "",
            "RUST_LOG": "",
        }
    )
    it.answer("password-age-imported")
    it.assert_reset()
    assert it.secret()["name"] == f"people/console/{it.account_id}/alice"
    assert it.secret()["kms_key_id"] == "alias/passwords"
    length = len(it.user()["password"])
    assert length == 64
    (message,) = it.messages()
    assert "パスワード" in message["bodies"]["email"] and "パスワード" in message["subject"]
    assert "Help desk, extension 4711" in message["bodies"]["email"]
