"""cargo-lambda's emulator, an independent Runtime API, and the clients that people use with it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from demo.account import ACCOUNT_ID, EVENTS, FUNCTION, ROOT, environment
from standin.client import Standin
from standin.runtime import LambdaEmulator
from world import LONGEST_SECONDS, World, only_user


@pytest.fixture
def account(world: Callable[..., World]) -> World:
    return world(account_id=ACCOUNT_ID, kind="emulator")


@pytest.fixture
def plain_emulator(aws: Standin, binary: Path, tmp_path: Path) -> Iterator[LambdaEmulator]:
    """The emulator as it is, with no proxy that mends the function ARN and the deadline."""
    emulator = LambdaEmulator(binary, endpoint_url=aws.url, environment=environment(), processes=0)
    emulator.start()
    api = f"{emulator.endpoint_url}/.rt/{FUNCTION}"
    variables = {
        **environment(),
        "AWS_LAMBDA_RUNTIME_API": api,
        "AWS_LAMBDA_FUNCTION_NAME": FUNCTION,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_ACCESS_KEY_ID": ACCOUNT_ID,
        "AWS_SECRET_ACCESS_KEY": "none",
    }
    function = subprocess.Popen([binary], env=variables, stdout=subprocess.DEVNULL)
    yield emulator
    function.kill()
    function.wait()
    emulator.stop()


def by_sdk(endpoint_url: str, payload: bytes) -> Any:
    """What `aws lambda invoke --endpoint-url` does."""
    client = boto3.client(
        "lambda",
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=LONGEST_SECONDS),
    )
    return json.loads(client.invoke(FunctionName=FUNCTION, Payload=payload)["Payload"].read())


def by_cargo_lambda(emulator: LambdaEmulator, event: Path) -> subprocess.CompletedProcess[str]:
    address, port = emulator.endpoint_url.removeprefix("http://").split(":")
    command = [Path(sys.executable).with_name("cargo-lambda"), "lambda", "invoke", FUNCTION]
    options = ["--invoke-address", address, "--invoke-port", port, "--data-file", event]
    return subprocess.run([*command, *options], capture_output=True, text=True, timeout=LONGEST_SECONDS)


def test_the_emulator_gets_the_same_answers(account: World) -> None:
    assert only_user(account.answer("password-age-imported"))["status"] == "reset"
    account.assert_reset()
    assert only_user(account.answer("password-age-imported"))["reason"] == "already-reset"
    assert account.deliver("insight-results").error["errorType"] == "UnsupportedEvent"
    account.aws.faults({"match": {"service": "iam"}, "effect": "access_denied"})
    assert account.failure("reset-manual")["totals"]["failed"] == 1
    account.aws.faults()
    answer = by_sdk(account.function.endpoint_url, (EVENTS / "reset-manual.json").read_bytes())
    assert only_user(answer)["reason"] == "already-reset"


def test_a_function_killed_under_the_emulator_is_taken_over_by_the_next(account: World, aws: Standin) -> None:
    # The first such call demands a change, the second one sets the password.
    sets_password = {"operation": "UpdateLoginProfile", "nth": 2}
    aws.faults({"match": sets_password, "effect": {"kill_after": account.function.pid()}})
    assert account.deliver("password-age-imported").error["errorType"] == "Runtime.ExitError"
    aws.faults()
    aws.expire_leases()
    account.function.restart()
    account.answer("password-age-imported")
    account.assert_reset(passwords=2)


def test_the_plain_emulator_is_enough_for_both_clients(
    plain_emulator: LambdaEmulator, world: Callable[..., World]
) -> None:
    # It gives neither a function ARN nor a deadline that makes sense.
    it = world(account_id=ACCOUNT_ID, users={"alice": 120, "dave": 3})
    answer = by_sdk(plain_emulator.endpoint_url, (EVENTS / "password-age-imported.json").read_bytes())
    assert only_user(answer)["status"] == "reset"
    it.assert_reset()

    ended = by_cargo_lambda(plain_emulator, EVENTS / "reset-fresh.json")
    assert ended.returncode == 0, ended.stderr
    assert only_user(json.loads(ended.stdout))["reason"] == "password-fresh"

    # A function error is a failure for both.
    with pytest.raises(ClientError):
        by_sdk(plain_emulator.endpoint_url, (EVENTS / "reset-typo.json").read_bytes())
    ended = by_cargo_lambda(plain_emulator, EVENTS / "reset-typo.json")
    assert ended.returncode != 0
    assert "found `dryrun`" in ended.stdout + ended.stderr


@pytest.mark.parametrize(("event", "kept"), [("sweep-dry-run.json", "totals"), ("reset-typo.json", "errorType")])
def test_make_invoke_keeps_what_the_function_answers(binary: Path, tmp_path: Path, event: str, kept: str) -> None:
    script, answer = ROOT / "tests" / "demo" / "invoke.py", tmp_path / "below" / "answer.json"
    arguments = ["--binary", binary, "--answer", answer, EVENTS / event]
    done = subprocess.run([sys.executable, script, *arguments], capture_output=True, check=False)
    assert done.returncode == (kept == "errorType"), done.stderr
    assert kept in json.loads(answer.read_text())
