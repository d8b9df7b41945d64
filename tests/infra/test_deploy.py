"""infra/deploy.py against moto. `sam` itself is left out, but what it is given is read with its own parsers."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from moto import mock_aws
from samcli.cli.types import CfnParameterOverridesType
from samcli.lib.config.samconfig import SamConfig

from .cfn import ROOT

SCRIPT = ROOT / "infra" / "deploy.py"
REGION = "eu-central-1"
STACK = "iam-password-remediator"
SHOWN = f"account 123456789012, region {REGION}, as arn:aws:sts::123456789012:user/moto"
# What the real stack puts out, from as few resources as give it.
TEMPLATE: dict[str, Any] = {
    "Parameters": {"Maker": {"Type": "String", "Default": "stack"}},
    "Resources": {
        "Topic": {"Type": "AWS::SNS::Topic"},
        "Log": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/aws/lambda/x"}},
    },
    "Outputs": {
        "NotificationTopicArn": {"Value": {"Ref": "Topic"}},
        "LogGroupName": {"Value": "/aws/lambda/x"},
        "FunctionName": {"Value": "remediator"},
        "LedgerTableName": {"Value": "passwords-Ledger-1"},
        "CustomActionMaker": {"Value": {"Ref": "Maker"}},
    },
}


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("deploy", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def aws() -> Iterator[None]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    own = {"AWS_ACCESS_KEY_ID": "moto", "AWS_SECRET_ACCESS_KEY": "moto", "AWS_REGION": REGION}
    with patch.dict(os.environ, kept | own, clear=True), mock_aws(config={"lambda": {"use_docker": False}}):
        yield


def client(service: str) -> Any:
    return boto3.client(service, region_name=REGION)


def create_stack(maker: str = "stack") -> None:
    parameters = [{"ParameterKey": "Maker", "ParameterValue": maker}]
    client("cloudformation").create_stack(StackName=STACK, TemplateBody=json.dumps(TEMPLATE), Parameters=parameters)


class World:
    """The script with a person at the keyboard, a built program, and everything that is not AWS written down."""

    def __init__(self, script: ModuleType, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.script, self.samconfig = script, path / "samconfig.toml"
        self.answers: list[str] = []
        self.asked: list[str] = []
        self.sam: list[tuple[str, ...]] = []
        self.action: bool | None = False
        self.action_calls: list[str] = []
        self.maker = "stack"
        self.bootstrap = path / "bootstrap"
        self.bootstrap.write_bytes(b"\x7fELF" + bytes(14) + (183).to_bytes(2, "little"))

        def answer(question: str) -> str:
            self.asked.append(question)
            return self.answers.pop(0)

        def sam(*arguments: str) -> None:
            self.sam.append(arguments)
            if arguments[0] == "deploy" and len([run for run in self.sam if run[0] == "deploy"]) == 1:
                create_stack(self.maker)

        monkeypatch.setattr(script, "ROOT", path)
        monkeypatch.setattr(script, "BOOTSTRAP", self.bootstrap)
        monkeypatch.setattr(script, "sam", sam)
        monkeypatch.setattr("builtins.input", answer)
        monkeypatch.setattr("sys.stdin.isatty", lambda: True)
        for name in ("create", "delete"):
            monkeypatch.setattr(script.CustomAction, name, lambda _, name=name: self.action_calls.append(name))
        monkeypatch.setattr(script.CustomAction, "exists", lambda _: self.action)

    def run(self, *arguments: str) -> None:
        self.script.main(list(arguments), self.samconfig)

    def fails(self, *arguments: str) -> str:
        with pytest.raises(SystemExit) as exit:
            self.run(*arguments)
        assert isinstance(exit.value.code, str), "not success"
        return exit.value.code

    def overrides(self) -> dict[str, str]:
        """The parameters of the last `sam deploy`, as SAM reads them."""
        run = [arguments for arguments in self.sam if arguments[0] == "deploy"][-1]
        return CfnParameterOverridesType().convert(run[run.index("--parameter-overrides") + 1 :], None, None)


@pytest.fixture
def world(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(script, tmp_path, monkeypatch)


# Deploying -----------------------------------------------------------------------------------------------------------


def test_the_first_deployment_asks_for_what_has_no_default_and_keeps_it(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.answers = ["ops@example.com", "y"]
    world.run("deploy")
    assert capsys.readouterr().out.startswith(SHOWN)
    assert len(world.asked) == 2
    assert world.asked[0].startswith("OperatorEmail")
    assert world.overrides() == {
        "OperatorEmail": "ops@example.com",
        "Architecture": "arm64",
        "CustomAction": "create",
    }
    # The next one asks nothing, and adds what it is told.
    world.run("deploy", "--set", "SupportContact=IT help desk, ext. 5", "--set", "SweepSchedule=cron(0 3 * * ? *)")
    world.run("deploy")
    assert len(world.asked) == 2
    assert world.overrides()["SupportContact"] == "IT help desk, ext. 5"
    assert world.overrides()["SweepSchedule"] == "cron(0 3 * * ? *)"
    assert world.overrides()["OperatorEmail"] == "ops@example.com"


def test_sam_itself_can_work_with_what_is_kept(world: World) -> None:
    told = {"OperatorEmail": "ops@example.com", "SupportContact": 'the "desk", ヘルプ', "ExemptUsers": "/a/*, b*"}
    world.run("deploy", "--yes", *(part for name, value in told.items() for part in ("--set", f"{name}={value}")))
    kept = SamConfig(str(world.samconfig.parent), world.samconfig.name)
    deploy = kept.get_all(["deploy"], "parameters")
    assert CfnParameterOverridesType().convert(deploy["parameter_overrides"], None, None) == told
    assert deploy["capabilities"] == "CAPABILITY_IAM"
    assert deploy["resolve_s3"] is True
    assert (deploy["stack_name"], deploy["region"]) == (STACK, REGION)
    # And the same again, through the command line.
    world.run("deploy")
    assert world.overrides().items() >= told.items()


def test_nothing_is_kept_or_deployed_when_the_account_is_the_wrong_one(world: World) -> None:
    world.answers = ["ops@example.com", "n"]
    assert world.fails("deploy") == "error: nothing was done"
    assert not world.samconfig.exists()
    assert not world.sam


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("OperatorEmail=ops", "an e-mail address"),
        ("Mode=dryrun", "allowed are remediate, dry-run"),
        ("TrustedProducts=arn:a,b c", "TRUSTED_PRODUCTS"),
        ("NoSuch=x", "the template has no parameter NoSuch"),
        ("Mode", "not NAME=VALUE"),
    ],
)
def test_what_the_template_would_refuse_is_refused_at_once(world: World, assignment: str, told: str) -> None:
    assert told in world.fails("deploy", "--set", assignment)
    assert not world.sam


def test_without_a_person_the_missing_parameter_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    assert "there is nobody to ask: OperatorEmail" in world.fails("deploy", "--yes")


def test_a_program_that_was_not_built_is_not_deployed(world: World) -> None:
    world.bootstrap.write_bytes(b"#!/bin/sh\n          ")
    assert "no program for x86_64 or arm64" in world.fails("deploy", "--yes")
    world.bootstrap.unlink()
    assert "run `make build`" in world.fails("deploy", "--yes")


def test_another_region_than_the_one_deployed_to_is_a_mistake(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.run("deploy", "--yes", "--set", "OperatorEmail=ops@example.com")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert f"says {REGION}, the environment says us-east-1" in world.fails("logs")
    monkeypatch.delenv("AWS_REGION")
    world.run("logs")


@pytest.mark.parametrize(
    ("exists", "maker", "asked_of_the_stack", "made"),
    [
        (False, "stack", "create", []),
        # A region where CloudFormation knows no such type.
        (False, "none", "create", ["create"]),
        # Somebody else's, or an earlier deployment's.
        (True, "none", "none", []),
        # Security Hub is off.
        (None, "none", "none", []),
    ],
)
def test_the_custom_action_is_made_once_by_whoever_can(
    world: World, exists: bool | None, maker: str, asked_of_the_stack: str, made: list[str]
) -> None:
    world.action, world.maker = exists, maker
    world.run("deploy", "--yes", "--set", "OperatorEmail=ops@example.com")
    assert world.overrides()["CustomAction"] == asked_of_the_stack
    assert world.action_calls == made


def test_the_stacks_own_custom_action_stays_the_stacks(world: World) -> None:
    world.run("deploy", "--yes", "--set", "OperatorEmail=ops@example.com")
    world.action = True
    world.run("deploy")
    assert world.overrides()["CustomAction"] == "create"


def test_an_operator_may_go_without_the_custom_action(world: World) -> None:
    world.maker = "none"
    world.run("deploy", "--yes", "--set", "OperatorEmail=ops@example.com", "--set", "CustomAction=none")
    assert world.overrides()["CustomAction"] == "none"
    assert world.action_calls == []


def test_deleting_asks_for_the_name_and_says_what_stays(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    create_stack()
    world.answers = ["yes", STACK]
    assert world.fails("delete") == "error: nothing was deleted"
    assert not world.sam
    world.run("delete")
    assert world.sam == [("delete", "--stack-name", STACK, "--region", REGION, "--no-prompts")]
    out = capsys.readouterr().out
    assert out.startswith(SHOWN)
    assert "secrets below SECRET_PREFIX stay" in out
    assert "the ledger's table passwords-Ledger-1" in out
    assert world.action_calls == []


# Using it ------------------------------------------------------------------------------------------------------------


def test_a_missing_stack_is_named(world: World, tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text("{}")
    for arguments in (["delete", "--yes"], ["invoke", str(event)], ["logs"], ["subscribe", "alice", "a@example.com"]):
        told = world.fails(*arguments)
        assert told == f"error: there is no stack {STACK} in account 123456789012, region {REGION}: run `make deploy`"


def test_a_subscription_is_for_one_user_of_one_account(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    create_stack()
    client("iam").create_user(UserName="alice")
    world.run("subscribe", "alice", "alice@example.com")
    world.run("subscribe", "bob", "bob@example.com", "--account", "210987654321")
    assert capsys.readouterr().out.startswith(SHOWN)
    sns = client("sns")
    found = {}
    for subscription in sns.list_subscriptions()["Subscriptions"]:
        attributes = sns.get_subscription_attributes(SubscriptionArn=subscription["SubscriptionArn"])["Attributes"]
        assert attributes["FilterPolicyScope"] == "MessageAttributes"
        found[subscription["Endpoint"]] = json.loads(attributes["FilterPolicy"])
    assert found == {
        "alice@example.com": {"account_id": ["123456789012"], "user_name": ["alice"]},
        "bob@example.com": {"account_id": ["210987654321"], "user_name": ["bob"]},
    }


def test_a_subscription_for_nobody_is_refused(world: World) -> None:
    create_stack()
    told = world.fails("subscribe", "alice", "alice@example.com")
    assert told == "error: there is no IAM user alice in account 123456789012"
    assert client("sns").list_subscriptions()["Subscriptions"] == []


def test_an_event_that_is_no_json_is_not_sent(world: World, tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    assert "event.json" in world.fails("invoke", str(event))
    event.write_text("{")
    assert "event.json" in world.fails("invoke", str(event))


def test_an_answer_is_printed_and_a_failure_is_one(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    create_stack()
    sent: list[dict[str, Any]] = []
    answers = [({}, b'{"mode":"dry-run"}'), ({"FunctionError": "Unhandled"}, b'{"errorType":"RemediationFailed"}')]

    class Payload:
        def __init__(self, body: bytes) -> None:
            self.read = lambda: body

    class Lambda:
        def invoke(self, **call: Any) -> dict[str, Any]:
            sent.append(call)
            extra, body = answers.pop(0)
            return {"Payload": Payload(body), **extra}

    plain = world.script.Account.client
    monkeypatch.setattr(
        world.script.Account,
        "client",
        lambda self, name, **options: Lambda() if name == "lambda" else plain(self, name),
    )
    event = ROOT / "events" / "sweep-dry-run.json"
    world.run("invoke", str(event))
    assert '"mode": "dry-run"' in capsys.readouterr().out
    assert sent[0]["FunctionName"] == "remediator"
    assert json.loads(sent[0]["Payload"]) == json.loads(event.read_text())
    assert world.fails("invoke", str(event)) == "error: the function failed: RemediationFailed"


def test_the_log_of_the_last_hours_is_printed(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    create_stack()
    world.run("logs")
    assert "nothing in the last 1 hours" in capsys.readouterr().out
    logs = client("logs")
    logs.create_log_stream(logGroupName="/aws/lambda/x", logStreamName="s")
    now = int(time.time() * 1000)
    events = [{"timestamp": now - 7200_000, "message": "earlier"}, {"timestamp": now, "message": "now\n"}]
    logs.put_log_events(logGroupName="/aws/lambda/x", logStreamName="s", logEvents=events)
    world.run("logs")
    assert capsys.readouterr().out.splitlines()[1:] == ["now"]
    world.run("logs", "--hours", "3")
    assert capsys.readouterr().out.splitlines()[1:] == ["earlier", "now"]


# Without AWS ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"AWS_REGION": REGION}, "error: no AWS credentials: run"),
        ({"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}, "error: no region: set AWS_REGION"),
        ({"AWS_REGION": REGION, "AWS_PROFILE": "nobody"}, "error: The config profile (nobody) could not be found"),
    ],
)
def test_what_is_missing_is_said_in_one_line(tmp_path: Path, environment: dict[str, str], told: str) -> None:
    """A process of its own, without anything of whoever runs the tests."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "logs"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(told)
    assert done.stderr.count("\n") == 1, done.stderr
