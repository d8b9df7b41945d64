"""Puts the stack into an AWS account and works with it: deploy, delete, invoke, logs, subscribe.

Credentials and profile are found as the AWS CLI finds them. What has no default is asked for once and kept in
samconfig.toml, which `sam` itself reads too; so are the account and the region, and no command acts in others. Every
command first says where it is about to act.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import tomlkit
import yaml
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError, PartialCredentialsError
from tomlkit.exceptions import TOMLKitError

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "infra" / "template.yaml"
SAMCONFIG = ROOT / "samconfig.toml"
NAME = "iam-password-remediator"
ACTION = "ResetPassword"
# In a package, beside the files that it is about.
SUMS = "SHA256SUMS"


class Problem(Exception):
    """Something the caller can do something about; the text says what."""


class Settings:
    """samconfig.toml: the stack's name, account and region, and the parameters that were given."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._found = path.read_text() if path.exists() else None
        try:
            self._document = tomlkit.parse(self._found or "")
        except TOMLKitError as error:
            raise Problem(f"{path.name}: {error}") from error
        self._document.setdefault("version", 0.1)

    def _section(self, command: str) -> Any:
        default = self._document.setdefault("default", tomlkit.table(is_super_table=True))
        section = default.setdefault(command, tomlkit.table(is_super_table=True))
        return section.setdefault("parameters", tomlkit.table())

    @property
    def stack(self) -> str:
        """The stack's name."""
        return str(self._section("global").setdefault("stack_name", NAME))

    @property
    def account(self) -> str | None:
        """The account that was deployed to; in a section that `sam` does not look at."""
        found = self._section(NAME).get("account_id")
        return str(found) if found else None

    @account.setter
    def account(self, account: str) -> None:
        self._section(NAME)["account_id"] = account

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
        for name, value in given.items():
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise Problem(f'{self.path.name}: write {name} as text in quotes, {name} = "VALUE"')
        return {str(name): str(value) for name, value in given.items()}

    @parameters.setter
    def parameters(self, parameters: dict[str, str]) -> None:
        section = self._section("deploy")
        section["resolve_s3"] = True
        section["capabilities"] = "CAPABILITY_NAMED_IAM"
        section["parameter_overrides"] = parameters

    def save(self) -> None:
        """Writes the file."""
        _ = self.stack
        self.path.write_text(tomlkit.dumps(self._document))

    def put_back(self) -> None:
        """Leaves the file as it was found."""
        if self._found is None:
            self.path.unlink(missing_ok=True)
        else:
            self.path.write_text(self._found)


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
        self._clients: dict[str, Any] = {}
        identity = self.client("sts").get_caller_identity()
        self.id = str(identity["Account"])
        self.caller = str(identity["Arn"])
        if settings.account and self.id != settings.account:
            raise Problem(
                f"{settings.path.name} is about account {settings.account}, these credentials are of {self.id}: sign "
                f"in to {settings.account} (AWS_PROFILE chooses), or move {settings.path.name} away to deploy to "
                f"{self.id} as well"
            )

    def client(self, service: str, **options: Any) -> Any:
        """A client of a service. It takes a moment to make, so one without options is kept."""
        if options:
            return self.session.client(service, **options)
        if service not in self._clients:
            self._clients[service] = self.session.client(service)
        return self._clients[service]

    def show(self) -> None:
        """Says where this is about to act."""
        print(f"account {self.id}, region {self.region}, as {self.caller}", flush=True)

    def stack(self, name: str) -> dict[str, Any] | None:
        """What CloudFormation says of a stack; None if there is none, or no more of it than a change set."""
        try:
            [found] = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return None if found["StackStatus"] == "REVIEW_IN_PROGRESS" else found

    def outputs(self, stack: str) -> dict[str, str]:
        """The stack's outputs; none of a stack that does not exist."""
        found = self.stack(stack) or {}
        return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}

    def parameters(self, stack: str) -> dict[str, str]:
        """The values that the stack was deployed with."""
        found = self.stack(stack) or {}
        return {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in found.get("Parameters", [])}

    def deployed(self, stack: str) -> dict[str, str]:
        """The outputs of a stack that has to be there."""
        outputs = self.outputs(stack)
        if not outputs:
            raise Problem(no_stack(self, stack))
        return outputs


def no_stack(account: Account, stack: str) -> str:
    """What is said where a stack has to be there."""
    return f"there is no stack {stack} in account {account.id}, region {account.region}: run `make deploy`"


# Packages ------------------------------------------------------------------------------------------------------------


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Enough YAML for the section of the parameters."""


_Loader.add_multi_constructor("!", lambda *_: None)


def declared(template: str) -> dict[str, dict[str, Any]]:
    """A template's parameters."""
    return yaml.load(template, _Loader)["Parameters"]


class Package:
    """What infra/package.py wrote, complete and unharmed: it answers to its own sums."""

    def __init__(self, directory: Path, origin: Path) -> None:
        if not (directory / SUMS).is_file():
            raise Problem(f"{origin} is no package: it has no {SUMS}. `make package` writes one to dist")
        sums = {name: digest for digest, name in re.findall(r"(\S+)  (\S+)\n", (directory / SUMS).read_text())}
        for name, expected in sums.items():
            file = directory / Path(name).name
            if not file.is_file():
                raise Problem(f"{origin}: {name} is missing, though {SUMS} names it")
            found = hashlib.sha256(file.read_bytes()).hexdigest()
            if found != expected:
                raise Problem(
                    f"{origin}: {name} is not what was packed: its SHA-256 is {found}, {SUMS} says {expected}"
                )
        if "template.yaml" not in sums:
            raise Problem(f"{origin} is no package: {SUMS} names no template.yaml")
        self.template = directory / "template.yaml"
        self.parameters = declared(self.template.read_text())
        self._archives = {
            match[1]: directory / name
            for name in sums
            if (match := re.fullmatch(rf"{NAME}-(x86_64|arm64)-[0-9a-f]+\.zip", name))
        }

    def archive(self, architecture: str | None) -> tuple[str, Path]:
        """The zip for an architecture; for the only one there is if none is asked for."""
        has = " and ".join(sorted(self._archives)) or "no architecture"
        if architecture is None and len(self._archives) == 1:
            [architecture] = self._archives
        if architecture is None:
            raise Problem(f"the package has zips for {has}: choose one with SET=Architecture=…")
        if architecture not in self._archives:
            raise Problem(f"the package has no zip for {architecture}, but for {has}")
        return architecture, self._archives[architecture]


@contextmanager
def opened(path: Path) -> Iterator[Package]:
    """A package in a directory, or in an archive of one."""
    if path.is_dir():
        yield Package(path, path)
        return
    with tempfile.TemporaryDirectory() as temporary:
        # A package is flat, so only the last part of a name counts: nothing is written elsewhere.
        into = Path(temporary)
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for entry in archive.infolist():
                    if not entry.is_dir():
                        (into / Path(entry.filename).name).write_bytes(archive.read(entry))
        elif path.is_file() and tarfile.is_tarfile(path):
            with tarfile.open(path) as archive:
                for member in archive:
                    if content := archive.extractfile(member):
                        (into / Path(member.name).name).write_bytes(content.read())
        else:
            raise Problem(f"{path} is neither a directory nor a zip or tar archive")
        yield Package(into, path)


# Deploying -----------------------------------------------------------------------------------------------------------

# Parameters that follow from where the code was uploaded to.
COMPUTED = ("CodeBucket", "CodeKey")
# Parameters that there were once, and why one can do without.
GONE = {"SweepAlarmHours": "the alarm goes by SweepSchedule"}
# IAM's limit for a role's name, and what the audit's role adds to that of the function's.
ROLE_NAME_LENGTH = 64
AUDIT_SUFFIX = "-audit"


def check(parameters: dict[str, dict[str, Any]], name: str, value: str) -> None:
    """A Problem if a template with these parameters would not take the value."""
    parameter = parameters.get(name)
    if parameter is None and name in GONE:
        raise Problem(f"there is no parameter {name} any more ({GONE[name]}): take it out")
    if parameter is None:
        spelled = {known.lower(): known for known in parameters}
        near = difflib.get_close_matches(name.lower(), spelled, n=1)
        hint = f": did you mean {spelled[near[0]]}?" if near else ""
        raise Problem(f"the template has no parameter {name}{hint}")
    if name in COMPUTED:
        raise Problem(f"{name} follows from where the code is uploaded to: it cannot be given")
    allowed = parameter.get("AllowedValues")
    if allowed and value not in map(str, allowed):
        raise Problem(f"{name} is {value!r}: allowed are {', '.join(map(str, allowed))}")
    least, most = parameter.get("MinValue"), parameter.get("MaxValue")
    if parameter["Type"] == "Number":
        if not re.fullmatch(r"-?\d+", value):
            raise Problem(f"{name} is {value!r}: a whole number is expected")
        if (least is not None and int(value) < least) or (most is not None and int(value) > most):
            raise Problem(f"{name} is {value}: allowed are {least} to {most}")
    shortest, longest = parameter.get("MinLength", 0), parameter.get("MaxLength")
    if len(value) < shortest or (longest is not None and len(value) > longest):
        raise Problem(f"{name} has {len(value)} characters: allowed are {shortest} to {longest}")
    is_list = parameter["Type"] == "CommaDelimitedList"
    for item in [part.strip() for part in value.split(",")] if is_list else [value]:
        if "AllowedPattern" in parameter and not re.fullmatch(parameter["AllowedPattern"], item):
            raise Problem(f"{name} is {value!r}: {parameter.get('ConstraintDescription', parameter['Description'])}")


def check_role(name: str, region: str, parameters: dict[str, str], before: dict[str, str]) -> None:
    """A Problem if the functions' roles cannot get the names and the path that follow from the parameters."""
    role = parameters.get("FunctionRoleName", before.get("FunctionRoleName"))
    longest = f"{name}-{region}{AUDIT_SUFFIX}"
    if not role and len(longest) > ROLE_NAME_LENGTH:
        raise Problem(
            f"{longest} has more than {ROLE_NAME_LENGTH} characters, and so is no name for the audit's role: give "
            "the function's a shorter one with SET=FunctionRoleName=…"
        )
    path = parameters.get("RolePath", before.get("RolePath"))
    if "RolePath" in before and path != before["RolePath"] and role == before.get("FunctionRoleName"):
        raise Problem(
            f"RolePath of a stack that stands is {before['RolePath']}, and IAM moves no role: give FunctionRoleName a "
            "new value too, and the member stacks the new ARNs of both roles"
        )


def assigned(options: argparse.Namespace) -> dict[str, str]:
    """The parameters of the command line."""
    try:
        words = shlex.split(options.set_all)
    except ValueError as error:
        raise Problem(f"{options.set_all} has a quote without its other half") from error
    given = {}
    for assignment in [*options.set, *words]:
        name, found, value = assignment.partition("=")
        if not found:
            raise Problem(
                f"{assignment} is not NAME=VALUE. A value with blanks stands in quotes: "
                """make deploy SET='SupportContact="the help desk, ext. 5"'"""
            )
        given[name] = value
    return given


def ask(question: str, instead: str = "") -> str:
    """An answer from a person, who has to be there; `instead` says what does without one."""
    if not sys.stdin.isatty():
        raise Problem(f"there is nobody to ask: {question}" + (f" ({instead})" if instead else ""))
    return input(f"{question}: ").strip()


def sam(*arguments: str) -> None:
    """Runs the `sam` beside this Python, without telling anyone outside of it."""
    program = Path(sys.executable).parent / "sam"
    if not program.exists():
        raise Problem("sam is missing beside this Python: install infra/requirements.txt")
    done = subprocess.run([program, *arguments], env={**os.environ, "SAM_CLI_TELEMETRY": "0"}, check=False)
    if done.returncode:
        raise Problem(f"`sam {arguments[0]}` failed; see above")


def sam_bucket(region: str) -> str:
    """The bucket that `sam` keeps in the account and region for what it deploys; it is made if it is missing."""
    # Late, since it takes longer to load than all else here.
    from samcli.commands.exceptions import UserException
    from samcli.lib.bootstrap.bootstrap import manage_stack

    try:
        return str(manage_stack(profile=None, region=region))
    except UserException as error:
        raise Problem(f"no bucket to upload the code to: {error}") from error


def upload(account: Account, archive: Path) -> dict[str, str]:
    """Uploads the code; the parameters that say where it is."""
    bucket, key = sam_bucket(account.region), f"{NAME}/{archive.name}"
    account.client("s3").put_object(
        Bucket=bucket,
        Key=key,
        Body=archive.read_bytes(),
        ChecksumAlgorithm="SHA256",
        ExpectedBucketOwner=account.id,
    )
    return {"CodeBucket": bucket, "CodeKey": key}


def not_executed(account: Account, stack: str) -> set[str]:
    """The change sets of a stack that wait for a decision."""
    pages = account.client("cloudformation").get_paginator("list_change_sets").paginate(StackName=stack)
    try:
        found = [change_set for page in pages for change_set in page["Summaries"]]
    except ClientError as error:
        if "does not exist" in str(error):
            return set()
        raise
    return {change_set["ChangeSetId"] for change_set in found if change_set.get("ExecutionStatus") == "AVAILABLE"}


def execute(account: Account, settings: Settings, template: Path, parameters: dict[str, str], sure: bool) -> None:
    """Shows the change set, asks unless sure, and carries it out."""
    waiting = not_executed(account, settings.stack)
    sam(
        "deploy",
        *("--template-file", str(template)),
        *("--config-file", str(settings.path)),
        *("--stack-name", settings.stack),
        *("--region", account.region),
        "--no-fail-on-empty-changeset",
        "--no-confirm-changeset" if sure else "--confirm-changeset",
        "--parameter-overrides",
        *overrides_of(parameters),
    )
    # A no is a success too, for `sam`.
    declined = not_executed(account, settings.stack) - waiting
    if declined:
        cloudformation = account.client("cloudformation")
        for change_set in declined:
            cloudformation.delete_change_set(ChangeSetName=change_set)
        if account.stack(settings.stack) is None:
            # The empty stack that the change set of a new one stands in.
            cloudformation.delete_stack(StackName=settings.stack)
        settings.put_back()
        raise Problem("nothing was changed")


def first_mode(sure: bool) -> str:
    """The mode that a new stack starts in."""
    question = "Start in dry run, which reports what would be done and changes nothing? [Y/n]"
    answer = "" if sure else ask(question)
    return "remediate" if answer.lower() in ("n", "no") else "dry-run"


def deploy(settings: Settings, options: argparse.Namespace) -> None:
    """Creates or updates the stack, and sees to Security Hub's custom action."""
    if not options.yes and not sys.stdin.isatty():
        raise Problem("there is nobody to ask: give YES=1")
    given = assigned(options)
    parameters = settings.parameters | given
    with opened(options.package) as package:
        for name, value in parameters.items():
            try:
                check(package.parameters, name, value)
            except Problem as problem:
                raise problem if name in given else Problem(f"{settings.path.name}: {problem}") from problem
        architecture, archive = package.archive(parameters.get("Architecture"))
        account = Account(settings)
        account.show()
        before = account.parameters(settings.stack)
        check_role(settings.stack, account.region, parameters, before)
        for name, parameter in package.parameters.items():
            if "Default" not in parameter and name not in [*parameters, *before, *COMPUTED]:
                parameters[name] = ask(f"{name}: {parameter['Description']}", f"give SET='{name}=…'")
                check(package.parameters, name, parameters[name])
        if account.stack(settings.stack) is None and "Mode" not in parameters:
            parameters["Mode"] = first_mode(options.yes)
        is_known = options.yes or settings.account
        if not is_known and ask("Deploy to this account and region? [y/N]").lower() not in ("y", "yes"):
            raise Problem("nothing was done")
        hub = CustomAction(account, settings.stack)
        from_stack = account.outputs(settings.stack).get("CustomActionMaker") == "stack"
        # An action that someone else made is theirs; the stack could not make it once more.
        action = "create" if hub.is_missing or from_stack else "none"
        computed = {"Architecture": architecture, "CustomAction": action}
        settings.account, settings.region, settings.parameters = account.id, account.region, parameters
        settings.save()
        everything = computed | parameters | upload(account, archive)
        execute(account, settings, package.template, everything, options.yes)
    outputs = account.deployed(settings.stack)
    if hub.is_missing and outputs["CustomActionMaker"] != "stack" and parameters.get("CustomAction") != "none":
        hub.create()
    print(f"\nDeployed. {settings.path.name} keeps what was asked; put further parameters of the template there.")
    if not hub.is_reachable:
        print(
            "Security Hub CSPM is off in this region, or you may not look at it. No findings come until it is on; its "
            f"custom action {ACTION} is made by the next `make deploy` that sees it."
        )
    if account.parameters(settings.stack).get("Mode") == "dry-run":
        print(
            "It runs dry: it reports what it would do, and its roles can change nothing. To have it act:\n"
            "  make deploy SET=Mode=remediate"
        )
    for name, value in outputs.items():
        print(f"  {name}: {value}")


class CustomAction:
    """Security Hub's custom action, where CloudFormation cannot make it. Its description says for which stack."""

    def __init__(self, account: Account, stack: str) -> None:
        self.hub = account.client("securityhub")
        partition = account.session.get_partition_for_region(account.region)
        self.arn = f"arn:{partition}:securityhub:{account.region}:{account.id}:action/custom/{ACTION}"
        self.mark = f"(made by `make deploy` for the stack {stack})"
        self.is_reachable = True
        self._found: dict[str, Any] | None = None
        try:
            targets = self.hub.describe_action_targets(ActionTargetArns=[self.arn])["ActionTargets"]
            self._found = targets[0] if targets else None
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in ("InvalidAccessException", "AccessDeniedException"):
                self.is_reachable = False
            elif code != "ResourceNotFoundException":
                raise

    @property
    def is_missing(self) -> bool:
        """Whether there is no such action; False too if Security Hub is off or out of the caller's reach."""
        return self.is_reachable and self._found is None

    @property
    def is_ours(self) -> bool:
        """Whether `create` made it, for this stack."""
        return self._found is not None and self._found["Description"].endswith(self.mark)

    def create(self) -> None:
        """Makes it, in the words of the template."""
        description = "Issue new console passwords to the IAM users of these findings, however fresh the old ones are"
        self.hub.create_action_target(Id=ACTION, Name="Reset password", Description=f"{description} {self.mark}")
        print(f"Security Hub's custom action {ACTION} was made; CloudFormation cannot make it in this region.")

    def delete(self) -> None:
        """Takes it away."""
        self.hub.delete_action_target(ActionTargetArn=self.arn)


# What the template keeps when the stack is deleted, with the outputs that name it.
RETAINED = {
    "the ledger": "LedgerTableName",
    "the log": "LogGroupName",
    "the policy for users": "ReadOwnPasswordPolicyArn",
    "the policy for the help desk": "ReadAllPasswordsPolicyArn",
}


def delete(settings: Settings, options: argparse.Namespace) -> None:
    """Deletes the stack. What the function made stays."""
    account = Account(settings)
    account.show()
    if account.stack(settings.stack) is None:
        raise Problem(no_stack(account, settings.stack))
    outputs = account.outputs(settings.stack)
    if not options.yes:
        typed = ask(f"Delete the stack? Type its name, {settings.stack}", "give YES=1")
        if typed != settings.stack:
            raise Problem("nothing was deleted")
    action = CustomAction(account, settings.stack)
    from_stack = outputs.get("CustomActionMaker") == "stack"
    if action.is_ours:
        action.delete()
    sam("delete", "--stack-name", settings.stack, "--region", account.region, "--no-prompts")
    print(
        "Deleted. The secrets below SECRET_PREFIX stay, since they may hold the only copy of a password; so do "
        "granted IAMUserChangePassword policies, strengthened password policies and "
        f"{settings.path.name}. Of the stack stay:"
    )
    for what, output in RETAINED.items():
        print(f"  {what}: {outputs.get(output, 'if the stack ever got as far as making it')}")
    print(
        "Detach and delete the two policies when the secrets are gone. A new stack begins with an empty ledger: see "
        "infra/README.md."
    )
    if action.is_reachable and not action.is_missing and not action.is_ours and not from_stack:
        print(f"Security Hub's custom action {ACTION} stays too: this stack did not make it.")


# Using it ------------------------------------------------------------------------------------------------------------


def send(account: Account, function: str, event: Any) -> tuple[Any, str | None]:
    """The function's answer to one event, and the type of its error if it failed."""
    # As long as the function may take; and sent once, since a retry would be a second invocation.
    patient = Config(read_timeout=910, retries={"total_max_attempts": 1})
    answer = account.client("lambda", config=patient).invoke(FunctionName=function, Payload=json.dumps(event).encode())
    body = json.loads(answer["Payload"].read() or b"null")
    return body, body.get("errorType", answer["FunctionError"]) if "FunctionError" in answer else None


def is_audit(event: Any) -> bool:
    """Whether an event orders an audit, which has a function of its own."""
    return isinstance(event, dict) and event.get("action") == "audit"


def function_for(event: Any, outputs: dict[str, str]) -> str:
    """The name of the deployed function that an event is for."""
    return outputs["AuditFunctionName" if is_audit(event) else "FunctionName"]


def invoke(settings: Settings, options: argparse.Namespace) -> None:
    """Sends one event to the deployed function that it is for, and prints the answer."""
    try:
        event = json.loads(options.event.read_text())
    except (OSError, ValueError) as error:
        raise Problem(f"{options.event}: {error}") from error
    account = Account(settings)
    account.show()
    function = function_for(event, account.deployed(settings.stack))
    body, error = send(account, function, event)
    print(json.dumps(body, indent=2, ensure_ascii=False))
    if error:
        raise Problem(f"the function failed: {error}")


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
    deploying.add_argument(
        "--package", type=Path, required=True, help="what infra/package.py wrote, or an archive of it"
    )
    deploying.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter, kept too")
    deploying.add_argument(
        "--set-all", default="", metavar="'NAME=VALUE …'", help="several, and values with blanks in quotes"
    )
    deploying.add_argument("--yes", action="store_true", help="ask nothing; a new stack starts in dry run")
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
