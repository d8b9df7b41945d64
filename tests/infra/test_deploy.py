"""infra/deploy.py against moto. `sam` itself is left out, but what it is given is read with its own parsers."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ClientError
from samcli.cli.types import CfnParameterOverridesType
from samcli.lib.bootstrap.bootstrap import SAM_CLI_STACK_NAME
from samcli.lib.config.samconfig import SamConfig

from .caller import REGION, STACK, aws, client  # noqa: F401
from .cfn import ROOT
from .cfn import TEMPLATE as REAL_TEMPLATE

SCRIPT = ROOT / "infra" / "deploy.py"
SHOWN = f"account 123456789012, region {REGION}, as arn:aws:sts::123456789012:user/moto"
ACTION = f"arn:aws:securityhub:{REGION}:123456789012:action/custom/ResetPassword"
ASKED = ("--set", "OperatorEmail=ops@example.com")
# What the real stack puts out, from as few resources as give it.
TEMPLATE: dict[str, Any] = {
    "Parameters": {
        "Maker": {"Type": "String", "Default": "stack"},
        "Mode": {"Type": "String", "Default": "remediate"},
        "RolePath": {"Type": "String", "Default": "/"},
        "OperatorEmail": {"Type": "String", "Default": "ops@example.com"},
    },
    "Resources": {
        "Topic": {"Type": "AWS::SNS::Topic"},
        "Log": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/aws/lambda/x"}},
    },
    "Outputs": {
        "NotificationTopicArn": {"Value": {"Ref": "Topic"}},
        "LogGroupName": {"Value": "/aws/lambda/x"},
        "FunctionName": {"Value": "remediator"},
        "AuditFunctionName": {"Value": "auditor"},
        "LedgerTableName": {"Value": "passwords-Ledger-1"},
        "ReadOwnPasswordPolicyArn": {"Value": "policy/own"},
        "ReadAllPasswordsPolicyArn": {"Value": "policy/all"},
        "CustomActionMaker": {"Value": {"Ref": "Maker"}},
    },
}


def create_stack(maker: str = "stack", name: str = STACK, **parameters: str) -> None:
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in {"Maker": maker, **parameters}.items()]
    client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(TEMPLATE), Parameters=given)


def create_sam_stack() -> None:
    """The stack with the bucket of `sam`. `sam` makes it by a change set, and moto forgets the tags of these."""
    client("cloudformation").create_stack(
        StackName=SAM_CLI_STACK_NAME,
        TemplateBody=json.dumps(
            {
                "Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}},
                "Outputs": {"SourceBucket": {"Value": {"Ref": "Bucket"}}},
            }
        ),
        Tags=[{"Key": "ManagedStackSource", "Value": "AwsSamCli"}],
    )


def statuses() -> list[str]:
    """Of the stacks that there were under the stack's name."""
    stacks = client("cloudformation").list_stacks()["StackSummaries"]
    return [stack["StackStatus"] for stack in stacks if stack["StackName"] == STACK]


def change_set(name: str) -> str:
    """A change set that waits for a decision, for the stack or a new one."""
    return client("cloudformation").create_change_set(
        StackName=STACK,
        ChangeSetName=name,
        ChangeSetType="UPDATE" if statuses() else "CREATE",
        TemplateBody=json.dumps({**TEMPLATE, "Description": name}),
    )["Id"]


class SecurityHub:
    """The three calls about custom actions, as the API reference has them. moto has none."""

    def __init__(self) -> None:
        self.is_on = True
        self.actions: dict[str, dict[str, str]] = {}

    def describe_action_targets(self, ActionTargetArns: list[str]) -> dict[str, Any]:
        if not self.is_on:
            raise ClientError({"Error": {"Code": "InvalidAccessException", "Message": "not subscribed"}}, "Describe")
        if not self.actions.keys() & set(ActionTargetArns):
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "none"}}, "Describe")
        return {"ActionTargets": [self.actions[arn] for arn in ActionTargetArns]}

    def create_action_target(self, Id: str, Name: str, Description: str) -> None:
        assert (Id, Name) == ("ResetPassword", "Reset password")
        assert ACTION not in self.actions, "ResourceConflictException"
        self.actions[ACTION] = {"ActionTargetArn": ACTION, "Name": Name, "Description": Description}

    def delete_action_target(self, ActionTargetArn: str) -> None:
        del self.actions[ActionTargetArn]


class World:
    """The script with a person at the keyboard, a package, and everything that is not AWS written down."""

    def __init__(self, script: ModuleType, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.script, self.samconfig = script, path / "samconfig.toml"
        self.answers: list[str] = []
        self.asked: list[str] = []
        self.sam: list[tuple[str, ...]] = []
        # What a person says to the change set that `sam` shows.
        self.agrees = True
        self.hub = SecurityHub()
        self.maker = "stack"
        self.package = pack(path / "dist", "arm64")
        create_sam_stack()

        def answer(question: str) -> str:
            self.asked.append(question)
            return self.answers.pop(0)

        def sam(*arguments: str) -> None:
            self.sam.append(arguments)
            if arguments[0] != "deploy":
                return
            if not self.agrees:
                change_set(f"samcli-deploy{len(self.sam)}")
                return
            name = arguments[arguments.index("--stack-name") + 1]
            if not script.Account(script.Settings(self.samconfig)).stack(name):
                create_stack(self.maker, name, Mode=self.overrides().get("Mode", "remediate"))

        plain = script.Account.client
        clients = {"securityhub": self.hub}
        monkeypatch.setattr(
            script.Account, "client", lambda self, name, **more: clients.get(name) or plain(self, name, **more)
        )
        self.clients: dict[str, Any] = clients
        monkeypatch.setattr(script, "sam", sam)
        monkeypatch.setattr("builtins.input", answer)
        monkeypatch.setattr("sys.stdin.isatty", lambda: True)
        monkeypatch.setenv("HOME", str(path))

    def run(self, *arguments: str) -> None:
        if arguments[0] == "deploy" and "--package" not in arguments:
            arguments = (*arguments, "--package", str(self.package))
        self.script.main(list(arguments), self.samconfig)

    def fails(self, *arguments: str) -> str:
        with pytest.raises(SystemExit) as exit:
            self.run(*arguments)
        assert isinstance(exit.value.code, str), "not success"
        return exit.value.code

    def overrides(self) -> dict[str, str]:
        """The parameters of the last `sam deploy`, as SAM reads them; without where the code is."""
        run = [arguments for arguments in self.sam if arguments[0] == "deploy"][-1]
        found = CfnParameterOverridesType().convert(run[run.index("--parameter-overrides") + 1 :], None, None)
        return {name: value for name, value in found.items() if name not in ("CodeBucket", "CodeKey")}

    def code(self) -> tuple[str, str]:
        """Where the last `sam deploy` was told that the code is."""
        run = self.sam[-1]
        found = CfnParameterOverridesType().convert(run[run.index("--parameter-overrides") + 1 :], None, None)
        return found["CodeBucket"], found["CodeKey"]


def pack(into: Path, *architectures: str) -> Path:
    """A package as infra/package.py writes it, with programs that are not."""
    package = importlib.import_module("package")
    into.mkdir()
    (into / "template.yaml").write_text(package.packaged(REAL_TEMPLATE.read_text()))
    for architecture in architectures:
        archive = package.zipped(architecture.encode())
        digest = hashlib.sha256(archive).hexdigest()
        (into / f"{STACK}-{architecture}-{digest[:12]}.zip").write_bytes(archive)
    files = sorted(into.iterdir())
    sums = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)
    (into / "SHA256SUMS").write_text(sums)
    return into


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    return World(importlib.import_module("deploy"), tmp_path, monkeypatch)


# Deploying -----------------------------------------------------------------------------------------------------------


def test_the_first_deployment_asks_for_what_has_no_default_and_keeps_it(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.answers = ["ops@example.com", "n", "y"]
    world.run("deploy")
    assert capsys.readouterr().out.startswith(SHOWN)
    assert [question.split()[0] for question in world.asked] == ["OperatorEmail:", "Start", "Deploy"]
    assert world.overrides() == {
        "OperatorEmail": "ops@example.com",
        "Mode": "remediate",
        "Architecture": "arm64",
        "CustomAction": "create",
    }
    # The next one asks nothing, and adds what it is told.
    world.run("deploy", "--set", "SupportContact=IT help desk, ext. 5", "--set", "SweepSchedule=cron(0 3 * * ? *)")
    world.run("deploy")
    assert len(world.asked) == 3
    assert world.overrides()["SupportContact"] == "IT help desk, ext. 5"
    assert world.overrides()["SweepSchedule"] == "cron(0 3 * * ? *)"
    assert world.overrides()["OperatorEmail"] == "ops@example.com"


@pytest.mark.parametrize(
    ("answer", "mode"), [("", "dry-run"), ("y", "dry-run"), ("what?", "dry-run"), ("No", "remediate")]
)
def test_a_new_stack_runs_dry_unless_a_person_says_no(
    world: World, capsys: pytest.CaptureFixture[str], answer: str, mode: str
) -> None:
    world.answers = [answer, "y"]
    world.run("deploy", *ASKED)
    assert world.overrides()["Mode"] == mode
    assert ("make deploy SET=Mode=remediate" in capsys.readouterr().out) == (mode == "dry-run")
    # And goes on so.
    world.run("deploy")
    assert world.overrides()["Mode"] == mode
    assert len(world.asked) == 2


def test_without_anyone_to_ask_a_new_stack_runs_dry_and_says_so(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.run("deploy", "--yes", *ASKED)
    assert world.overrides()["Mode"] == "dry-run"
    assert "It runs dry" in capsys.readouterr().out
    world.run("deploy", "--yes", "--set", "Mode=remediate")
    assert world.overrides()["Mode"] == "remediate"
    assert world.asked == []


def test_the_mode_of_a_stack_that_stands_is_left_alone(world: World) -> None:
    create_stack(Mode="remediate")
    world.run("deploy", "--yes", *ASKED)
    assert "Mode" not in world.overrides()


def test_what_a_stack_that_stands_knows_is_not_asked_for(world: World) -> None:
    create_stack()
    world.run("deploy", "--yes")
    assert world.asked == []


def test_sam_itself_can_work_with_what_is_kept(world: World) -> None:
    told = {
        "OperatorEmail": "ops@example.com",
        "Mode": "remediate",
        "SupportContact": 'the "desk", ヘルプ',
        "ExemptUsers": "/a/*, b*",
    }
    world.run("deploy", "--yes", *(part for name, value in told.items() for part in ("--set", f"{name}={value}")))
    kept = SamConfig(str(world.samconfig.parent), world.samconfig.name)
    deploy = kept.get_all(["deploy"], "parameters")
    assert CfnParameterOverridesType().convert(deploy["parameter_overrides"], None, None) == told
    assert deploy.keys() == {"stack_name", "region", "resolve_s3", "capabilities", "parameter_overrides"}
    assert deploy["capabilities"] == "CAPABILITY_NAMED_IAM"
    assert deploy["resolve_s3"] is True
    assert (deploy["stack_name"], deploy["region"]) == (STACK, REGION)
    # And the same again, through the command line.
    world.run("deploy")
    assert world.overrides().items() >= told.items()


def test_nothing_is_kept_or_deployed_when_the_account_is_the_wrong_one(world: World) -> None:
    world.answers = ["ops@example.com", "", "n"]
    assert world.fails("deploy") == "error: nothing was done"
    assert not world.samconfig.exists()
    assert not world.sam


def test_without_a_person_nothing_is_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    assert world.fails("deploy", *ASKED) == "error: there is nobody to ask: give YES=1"
    told = world.fails("deploy", "--yes")
    assert told.startswith("error: there is nobody to ask: OperatorEmail: ")
    assert told.endswith("(give SET='OperatorEmail=…')")
    create_stack()
    assert "give YES=1" in world.fails("delete")
    assert not world.sam


# What is checked before anything is done ---------------------------------------------------------------------------

REFUSED = [
    ("OperatorEmail", "ops", "an e-mail address"),
    ("Mode", "dryrun", "Mode is 'dryrun': allowed are remediate, dry-run"),
    ("TrustedProducts", "arn:a,b c", "TRUSTED_PRODUCTS"),
    ("MaxPasswordAgeDays", "0", "MaxPasswordAgeDays is 0: allowed are 1 to 1095"),
    ("MaxPasswordAgeDays", "1096", "MaxPasswordAgeDays is 1096: allowed are 1 to 1095"),
    ("MaxPasswordAgeDays", "90 days", "MaxPasswordAgeDays is '90 days': a whole number is expected"),
    ("MaxPasswordAgeDays", "90.5", "a whole number is expected"),
    ("LogRetentionDays", "31", "LogRetentionDays is '31': allowed are 30, 60"),
    ("SupportContact", "x" * 501, "SupportContact has 501 characters: allowed are 0 to 500"),
    ("NoSuch", "x", "the template has no parameter NoSuch"),
    ("MODE", "dry-run", "the template has no parameter MODE: did you mean Mode?"),
    ("SuportContact", "desk", "the template has no parameter SuportContact: did you mean SupportContact?"),
    ("SweepAlarmHours", "26", "there is no parameter SweepAlarmHours any more (the alarm goes by SweepSchedule)"),
    ("CodeKey", "key", "CodeKey follows from where the code is uploaded to: it cannot be given"),
]


@pytest.mark.parametrize(("name", "value", "told"), REFUSED)
def test_what_the_template_would_refuse_is_refused_at_once(world: World, name: str, value: str, told: str) -> None:
    found = world.fails("deploy", "--yes", "--set", f"{name}={value}")
    assert told in found
    assert "samconfig" not in found
    assert not world.sam
    assert not world.samconfig.exists()


@pytest.mark.parametrize(("name", "value", "told"), REFUSED)
def test_the_same_in_samconfig_is_found_before_anything_is_done(world: World, name: str, value: str, told: str) -> None:
    text = f"[default.deploy.parameters.parameter_overrides]\n{name} = {json.dumps(value)}\n"
    world.samconfig.write_text(text)
    found = world.fails("deploy", "--yes", *ASKED) if name != "OperatorEmail" else world.fails("deploy", "--yes")
    assert found.startswith("error: samconfig.toml: ")
    assert told in found
    assert not world.sam
    assert world.samconfig.read_text() == text


def test_the_ends_of_a_range_are_in_it(world: World) -> None:
    world.samconfig.write_text("[default.deploy.parameters.parameter_overrides]\nMaxPasswordAgeDays = 1095\n")
    world.run("deploy", "--yes", *ASKED, "--set", f"SupportContact={'x' * 500}", "--set", "MaxResetsPerSweep=0")
    assert world.overrides()["MaxPasswordAgeDays"] == "1095"


def test_a_bad_value_in_samconfig_is_mended_by_the_command_line(world: World) -> None:
    world.samconfig.write_text('[default.deploy.parameters.parameter_overrides]\nMode = "dryrun"\n')
    world.run("deploy", "--yes", *ASKED, "--set", "Mode=dry-run")
    assert world.overrides()["Mode"] == "dry-run"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[default", "samconfig.toml: "),
        ('[default.deploy.parameters]\nparameter_overrides = "Mode=dry-run"\n', "write parameter_overrides as a table"),
        (
            '[default.deploy.parameters.parameter_overrides]\nExemptUsers = ["a", "b"]\n',
            'write ExemptUsers as text in quotes, ExemptUsers = "VALUE"',
        ),
    ],
)
def test_a_samconfig_of_another_form_is_said_to_be_one(world: World, text: str, told: str) -> None:
    world.samconfig.write_text(text)
    assert told in world.fails("deploy", "--yes", *ASKED)


def test_blanks_stand_in_quotes(world: World) -> None:
    contact = "the help desk, ext. 5, or Bob's $5 counter"
    world.run("deploy", "--yes", "--set-all", f'OperatorEmail=ops@example.com SupportContact="{contact}" LogLevel=a=b')
    assert world.overrides()["SupportContact"] == contact
    assert world.overrides()["LogLevel"] == "a=b"
    told = world.fails("deploy", "--yes", "--set-all", "SweepSchedule=rate(1 day)")
    assert told.startswith("error: day) is not NAME=VALUE. A value with blanks stands in quotes")
    assert "quote without its other half" in world.fails("deploy", "--yes", "--set-all", 'SupportContact="desk')


def test_a_role_that_could_not_have_its_name_is_found_before(world: World) -> None:
    long = "a" * (65 - len(f"-{REGION}-audit"))
    world.samconfig.write_text(f'[default.global.parameters]\nstack_name = "{long}"\n')
    assert "a shorter one with SET=FunctionRoleName" in world.fails("deploy", "--yes", *ASKED)
    assert not world.sam
    world.samconfig.write_text(f'[default.global.parameters]\nstack_name = "{long[1:]}"\n')
    world.run("deploy", "--yes", *ASKED)


def test_a_role_is_not_moved(world: World) -> None:
    world.run("deploy", "--yes", *ASKED)
    told = world.fails("deploy", "--yes", "--set", "RolePath=/security/")
    assert "RolePath of a stack that stands is /" in told
    world.run("deploy", "--yes", "--set", "RolePath=/security/", "--set", "FunctionRoleName=another")
    assert world.overrides()["RolePath"] == "/security/"


# Where ----------------------------------------------------------------------------------------------------------------


def test_another_region_than_the_one_deployed_to_is_a_mistake(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.run("deploy", "--yes", *ASKED)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert f"says {REGION}, the environment says us-east-1" in world.fails("logs")
    monkeypatch.delenv("AWS_REGION")
    world.run("logs")


@pytest.mark.parametrize(
    "command", [["deploy", "--yes"], ["delete", "--yes"], ["logs"], ["subscribe", "a", "a@example.com"], ["invoke"]]
)
def test_another_account_than_the_one_deployed_to_is_a_mistake(world: World, command: list[str]) -> None:
    world.run("deploy", "--yes", *ASKED)
    kept = world.samconfig.read_text()
    assert 'account_id = "123456789012"' in kept
    world.samconfig.write_text(kept.replace("123456789012", "210987654321"))
    before = list(world.sam)
    if command == ["invoke"]:
        command.append(str(ROOT / "events" / "sweep-dry-run.json"))
    told = world.fails(*command)
    assert told.startswith(
        "error: samconfig.toml is about account 210987654321, these credentials are of 123456789012:"
    )
    assert "sign in to 210987654321" in told
    assert "move samconfig.toml away" in told
    assert world.sam == before


# The change set ------------------------------------------------------------------------------------------------------


def test_the_change_set_is_shown_and_asked_about(world: World) -> None:
    world.answers = ["", "y"]
    world.run("deploy", *ASKED)
    world.run("deploy", "--yes")
    first, second = world.sam
    assert "--confirm-changeset" in first
    assert "--no-confirm-changeset" not in first
    assert "--no-confirm-changeset" in second
    for run in (first, second):
        assert "--no-fail-on-empty-changeset" in run


def test_a_change_set_that_is_declined_leaves_nothing_of_a_new_stack(world: World) -> None:
    world.answers = ["", "y"]
    world.agrees = False
    assert world.fails("deploy", *ASKED) == "error: nothing was changed"
    assert not world.samconfig.exists()
    assert statuses() in ([], ["DELETE_COMPLETE"])
    assert world.hub.actions == {}


def test_a_change_set_that_is_declined_leaves_a_stack_and_its_settings_as_they_were(world: World) -> None:
    world.run("deploy", "--yes", *ASKED)
    kept = world.samconfig.read_text()
    # Somebody else's, which was there before.
    other = change_set("other")
    world.agrees = False
    assert world.fails("deploy", "--set", "Mode=remediate") == "error: nothing was changed"
    assert world.samconfig.read_text() == kept
    left = client("cloudformation").list_change_sets(StackName=STACK)["Summaries"]
    assert [summary["ChangeSetId"] for summary in left] == [other]
    world.agrees = True
    world.run("deploy", "--set", "Mode=remediate")


# Packages -------------------------------------------------------------------------------------------------------------


def test_the_code_is_uploaded_and_deployed_with_the_template_of_the_package(world: World) -> None:
    world.run("deploy", "--yes", *ASKED)
    run = world.sam[-1]
    assert run[run.index("--template-file") + 1] == str(world.package / "template.yaml")
    bucket, key = world.code()
    [archive] = world.package.glob("*.zip")
    assert key == f"{STACK}/{archive.name}"
    uploaded = client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    assert uploaded == archive.read_bytes()
    # The bucket is that of `sam`, and so the same the next time.
    world.run("deploy", "--yes")
    assert world.code() == (bucket, key)


def test_a_package_for_both_architectures_asks_which(world: World, tmp_path: Path) -> None:
    both = str(pack(tmp_path / "both", "arm64", "x86_64"))
    told = world.fails("deploy", "--yes", *ASKED, "--package", both)
    assert told == "error: the package has zips for arm64 and x86_64: choose one with SET=Architecture=…"
    world.run("deploy", "--yes", *ASKED, "--package", both, "--set", "Architecture=x86_64")
    assert world.overrides()["Architecture"] == "x86_64"
    assert "x86_64" in world.code()[1]
    told = world.fails("deploy", "--yes")
    assert told == "error: the package has no zip for x86_64, but for arm64"


@pytest.mark.parametrize("kind", ["zip", "gztar"])
def test_an_archive_of_a_package_is_as_good(world: World, tmp_path: Path, kind: str) -> None:
    archive = shutil.make_archive(str(tmp_path / "downloaded"), kind, world.package.parent, world.package.name)
    world.run("deploy", "--yes", *ASKED, "--package", archive)
    bucket, key = world.code()
    [code] = world.package.glob("*.zip")
    assert client("s3").get_object(Bucket=bucket, Key=key)["Body"].read() == code.read_bytes()


def test_an_archive_writes_nowhere_else(world: World, tmp_path: Path) -> None:
    archive = tmp_path / "downloaded.tar"
    with tarfile.open(archive, "w") as written:
        for file in world.package.iterdir():
            written.add(file, f"../../{tmp_path.name}/escaped/{file.name}")
    world.run("deploy", "--yes", *ASKED, "--package", str(archive))
    assert not list(tmp_path.parent.rglob("escaped"))


@pytest.mark.parametrize("name", ["template.yaml", "zip"])
def test_a_package_that_is_not_as_it_was_packed_is_not_deployed(world: World, name: str) -> None:
    [file] = world.package.glob(f"*{name}")
    with file.open("ab") as opened:
        opened.write(b"\n")
    assert f"{file.name} is not what was packed" in world.fails("deploy", "--yes", *ASKED)
    file.unlink()
    assert f"{file.name} is missing" in world.fails("deploy", "--yes", *ASKED)
    assert not world.sam


def test_what_is_no_package_is_said_to_be_none(world: World, tmp_path: Path) -> None:
    assert not (tmp_path / "SHA256SUMS").exists()
    for path in (tmp_path, *world.package.glob("*.zip")):
        assert f"{path} is no package: it has no SHA256SUMS" in world.fails("deploy", "--yes", "--package", str(path))
    for path in (tmp_path / "nowhere", world.package / "template.yaml"):
        assert "neither a directory nor a zip or tar archive" in world.fails("deploy", "--yes", "--package", str(path))
    for sums in ("", "\n", "nonsense\n"):
        (world.package / "SHA256SUMS").write_text(sums)
        assert "names no template.yaml" in world.fails("deploy", "--yes", *ASKED)


# The custom action ---------------------------------------------------------------------------------------------------

THEIRS = {"ActionTargetArn": ACTION, "Name": "Reset password", "Description": "A person's"}


@pytest.mark.parametrize(
    ("found", "maker", "asked_of_the_stack", "made"),
    [
        (None, "stack", "create", False),
        # A region where CloudFormation knows no such type.
        (None, "none", "create", True),
        # Somebody else's.
        (THEIRS, "none", "none", False),
    ],
)
def test_the_custom_action_is_made_once_by_whoever_can(
    world: World, found: dict[str, str] | None, maker: str, asked_of_the_stack: str, made: bool
) -> None:
    world.maker = maker
    if found:
        world.hub.actions[ACTION] = found
    world.run("deploy", "--yes", *ASKED)
    assert world.overrides()["CustomAction"] == asked_of_the_stack
    assert (world.hub.actions.get(ACTION) not in (None, found)) == made
    # The next deployment finds it, and leaves it.
    before = dict(world.hub.actions)
    world.run("deploy", "--yes")
    assert world.hub.actions == before


def test_where_security_hub_is_off_the_custom_action_waits(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.hub.is_on, world.maker = False, "none"
    world.run("deploy", "--yes", *ASKED)
    assert world.overrides()["CustomAction"] == "none"
    assert world.hub.actions == {}
    assert "Security Hub CSPM is off in this region" in capsys.readouterr().out


def test_the_stacks_own_custom_action_stays_the_stacks(world: World) -> None:
    world.run("deploy", "--yes", *ASKED)
    world.hub.actions[ACTION] = {**THEIRS, "Description": "the template's"}
    world.run("deploy", "--yes")
    assert world.overrides()["CustomAction"] == "create"


def test_an_operator_may_go_without_the_custom_action(world: World) -> None:
    world.maker = "none"
    world.run("deploy", "--yes", *ASKED, "--set", "CustomAction=none")
    assert world.overrides()["CustomAction"] == "none"
    assert world.hub.actions == {}


# Deleting ------------------------------------------------------------------------------------------------------------


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
    for kept in ("passwords-Ledger-1", "/aws/lambda/x", "policy/own", "policy/all"):
        assert f": {kept}\n" in out
    assert "Detach and delete the two policies when the secrets are gone" in out


def test_a_pipeline_deletes_without_being_asked(world: World) -> None:
    create_stack()
    world.run("delete", "--yes")
    assert len(world.sam) == 1
    assert world.asked == []


def test_a_stack_that_never_came_to_be_can_be_deleted(world: World) -> None:
    # As after a creation that was rolled back: no outputs.
    client("cloudformation").create_stack(StackName=STACK, TemplateBody=json.dumps({**TEMPLATE, "Outputs": {}}))
    world.run("delete", "--yes")
    assert world.sam[-1][0] == "delete"


def test_deleting_takes_the_custom_action_that_was_made_for_this_stack(world: World) -> None:
    world.maker = "none"
    world.run("deploy", "--yes", *ASKED)
    assert ACTION in world.hub.actions
    # From another machine too: nothing about it is kept here.
    world.samconfig.unlink()
    world.run("delete", "--yes")
    assert world.hub.actions == {}


@pytest.mark.parametrize("description", ["A person's", f"Issue … (made by `make deploy` for the stack {STACK}-2)"])
def test_deleting_leaves_a_custom_action_of_others(
    world: World, capsys: pytest.CaptureFixture[str], description: str
) -> None:
    theirs = {**THEIRS, "Description": description}
    world.hub.actions[ACTION] = theirs
    world.maker = "none"
    world.run("deploy", "--yes", *ASKED)
    world.run("delete", "--yes")
    assert world.hub.actions == {ACTION: theirs}
    assert "custom action ResetPassword stays too: this stack did not make it" in capsys.readouterr().out


# make ----------------------------------------------------------------------------------------------------------------


class Make:
    """The Makefile with programs in place of Python and cargo that write down what they are given."""

    def __init__(self, path: Path) -> None:
        self.path, self.bin = path, path / "venv" / "bin"
        self.bin.mkdir(parents=True)
        for name in ("python", "cargo"):
            program = self.bin / name
            log = shlex.quote(str(path / "log"))
            program.write_text(f'#!/bin/sh\n{{ printf "%s\\0" {name} "$@"; echo; }} >>{log}\n')
            program.chmod(0o755)
        for ready in (".ready", ".infra-ready"):
            (path / "venv" / ready).touch()

    def __call__(self, *arguments: str, **environment: str) -> list[list[str]]:
        """The commands that `make` ran."""
        log = self.path / "log"
        log.unlink(missing_ok=True)
        subprocess.run(
            ["make", "--silent", *arguments, f"VENV={self.path / 'venv'}"],
            cwd=ROOT,
            env={"PATH": f"{self.bin}:{os.environ['PATH']}", "HOME": str(self.path), **environment},
            check=True,
        )
        return [line.split("\0")[:-1] for line in log.read_text().splitlines()]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return Make(tmp_path)


@pytest.mark.parametrize("value", ["the help desk, ext. 5", "Bob's counter; $5 `x` $(y)", "cron(0 3 * * ? *)", ""])
def test_make_hands_values_on_as_they_are_written(make: Make, value: str) -> None:
    [command] = make("deploy", "PACKAGE=dist", f'SET=SupportContact="{value}" Mode=dry-run')
    expected = f'SupportContact="{value}" Mode=dry-run'
    assert command == ["python", "infra/deploy.py", "deploy", "--package", "dist", "--set-all", expected]


def test_make_deploys_a_package_without_building(make: Make) -> None:
    commands = make("deploy", "PACKAGE=some/dist.zip")
    assert commands == [["python", "infra/deploy.py", "deploy", "--package", "some/dist.zip", "--set-all", ""]]


def test_make_builds_and_packs_what_it_deploys(make: Make) -> None:
    build, pack, deploy = make("deploy")
    assert build[:3] == ["cargo", "lambda", "build"]
    # The home of whoever builds does not get into the binary.
    assert build[-2:] == ["--config", f"build.rustflags=['--remap-path-prefix={make.path}/.cargo=/cargo']"]
    assert pack == ["python", "infra/package.py", "target/package"]
    assert deploy[1:5] == ["infra/deploy.py", "deploy", "--package", "target/package"]


def test_make_packs_what_it_builds(make: Make) -> None:
    build, pack = make("package", CARGO_HOME="/crates")
    assert build[-1] == "build.rustflags=['--remap-path-prefix=/crates=/cargo']"
    assert pack == ["python", "infra/package.py", "dist"]


@pytest.mark.parametrize(("given", "sure"), [("YES=1", True), ("YES=y", True), ("YES=0", False), ("YES=", False)])
def test_make_asks_nothing_if_it_is_told_so(make: Make, given: str, sure: bool) -> None:
    for target in ("deploy", "delete"):
        [command] = make(target, "PACKAGE=dist", given)
        assert ("--yes" in command) == sure
        [command] = make(target, "PACKAGE=dist", YES="1")
        assert "--yes" not in command, "the environment says nothing here"


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
    failed = ({"FunctionError": "Unhandled"}, b'{"errorType":"RemediationFailed"}')
    answers = [({}, b'{"mode":"dry-run"}'), failed, ({}, b"{}")]

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
    audit = tmp_path / "audit.json"
    audit.write_text('{"action": "audit", "dry_run": true}')
    world.run("invoke", str(audit))
    assert sent[2]["FunctionName"] == "auditor", "the function has not the audit's permissions"


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
