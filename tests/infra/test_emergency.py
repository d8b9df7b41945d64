"""infra/emergency.py against moto."""

from __future__ import annotations

import importlib
import io
import json
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .caller import REGION, STACK, aws, client  # noqa: F401
from .cfn import ROOT, main_stack

FUNCTIONS = ("remediator", "auditor")


class World:
    """The script, and a stack of two functions that each take from a queue."""

    def __init__(self, script: ModuleType, path: Path) -> None:
        self.script, self.samconfig = script, path / "samconfig.toml"

    def deploy(self, reserved: int = 0) -> None:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as package:
            package.writestr("bootstrap", "")
        role = client("iam").create_role(RoleName="function", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        for name in FUNCTIONS:
            client("lambda").create_function(
                FunctionName=name,
                Runtime="provided.al2023",
                Handler="bootstrap",
                Role=role,
                Code={"ZipFile": archive.getvalue()},
            )
            queue = client("sqs").create_queue(QueueName=f"jobs-of-{name}")["QueueUrl"]
            attributes = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
            client("lambda").create_event_source_mapping(FunctionName=name, EventSourceArn=attributes["QueueArn"])
        if reserved:
            client("lambda").put_function_concurrency(FunctionName="remediator", ReservedConcurrentExecutions=reserved)
        template = {
            "Parameters": {"ReservedConcurrency": {"Type": "Number", "Default": reserved}},
            "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
            "Outputs": {"FunctionName": {"Value": "remediator"}, "AuditFunctionName": {"Value": "auditor"}},
        }
        client("cloudformation").create_stack(StackName=STACK, TemplateBody=json.dumps(template))

    def run(self, command: str) -> None:
        self.script.main([command], self.samconfig)

    def reserved(self) -> dict[str, int | None]:
        found = {name: client("lambda").get_function_concurrency(FunctionName=name) for name in FUNCTIONS}
        return {name: answer.get("ReservedConcurrentExecutions") for name, answer in found.items()}

    def take_jobs(self) -> set[bool]:
        """Whether the functions take from their queues; one answer, if all of them do or none."""
        pages = [client("lambda").list_event_source_mappings(FunctionName=name) for name in FUNCTIONS]
        mappings = [mapping for page in pages for mapping in page["EventSourceMappings"]]
        assert len(mappings) == len(FUNCTIONS)
        return {mapping["State"] == "Enabled" for mapping in mappings}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.syspath_prepend(str(ROOT / "infra"))
    return World(importlib.import_module("emergency"), tmp_path)


@pytest.mark.parametrize("reserved", [0, 5])
def test_what_was_stopped_starts_as_it_was_deployed(
    world: World, capsys: pytest.CaptureFixture[str], reserved: int
) -> None:
    world.deploy(reserved)
    before = world.reserved()
    assert before == {"remediator": reserved or None, "auditor": None}
    assert world.take_jobs() == {True}

    world.run("stop")
    assert world.reserved() == {"remediator": 0, "auditor": 0}
    assert world.take_jobs() == {False}
    out = capsys.readouterr().out
    assert out.startswith(f"account 123456789012, region {REGION}")
    assert "make start" in out

    world.run("start")
    assert world.reserved() == before
    assert world.take_jobs() == {True}
    assert "make redrive" in capsys.readouterr().out


def test_stopping_and_starting_twice_is_as_good(world: World) -> None:
    world.deploy()
    for command in ("stop", "stop", "start", "start"):
        world.run(command)
    assert world.reserved() == {"remediator": None, "auditor": None}
    assert world.take_jobs() == {True}


def test_the_functions_are_stopped_although_a_mapping_cannot_be_changed_now(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.deploy()
    plain = world.script.Account.client

    def busy(**_: Any) -> None:
        raise ClientError(
            {"Error": {"Code": "ResourceInUseException", "Message": "in use"}}, "UpdateEventSourceMapping"
        )

    def hand_out(account: Any, service: str, **options: Any) -> Any:
        made = plain(account, service, **options)
        if service == "lambda":
            made.update_event_source_mapping = busy
        return made

    monkeypatch.setattr(world.script.Account, "client", hand_out)
    with pytest.raises(SystemExit, match="run this again in a minute"):
        world.run("stop")
    assert world.reserved() == {"remediator": 0, "auditor": 0}


def test_without_a_stack_nothing_is_stopped(world: World) -> None:
    with pytest.raises(SystemExit, match="there is no stack"):
        world.run("stop")


def test_the_template_reserves_what_start_puts_back(world: World) -> None:
    logical = {"FunctionName": "Function", "AuditFunctionName": "AuditFunction"}
    assert world.script.FUNCTIONS.keys() == logical.keys()
    for output, parameter in world.script.FUNCTIONS.items():
        stack = main_stack(ReservedConcurrency="7")
        assert stack.value(stack.template["Outputs"][output]["Value"]) == stack.ref(logical[output])
        reserved = stack.properties(logical[output]).get("ReservedConcurrentExecutions")
        assert reserved == ("7" if parameter == "ReservedConcurrency" else None)
        assert "ReservedConcurrentExecutions" not in main_stack().properties(logical[output]), "0 is none"
