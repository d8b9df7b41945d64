"""Puts the stack into an AWS account and works with it: deploy, delete, invoke, logs, subscribe.

Credentials and profile are found as the AWS CLI finds them. What has no default is asked for once and kept in
samconfig.toml, which `sam` itself reads too. Every command first says in whose account and region it is about to act.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import tomlkit
import yaml
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError, PartialCredentialsError

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "infra" / "template.yaml"
BOOTSTRAP = ROOT / "target" / "lambda" / "iam-password-remediator" / "bootstrap"
SAMCONFIG = ROOT / "samconfig.toml"
STACK = "iam-password-remediator"
ACTION = "ResetPassword"
# e_machine of an ELF header.
ARCHITECTURES = {62: "x86_64", 183: "arm64"}


class Problem(Exception):
    """Something the caller can do something about; the text says what."""


class Settings:
    """samconfig.toml: the stack's name and region, and the parameters that were given."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._document = tomlkit.parse(path.read_text()) if path.exists() else tomlkit.document()
        self._document.setdefault("version", 0.1)

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever kept."""
        return not self.path.exists()

    def _section(self, command: str) -> Any:
        default = self._document.setdefault("default", tomlkit.table(is_super_table=True))
        section = default.setdefault(command, tomlkit.table(is_super_table=True))
        return section.setdefault("parameters", tomlkit.table())

    @property
    def stack(self) -> str:
        """The stack's name."""
        return str(self._section("global").setdefault("stack_name", STACK))

    @property
    def region(self) -> str | None:
        """The region that was deployed to."""
        found = self._section("global").get("region")
        return str(found) if found else None

    @region.setter
    def region(self, region: str) -> None:
        self._section("global")["region"] = region

    @property
    def parameters(self) -> dict[str, str]:
        """Parameters of the template, by name."""
        given = self._section("deploy").get("parameter_overrides", {})
        if not isinstance(given, dict):
            raise Problem(f'{self.path.name}: write parameter_overrides as a table, NAME = "VALUE"')
        return {str(name): str(value) for name, value in given.items()}

    @parameters.setter
    def parameters(self, parameters: dict[str, str]) -> None:
        section = self._section("deploy")
        section["resolve_s3"] = True
        section["capabilities"] = "CAPABILITY_IAM"
        section["parameter_overrides"] = parameters

    def save(self) -> None:
        """Writes the file."""
        _ = self.stack
        self.path.write_text(tomlkit.dumps(self._document))


def overrides_of(parameters: dict[str, str]) -> list[str]:
    """Parameters in the form of `sam deploy --parameter-overrides`."""
    return [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in parameters.items()]


class Account:
    """An AWS account and region, with the caller's credentials."""

    def __init__(self, settings: Settings) -> None:
        asked = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        if asked and settings.region and asked != settings.region:
            raise Problem(
                f"{settings.path.name} says {settings.region}, the environment says {asked}: unset AWS_REGION and "
                f"AWS_DEFAULT_REGION, or move {settings.path.name} away to deploy to another region"
            )
        self.session = boto3.Session(region_name=settings.region or asked)
        if not self.session.region_name:
            raise Problem("no region: set AWS_REGION, or `region` in the AWS configuration")
        self.region = self.session.region_name
        identity = self.client("sts").get_caller_identity()
        self.id = str(identity["Account"])
        self.caller = str(identity["Arn"])

    def client(self, service: str, **options: Any) -> Any:
        """A client of a service."""
        return self.session.client(service, **options)

    def show(self) -> None:
        """Says where this is about to act."""
        print(f"account {self.id}, region {self.region}, as {self.caller}", flush=True)

    def outputs(self, stack: str) -> dict[str, str]:
        """The stack's outputs; none of a stack that does not exist."""
        try:
            [found] = self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return {}
            raise
        return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}

    def deployed(self, stack: str) -> dict[str, str]:
        """The outputs of a stack that has to be there."""
        outputs = self.outputs(stack)
        if not outputs:
            raise Problem(f"there is no stack {stack} in account {self.id}, region {self.region}: run `make deploy`")
        return outputs


# Deploying -----------------------------------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    """Enough YAML for the section of the parameters."""


_Loader.add_multi_constructor("!", lambda *_: None)


def declared() -> dict[str, dict[str, Any]]:
    """The template's parameters."""
    return yaml.load(TEMPLATE.read_text(), _Loader)["Parameters"]


def check(name: str, value: str) -> str:
    """A parameter's value; a Problem if the template does not allow it."""
    parameter = declared().get(name)
    if parameter is None:
        raise Problem(f"the template has no parameter {name}")
    allowed = parameter.get("AllowedValues")
    if allowed and value not in map(str, allowed):
        raise Problem(f"{name} is {value!r}: allowed are {', '.join(map(str, allowed))}")
    is_list = parameter["Type"] == "CommaDelimitedList"
    for item in [part.strip() for part in value.split(",")] if is_list else [value]:
        if "AllowedPattern" in parameter and not re.fullmatch(parameter["AllowedPattern"], item):
            raise Problem(f"{name} is {value!r}: {parameter.get('ConstraintDescription', parameter['Description'])}")
    return value


def ask(question: str) -> str:
    """An answer from a person, who has to be there."""
    if not sys.stdin.isatty():
        raise Problem(f"there is nobody to ask: {question}")
    return input(f"{question}: ").strip()


def architecture() -> str:
    """What the bootstrap was built for: its own header cannot be out of date."""
    if not BOOTSTRAP.exists():
        raise Problem(f"{BOOTSTRAP.relative_to(ROOT)} is missing: run `make build`")
    header = BOOTSTRAP.read_bytes()[:20]
    found = ARCHITECTURES.get(struct.unpack_from("<H", header, 18)[0]) if header.startswith(b"\x7fELF") else None
    if not found:
        raise Problem(f"{BOOTSTRAP.relative_to(ROOT)} is no program for x86_64 or arm64: run `make build`")
    return found


def sam(*arguments: str) -> None:
    """Runs the `sam` beside this Python, without telling anyone outside of it."""
    program = Path(sys.executable).parent / "sam"
    if not program.exists():
        raise Problem("sam is missing beside this Python: install infra/requirements.txt")
    done = subprocess.run([program, *arguments], env={**os.environ, "SAM_CLI_TELEMETRY": "0"}, check=False)
    if done.returncode:
        raise Problem(f"`sam {arguments[0]}` failed; see above")


def deploy(settings: Settings, options: argparse.Namespace) -> None:
    """Creates or updates the stack, and sees to Security Hub's custom action."""
    built_for = architecture()
    account = Account(settings)
    account.show()
    parameters = settings.parameters
    for assignment in options.set:
        name, found, value = assignment.partition("=")
        if not found:
            raise Problem(f"{assignment} is not NAME=VALUE")
        parameters[name] = check(name, value)
    for name, parameter in declared().items():
        if "Default" not in parameter and name not in parameters:
            parameters[name] = check(name, ask(f"{name}: {parameter['Description']}"))
    if settings.is_new and not options.yes and ask("Deploy to this account and region? [y/N]").lower() != "y":
        raise Problem("nothing was done")
    settings.region, settings.parameters = account.region, parameters
    settings.save()

    hub = CustomAction(account)
    from_stack = account.outputs(settings.stack).get("CustomActionMaker") == "stack"
    found = hub.exists()
    # An action that someone else made is theirs; the stack could not make it once more.
    computed = {"Architecture": built_for, "CustomAction": "create" if found is False or from_stack else "none"}
    sam(
        "deploy",
        *("--template-file", str(TEMPLATE)),
        *("--config-file", str(settings.path)),
        *("--stack-name", settings.stack),
        *("--region", account.region),
        "--no-fail-on-empty-changeset",
        "--parameter-overrides",
        *overrides_of(computed | parameters),
    )
    outputs = account.deployed(settings.stack)
    if found is False and outputs["CustomActionMaker"] != "stack" and parameters.get("CustomAction") != "none":
        hub.create()
    print(f"\nDeployed. {settings.path.name} keeps what was asked; put further parameters of the template there.")
    if found is None:
        print(
            "Security Hub CSPM is off in this region, or you may not look at it. No findings come until it is on; its "
            f"custom action {ACTION} is made by the next `make deploy` that sees it."
        )
    for name, value in outputs.items():
        print(f"  {name}: {value}")


class CustomAction:
    """Security Hub's custom action, where CloudFormation cannot make it."""

    def __init__(self, account: Account) -> None:
        self.hub = account.client("securityhub")
        partition = account.session.get_partition_for_region(account.region)
        self.arn = f"arn:{partition}:securityhub:{account.region}:{account.id}:action/custom/{ACTION}"

    def exists(self) -> bool | None:
        """Whether there is such an action; None if Security Hub is off or out of the caller's reach."""
        try:
            return bool(self.hub.describe_action_targets(ActionTargetArns=[self.arn])["ActionTargets"])
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ResourceNotFoundException":
                return False
            if code in ("InvalidAccessException", "AccessDeniedException"):
                return None
            raise

    def create(self) -> None:
        """Makes it, in the words of the template."""
        description = "Issue new console passwords to the IAM users of these findings, however fresh the old ones are"
        self.hub.create_action_target(Id=ACTION, Name="Reset password", Description=description)
        print(f"Security Hub's custom action {ACTION} was made; CloudFormation cannot make it in this region.")

    def delete(self) -> None:
        """Takes it away."""
        self.hub.delete_action_target(ActionTargetArn=self.arn)


def delete(settings: Settings, options: argparse.Namespace) -> None:
    """Deletes the stack. What the function made stays."""
    account = Account(settings)
    account.show()
    outputs = account.deployed(settings.stack)
    if not options.yes and ask(f"Delete the stack? Type its name, {settings.stack}") != settings.stack:
        raise Problem("nothing was deleted")
    action = CustomAction(account)
    if outputs.get("CustomActionMaker") != "stack" and action.exists():
        action.delete()
    sam("delete", "--stack-name", settings.stack, "--region", account.region, "--no-prompts")
    print(
        "Deleted. The secrets below SECRET_PREFIX stay, since they may hold the only copy of a password; so do "
        f"the ledger's table {outputs.get('LedgerTableName')}, granted IAMUserChangePassword policies, strengthened "
        f"password policies and {settings.path.name}. A new stack begins with an empty ledger: see infra/README.md."
    )


# Using it ------------------------------------------------------------------------------------------------------------


def invoke(settings: Settings, options: argparse.Namespace) -> None:
    """Sends one event to the deployed function and prints its answer."""
    try:
        event = json.loads(options.event.read_text())
    except (OSError, ValueError) as error:
        raise Problem(f"{options.event}: {error}") from error
    account = Account(settings)
    account.show()
    function = account.deployed(settings.stack)["FunctionName"]
    # As long as the function may take; and sent once, since a retry would be a second invocation.
    patient = Config(read_timeout=910, retries={"total_max_attempts": 1})
    answer = account.client("lambda", config=patient).invoke(FunctionName=function, Payload=json.dumps(event).encode())
    body = json.loads(answer["Payload"].read() or b"null")
    print(json.dumps(body, indent=2, ensure_ascii=False))
    if "FunctionError" in answer:
        raise Problem(f"the function failed: {body.get('errorType', answer['FunctionError'])}")


def logs(settings: Settings, options: argparse.Namespace) -> None:
    """Prints the log of the last hours."""
    account = Account(settings)
    account.show()
    group = account.deployed(settings.stack)["LogGroupName"]
    start = int((time.time() - options.hours * 3600) * 1000)
    pages = account.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group, startTime=start)
    lines = [event["message"].rstrip() for page in pages for event in page["events"]]
    print("\n".join(lines) if lines else f"nothing in the last {options.hours:g} hours")


def subscribe(settings: Settings, options: argparse.Namespace) -> None:
    """Subscribes an address to the messages for one user of one account, and to no others."""
    account = Account(settings)
    account.show()
    topic = account.deployed(settings.stack)["NotificationTopicArn"]
    owner = options.account or account.id
    name = options.user
    if owner == account.id:
        try:
            # As IAM writes it: that is what the messages carry, and filters mind the case.
            name = account.client("iam").get_user(UserName=name)["User"]["UserName"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchEntity":
                raise
            raise Problem(f"there is no IAM user {name} in account {owner}") from error
    else:
        print(f"whether account {owner} has a user {name}, in this spelling, cannot be seen from here")
    try:
        account.client("sns").subscribe(
            TopicArn=topic,
            Protocol="email",
            Endpoint=options.email,
            ReturnSubscriptionArn=True,
            Attributes={
                "FilterPolicyScope": "MessageAttributes",
                "FilterPolicy": json.dumps({"account_id": [owner], "user_name": [name]}),
            },
        )
    except ClientError as error:
        if "already exists with different attributes" in str(error):
            raise Problem(
                f"{options.email} is subscribed already, for someone else: SNS takes an address once for a topic; use "
                "another form of it, such as name+account@example.com"
            ) from error
        if error.response["Error"]["Code"] == "FilterPolicyLimitExceeded":
            raise Problem(
                "the topic's quota of filter policies is used up: ask AWS for more, or subscribe a group"
            ) from error
        raise
    print(f"{options.email} gets a message to confirm, then all that is meant for {name} of account {owner}.")


@contextmanager
def plainly() -> Iterator[None]:
    """Turns what AWS or its SDK objects to into one line, and an exit code."""
    try:
        yield
    except Problem as problem:
        sys.exit(f"error: {problem}")
    except (NoCredentialsError, PartialCredentialsError):
        sys.exit("error: no AWS credentials: run `aws configure sso` or `aws login`, or set AWS_PROFILE")
    except NoRegionError:
        sys.exit("error: no region: set AWS_REGION, or `region` in the AWS configuration")
    except ClientError as error:
        detail = error.response["Error"]
        if detail["Code"] in ("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "RequestExpired"):
            sys.exit(f"error: these AWS credentials are expired or invalid ({detail['Code']}): sign in again")
        sys.exit(f"error: {error.operation_name}: {detail['Code']}: {detail['Message']}")
    except BotoCoreError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("error: interrupted")


def main(arguments: list[str] | None = None, samconfig: Path = SAMCONFIG) -> None:
    """Runs one command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(run: Any) -> argparse.ArgumentParser:
        added = commands.add_parser(run.__name__, help=run.__doc__, description=run.__doc__)
        added.set_defaults(run=run)
        return added

    deploying = command(deploy)
    deploying.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter, kept too")
    deploying.add_argument("--yes", action="store_true", help="do not ask whether this is the right account")
    command(delete).add_argument("--yes", action="store_true", help="do not ask")
    command(invoke).add_argument("event", type=Path, help="a file with an event, such as events/sweep-dry-run.json")
    command(logs).add_argument("--hours", type=float, default=1, help="how far to look back")
    subscribing = command(subscribe)
    subscribing.add_argument("user", help="an IAM user's name")
    subscribing.add_argument("email", help="the address that gets the messages")
    subscribing.add_argument("--account", help="the user's account, if it is not the function's", metavar="ID")
    options = parser.parse_args(arguments)
    with plainly():
        options.run(Settings(samconfig), options)


if __name__ == "__main__":
    main()
