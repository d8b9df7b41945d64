"""Least privilege, both ways: every call of the program is allowed, and those it must never make are denied."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from e2e.recorder import line

from .cfn import PLACES, ROOT, Place, Stack, document, main_stack, member_stack, statements
from .simulator import Request, access_levels, ask, role_policies, session, without_resource

HOME, MEMBER = "123456789012", "210987654321"
KEY = "arn:{p}:kms:{r}:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
LEDGER_KEY = KEY.replace("1234abcd-", "5678abcd-")
MEMBER_ROLE = "iam-password-remediator-member"
MANAGED_BY = "iam-password-remediator"
ORGANIZATION = "o-exampleorg1"
# The topic and the table of tests/demo and tests/e2e.
TEST_TOPIC, TEST_TABLE = "passwords", "ledger"

NEEDS_NO_PERMISSION = {"sts:GetCallerIdentity"}
# What Lambda and Secrets Manager do with the role, and the function does not.
MADE_BY_OTHERS = {
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:GenerateDataKey",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
# As the API's documentation has it.
AUTHORISED_AS = {"securityhub:BatchUpdateFindingsV2": "securityhub:BatchUpdateFindings"}

Context = dict[str, str | list[str]]
# An action, a resource with places to fill in, and what IAM knows of the call besides.
Call = tuple[str, str, Context]

ALICE = "arn:{p}:iam::{a}:user/alice"
IN_PATH = "arn:{p}:iam::{a}:user/engineering/eu/bob"
SECRET = "arn:{p}:secretsmanager:{r}:{a}:secret:iam-console-password/{a}/alice-AbCdEf"
# As it is when the secret does not exist yet, or is asked for by name.
NAMED = "arn:{p}:secretsmanager:{r}:{a}:secret:iam-console-password/{a}/doe/2Cjohn"
TAGS: Context = {
    "aws:RequestTag/managed-by": MANAGED_BY,
    "aws:RequestTag/iam-user": "alice",
    "aws:RequestTag/account-id": "{a}",
    "aws:TagKeys": ["managed-by", "iam-user", "account-id"],
}
GRANT: Context = {"iam:PolicyARN": "arn:{p}:iam::aws:policy/IAMUserChangePassword"}
UNTAGGED: Context = {"iam:ResourceTag/team": "platform"}
EXEMPT: Context = {"iam:ResourceTag/password-remediation": "exempt"}

# Every call that src/aws/*.rs makes in the account of the user.
READS: list[Call] = [
    ("iam:GetUser", ALICE, {}),
    ("iam:GetUser", IN_PATH, {}),
    ("iam:ListUsers", "*", {}),
    ("iam:ListUserTags", ALICE, {}),
    ("iam:GetLoginProfile", IN_PATH, {}),
    ("iam:SimulatePrincipalPolicy", IN_PATH, {}),
    ("iam:GetAccountPasswordPolicy", "*", {}),
    ("iam:GenerateCredentialReport", "*", {}),
    ("iam:GetCredentialReport", "*", {}),
    ("iam:GetAccountAuthorizationDetails", "*", {}),
    ("secretsmanager:DescribeSecret", NAMED, {}),
    ("secretsmanager:DescribeSecret", SECRET, {}),
    ("secretsmanager:ListSecrets", "*", {}),
]
WRITES: list[Call] = [
    ("iam:UpdateLoginProfile", ALICE, {}),
    ("iam:UpdateLoginProfile", IN_PATH, UNTAGGED),
    ("iam:UpdateLoginProfile", ALICE, {"iam:ResourceTag/password-remediation": "welcome"}),
    ("iam:AttachUserPolicy", ALICE, GRANT),
    ("iam:UpdateAccountPasswordPolicy", "*", {}),
    ("secretsmanager:CreateSecret", NAMED, TAGS),
    # Asked for by CreateSecret with tags, too.
    ("secretsmanager:TagResource", NAMED, TAGS),
    ("secretsmanager:TagResource", SECRET, {"aws:RequestTag/iam-user": "alice", "aws:TagKeys": ["iam-user"]}),
    ("secretsmanager:PutSecretValue", SECRET, {}),
    ("secretsmanager:GetSecretValue", SECRET, {"secretsmanager:VersionStage": "AWSPENDING"}),
    ("secretsmanager:RestoreSecret", SECRET, {}),
    ("secretsmanager:UpdateSecretVersionStage", SECRET, {"secretsmanager:VersionStage": "AWSCURRENT"}),
]
KEYED: list[Call] = [
    ("kms:GenerateDataKey", KEY, {"kms:ViaService": "secretsmanager.{r}.{s}"}),
    ("kms:Decrypt", KEY, {"kms:ViaService": "secretsmanager.{r}.amazonaws.com"}),
]
# What it does in its own account only, and what Lambda does with its role.
TELLING: list[Call] = [
    ("sns:Publish", "{topic}", {}),
    ("sqs:SendMessage", "{dead_letters}", {}),
    ("logs:CreateLogStream", "{log_group}:log-stream:2026/11/20/[$LATEST]0123", {}),
    ("logs:PutLogEvents", "{log_group}:log-stream:2026/11/20/[$LATEST]0123", {}),
    ("xray:PutTraceSegments", "*", {}),
    ("xray:PutTelemetryRecords", "*", {}),
]
# The ledger, in its own account only, whosever users are in it.
LOOKING_UP: list[Call] = [("dynamodb:BatchGetItem", "{ledger}", {}), ("dynamodb:Query", "{ledger}/index/open", {})]
NOTING_DOWN: list[Call] = [("dynamodb:UpdateItem", "{ledger}", {})]
LEDGER_KEYED: list[Call] = [
    ("kms:Decrypt", LEDGER_KEY, {"kms:ViaService": "dynamodb.{r}.{s}"}),
    ("kms:DescribeKey", LEDGER_KEY, {"kms:ViaService": "dynamodb.{r}.amazonaws.com"}),
]
QUEUEING: list[Call] = [
    (f"sqs:{name}", "{jobs}", {})
    for name in ("SendMessage", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "ChangeMessageVisibility")
]
HUB, HUB_V2 = "arn:{p}:securityhub:{r}:{a}:hub/default", "arn:{p}:securityhub:{r}:{a}:hubv2/0123abcd"
RECORDING: list[Call] = [
    ("securityhub:BatchUpdateFindings", HUB, {"securityhub:ASFFSyntaxPath/Workflow.Status": "NOTIFIED"}),
    ("securityhub:BatchUpdateFindings", HUB, {"securityhub:ASFFSyntaxPath/Workflow.Status": "RESOLVED"}),
    ("securityhub:BatchUpdateFindings", HUB, {"securityhub:ASFFSyntaxPath/Note.Text": "done"}),
    ("securityhub:BatchUpdateFindings", HUB_V2, {}),
    # In progress, resolved, and a comment without either.
    ("securityhub:BatchUpdateFindings", HUB_V2, {"securityhub:OCSFSyntaxPath/StatusId": "2"}),
    ("securityhub:BatchUpdateFindings", HUB_V2, {"securityhub:OCSFSyntaxPath/StatusId": "4"}),
    ("securityhub:BatchUpdateFindings", HUB_V2, {"securityhub:OCSFSyntaxPath/Comment": "done"}),
]
ASSUMING: list[Call] = [
    (
        "sts:AssumeRole",
        f"arn:{{p}}:iam::{MEMBER}:role/{MEMBER_ROLE}",
        {"aws:ResourceOrgID": ORGANIZATION, "aws:PrincipalOrgID": ORGANIZATION},
    ),
]

OTHER_TABLE = "arn:{p}:dynamodb:{r}:{a}:table/other"
OTHER_SECRET = "arn:{p}:secretsmanager:{r}:{a}:secret:database/root-AbCdEf"
FORBIDDEN: dict[str, Call] = {
    # Users and who they are.
    "giving a user a password who has none": ("iam:CreateLoginProfile", ALICE, {}),
    "taking the console away": ("iam:DeleteLoginProfile", ALICE, {}),
    "resetting an exempt user": ("iam:UpdateLoginProfile", ALICE, EXEMPT),
    "resetting an exempt user, in another case": (
        "iam:UpdateLoginProfile",
        ALICE,
        {"iam:ResourceTag/Password-Remediation": "Exempt"},
    ),
    "granting something to an exempt user": ("iam:AttachUserPolicy", ALICE, GRANT | EXEMPT),
    "resetting a user of another account": ("iam:UpdateLoginProfile", "arn:{p}:iam::111122223333:user/alice", {}),
    "changing its own password": ("iam:ChangePassword", ALICE, {}),
    "making a user": ("iam:CreateUser", ALICE, {}),
    "deleting a user": ("iam:DeleteUser", ALICE, {}),
    "making an access key": ("iam:CreateAccessKey", ALICE, {}),
    "taking MFA away": ("iam:DeactivateMFADevice", ALICE, {}),
    "taking the exemption away": ("iam:UntagUser", ALICE, {}),
    "exempting": ("iam:TagUser", ALICE, {}),
    # Permissions.
    "making an administrator": (
        "iam:AttachUserPolicy",
        ALICE,
        {"iam:PolicyARN": "arn:{p}:iam::aws:policy/AdministratorAccess"},
    ),
    "attaching a namesake of the policy": (
        "iam:AttachUserPolicy",
        ALICE,
        {"iam:PolicyARN": "arn:{p}:iam::{a}:policy/IAMUserChangePassword"},
    ),
    "attaching to a role": ("iam:AttachRolePolicy", "arn:{p}:iam::{a}:role/any", GRANT),
    "attaching to a group": ("iam:AttachGroupPolicy", "arn:{p}:iam::{a}:group/any", GRANT),
    "writing a policy": ("iam:PutUserPolicy", ALICE, {}),
    "taking a policy away": ("iam:DetachUserPolicy", ALICE, GRANT),
    "passing a role": ("iam:PassRole", "arn:{p}:iam::{a}:role/any", {}),
    "deleting the password policy": ("iam:DeleteAccountPasswordPolicy", "*", {}),
    # Secrets.
    "reading another secret": ("secretsmanager:GetSecretValue", OTHER_SECRET, {}),
    "reading a prefix that begins alike": (
        "secretsmanager:GetSecretValue",
        "arn:{p}:secretsmanager:{r}:{a}:secret:iam-console-password-old/{a}/alice-AbCdEf",
        {},
    ),
    "reading another account's under the prefix": (
        "secretsmanager:GetSecretValue",
        "arn:{p}:secretsmanager:{r}:{a}:secret:iam-console-password/999999999999/alice-AbCdEf",
        {},
    ),
    "writing another secret": ("secretsmanager:PutSecretValue", OTHER_SECRET, {}),
    "making a secret elsewhere": ("secretsmanager:CreateSecret", OTHER_SECRET, TAGS),
    "making a secret without tags": ("secretsmanager:CreateSecret", NAMED, {}),
    "making a secret with more tags": (
        "secretsmanager:CreateSecret",
        NAMED,
        TAGS | {"aws:RequestTag/cost": "1", "aws:TagKeys": ["managed-by", "iam-user", "account-id", "cost"]},
    ),
    "making a secret in another name": (
        "secretsmanager:CreateSecret",
        NAMED,
        TAGS | {"aws:RequestTag/managed-by": "me"},
    ),
    "making a secret for another account": (
        "secretsmanager:CreateSecret",
        NAMED,
        TAGS | {"aws:RequestTag/account-id": "999999999999"},
    ),
    "tagging a secret otherwise": (
        "secretsmanager:TagResource",
        SECRET,
        {"aws:RequestTag/owner": "me", "aws:TagKeys": ["owner"]},
    ),
    "tagging another secret": ("secretsmanager:TagResource", OTHER_SECRET, TAGS),
    "untagging a secret": ("secretsmanager:UntagResource", SECRET, {"aws:TagKeys": ["iam-user"]}),
    "deleting a secret": ("secretsmanager:DeleteSecret", SECRET, {}),
    "opening a secret to others": ("secretsmanager:PutResourcePolicy", SECRET, {}),
    "copying a secret to other regions": ("secretsmanager:ReplicateSecretToRegions", SECRET, {}),
    "reading many secrets at once": ("secretsmanager:BatchGetSecretValue", "*", {}),
    # The ledger.
    "reading another table": ("dynamodb:BatchGetItem", OTHER_TABLE, {}),
    "writing another table": ("dynamodb:UpdateItem", OTHER_TABLE, {}),
    "writing a table whose name begins alike": ("dynamodb:UpdateItem", "{ledger}2", {}),
    "writing a namesake of another account": (
        "dynamodb:UpdateItem",
        "arn:{p}:dynamodb:{r}:999999999999:table/{ledger_name}",
        {},
    ),
    "querying another index": ("dynamodb:Query", "{ledger}/index/other", {}),
    "querying the table": ("dynamodb:Query", "{ledger}", {}),
    "reading all of the ledger": ("dynamodb:Scan", "{ledger}", {}),
    "reading all that is open by another call": ("dynamodb:Scan", "{ledger}/index/open", {}),
    "writing down whole items": ("dynamodb:PutItem", "{ledger}", {}),
    "writing many items": ("dynamodb:BatchWriteItem", "{ledger}", {}),
    "forgetting": ("dynamodb:DeleteItem", "{ledger}", {}),
    "deleting the ledger": ("dynamodb:DeleteTable", "{ledger}", {}),
    "unprotecting the ledger": ("dynamodb:UpdateTable", "{ledger}", {}),
    "letting the ledger forget sooner": ("dynamodb:UpdateTimeToLive", "{ledger}", {}),
    "opening the ledger to others": ("dynamodb:PutResourcePolicy", "{ledger}", {}),
    "using the ledger's key for secrets": (
        "kms:Decrypt",
        LEDGER_KEY,
        {"kms:ViaService": "secretsmanager.{r}.amazonaws.com"},
    ),
    "using the ledger's key directly": ("kms:Decrypt", LEDGER_KEY, {}),
    "encrypting with the ledger's key": (
        "kms:GenerateDataKey",
        LEDGER_KEY,
        {"kms:ViaService": "dynamodb.{r}.amazonaws.com"},
    ),
    # The rest.
    "publishing elsewhere": ("sns:Publish", "arn:{p}:sns:{r}:{a}:other", {}),
    "subscribing": ("sns:Subscribe", "{topic}", {}),
    "alarming": ("sns:Publish", "{alarms}", {}),
    "writing to another queue": ("sqs:SendMessage", "arn:{p}:sqs:{r}:{a}:other", {}),
    "reading what was given up": ("sqs:ReceiveMessage", "{dead_letters}", {}),
    "hiding what was given up": ("sqs:ChangeMessageVisibility", "{dead_letters}", {}),
    "emptying the queue": ("sqs:PurgeQueue", "{jobs}", {}),
    "assuming another role": ("sts:AssumeRole", f"arn:{{p}}:iam::{MEMBER}:role/Admin", ASSUMING[0][2]),
    "assuming a namesake outside of the organisation": (
        "sts:AssumeRole",
        f"arn:{{p}}:iam::111122223333:role/{MEMBER_ROLE}",
        {"aws:ResourceOrgID": "o-attackers11", "aws:PrincipalOrgID": ORGANIZATION},
    ),
    "assuming a namesake of no organisation": (
        "sts:AssumeRole",
        f"arn:{{p}}:iam::111122223333:role/{MEMBER_ROLE}",
        {"aws:PrincipalOrgID": ORGANIZATION},
    ),
    "suppressing a finding": (
        "securityhub:BatchUpdateFindings",
        HUB,
        {"securityhub:ASFFSyntaxPath/Workflow.Status": "SUPPRESSED"},
    ),
    "suppressing a finding of V2": (
        "securityhub:BatchUpdateFindings",
        HUB_V2,
        {"securityhub:OCSFSyntaxPath/StatusId": "3"},
    ),
    "suppressing a finding of V2 on the older hub": (
        "securityhub:BatchUpdateFindings",
        HUB,
        {"securityhub:OCSFSyntaxPath/StatusId": "3"},
    ),
    "importing a finding": ("securityhub:BatchImportFindings", "arn:{p}:securityhub:{r}:{a}:product/{a}/default", {}),
    "switching Security Hub off": ("securityhub:DisableSecurityHub", "arn:{p}:securityhub:{r}:{a}:hub/default", {}),
    "using the key for something else": ("kms:Decrypt", KEY, {"kms:ViaService": "s3.{r}.amazonaws.com"}),
    "using the key directly": ("kms:Decrypt", KEY, {}),
    "writing another log": ("logs:PutLogEvents", "arn:{p}:logs:{r}:{a}:log-group:other:log-stream:x", {}),
    "deleting the log": ("logs:DeleteLogGroup", "{log_group}", {}),
    "changing its own code": ("lambda:UpdateFunctionCode", "arn:{p}:lambda:{r}:{a}:function:any", {}),
}


def everything(partition: str) -> dict[str, str]:
    """Parameters that switch everything on."""
    place = PLACES[partition]
    known = {"p": partition, "r": place.region}
    return {
        "SecretKmsKeyArn": KEY.format(**known),
        "LedgerKmsKeyArn": LEDGER_KEY.format(**known),
        "MemberRoleName": MEMBER_ROLE,
    }


def member(partition: str = "aws", **parameters: str) -> Stack:
    key = everything(partition)["SecretKmsKeyArn"]
    place = replace(PLACES[partition], account=MEMBER)
    return member_stack(place=place, **({"SecretKmsKeyArn": key} | parameters))


def request(stack: Stack, role: str, call: Call) -> Request:
    """The call as that role of that stack makes it."""
    action, resource, context = call
    place = stack.place
    known = {"p": place.partition, "r": place.region, "a": place.account, "s": place.suffix}
    for name, logical in {
        "topic": "NotificationTopic",
        "alarms": "AlarmTopic",
        "dead_letters": "DeadLetters",
        "jobs": "Jobs",
        "ledger": "Ledger",
        "log_group": "LogGroup",
    }.items():
        # A member account has none of these; whatever the function's are called is as good as any.
        owner = stack if logical in stack.resources else main_stack(place.partition)
        known[name] = owner.attribute(logical, "Arn").removesuffix(":*")
    known["ledger_name"] = known["ledger"].rpartition("/")[2]

    def fill(value: Any) -> Any:
        return [fill(item) for item in value] if isinstance(value, list) else value.format(**known)

    made = Request(
        action=action,
        resource=fill(resource),
        account=place.account,
        principal=session(stack, role),
        policies=role_policies(stack, role),
        context={key: fill(value) for key, value in context.items()},
    )
    if action.startswith("kms:"):
        # A key is nobody's without its own policy; here it leaves all to the IAM of the accounts that use it.
        made.account = HOME
        users = [f"arn:{place.partition}:iam::{account}:root" for account in (HOME, MEMBER)]
        made.resource_policy = {
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Principal": {"AWS": users}, "Action": "kms:*", "Resource": "*"},
        }
    return made


def decisions(stack: Stack, role: str, calls: list[Call]) -> dict[str, str]:
    answers = ask([request(stack, role, call) for call in calls])
    return {
        f"{place}: {call[0]} {call[1]}": answer for place, (call, answer) in enumerate(zip(calls, answers, strict=True))
    }


def denied(found: dict[str, str]) -> dict[str, str]:
    return {call: decision for call, decision in found.items() if decision != "Allowed"}


def allowed(found: dict[str, str]) -> dict[str, str]:
    return {call: decision for call, decision in found.items() if decision == "Allowed"}


LEDGER = [*LOOKING_UP, *NOTING_DOWN, *LEDGER_KEYED]
OWN_CALLS = [*READS, *WRITES, *KEYED, *TELLING, *QUEUEING, *RECORDING, *ASSUMING, *LEDGER]
MEMBER_CALLS = [*READS, *WRITES, *KEYED]


def test_the_table_has_every_call_that_the_program_makes() -> None:
    """src/aws is the only place that calls AWS, and names each action as IAM does."""
    named = set()
    for path in (ROOT / "src" / "aws").glob("*.rs"):
        named |= set(
            re.findall(r'"((?:dynamodb|iam|kms|secretsmanager|securityhub|sns|sqs|sts):[A-Z]\w+)"', path.read_text())
        )
    # Only asked about, with SimulatePrincipalPolicy.
    named -= {"iam:ChangePassword"} | NEEDS_NO_PERMISSION
    assert named, "src/aws names its calls otherwise now"
    assert {AUTHORISED_AS.get(action, action) for action in named} <= {action for action, _, _ in OWN_CALLS}


@pytest.mark.parametrize("partition", PLACES)
def test_the_function_may_make_every_call_it_makes(partition: str) -> None:
    assert denied(decisions(main_stack(partition, **everything(partition)), "FunctionRole", OWN_CALLS)) == {}


@pytest.mark.parametrize("partition", PLACES)
def test_the_member_role_may_make_every_call_that_is_made_through_it(partition: str) -> None:
    assert denied(decisions(member(partition), "MemberRole", MEMBER_CALLS)) == {}


@pytest.mark.parametrize("partition", PLACES)
def test_neither_role_may_do_anything_else(partition: str) -> None:
    for stack, role in (
        (main_stack(partition, **everything(partition)), "FunctionRole"),
        (member(partition), "MemberRole"),
    ):
        found = decisions(stack, role, list(FORBIDDEN.values()))
        cases = dict(zip(FORBIDDEN, found.values(), strict=True))
        assert allowed(cases) == {}, role
        assert cases["resetting an exempt user"] == "ExplicitlyDenied", "no other policy could allow it"
        if role == "FunctionRole":
            suppressing = {decision for case, decision in cases.items() if case.startswith("suppressing")}
            assert suppressing == {"ExplicitlyDenied"}


def test_the_member_role_may_not_do_what_is_the_functions_alone() -> None:
    assert allowed(decisions(member(), "MemberRole", [*TELLING, *QUEUEING, *RECORDING, *ASSUMING, *LEDGER])) == {}
    for name, policy in role_policies(member(), "MemberRole").items():
        assert "dynamodb" not in json.dumps(policy), name


@pytest.mark.parametrize(
    ("parameters", "lost", "kept"),
    [
        ({"Mode": "dry-run"}, [*WRITES, *RECORDING, *NOTING_DOWN], [*READS, *TELLING, *LOOKING_UP]),
        ({"PasswordPolicy": "report"}, [("iam:UpdateAccountPasswordPolicy", "*", {})], [*READS, WRITES[0]]),
        ({"ChangePasswordGrant": "skip"}, [("iam:AttachUserPolicy", ALICE, GRANT)], [*READS, WRITES[0]]),
        ({"WorkQueue": "none"}, [("sqs:SendMessage", "arn:{p}:sqs:{r}:{a}:any", {})], [*READS, *WRITES, *TELLING]),
        ({}, [*KEYED, *ASSUMING, *LEDGER_KEYED], [*READS, *WRITES, *TELLING, *QUEUEING, *LOOKING_UP, *NOTING_DOWN]),
        ({"Mode": "dry-run", "LedgerKmsKeyArn": LEDGER_KEY.format(p="aws", r="us-east-1")}, WRITES, LEDGER_KEYED),
        ({"Mode": "dry-run", "SecretKmsKeyArn": KEY.format(p="aws", r="us-east-1")}, KEYED, READS),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_is_configured_away_is_not_permitted_either(
    parameters: dict[str, str], lost: list[Call], kept: list[Call]
) -> None:
    stack = main_stack(**parameters)
    assert allowed(decisions(stack, "FunctionRole", lost)) == {}
    assert denied(decisions(stack, "FunctionRole", kept)) == {}


def test_the_member_role_leaves_out_what_is_configured_away() -> None:
    stack = member(PasswordPolicy="report", ChangePasswordGrant="skip")
    lost = [call for call in WRITES if call[0] in ("iam:UpdateAccountPasswordPolicy", "iam:AttachUserPolicy")]
    assert allowed(decisions(stack, "MemberRole", lost)) == {}


# What a dry run may do that is not reading: tell, give up, be traced, and work off jobs. AssumeRole and Decrypt, of the
# ledger, count as writing with AWS and write nothing. Of all these the member role has none.
TELLS = {call[0] for call in (*TELLING, *QUEUEING, *ASSUMING, *LEDGER_KEYED)}


@pytest.mark.parametrize("partition", PLACES)
def test_a_dry_run_can_write_nothing_in_any_account(partition: str) -> None:
    own = main_stack(partition, Mode="dry-run", **everything(partition))
    writes = [*WRITES, *RECORDING, *NOTING_DOWN, KEYED[0]]
    for stack, role, tells in ((own, "FunctionRole", TELLS), (member(partition, Mode="dry-run"), "MemberRole", set())):
        assert allowed(decisions(stack, role, writes)) == {}, role
        assert denied(decisions(stack, role, [*READS, *(LOOKING_UP if tells else [])])) == {}, role
        granted = {
            action
            for policy in role_policies(stack, role).values()
            for part in statements(policy)
            if part["Effect"] == "Allow"
            for action in _as_list(part["Action"])
        }
        levels = dict(zip(sorted(granted - tells), access_levels(sorted(granted - tells)), strict=True))
        assert set(levels.values()) <= {"Read", "List"}, levels


def test_the_exempt_tag_is_the_operators() -> None:
    tag = {"ExemptTagKey": "Team Of", "ExemptTagValue": "break=glass"}
    for stack, role in ((main_stack(**tag), "FunctionRole"), (member(**tag), "MemberRole")):
        exempt: Call = ("iam:UpdateLoginProfile", ALICE, {"iam:ResourceTag/team of": "Break=Glass"})
        no_longer: Call = ("iam:UpdateLoginProfile", ALICE, EXEMPT)
        assert list(decisions(stack, role, [exempt, no_longer]).values()) == ["ExplicitlyDenied", "Allowed"]


def test_the_member_role_is_scoped_as_the_functions_own() -> None:
    own = role_policies(main_stack(**everything("aws")), "FunctionRole")
    theirs = role_policies(member(), "MemberRole")
    here = json.loads(json.dumps(theirs).replace(MEMBER, HOME))
    only_own = {"RecordOnFinding", "NeverSuppressFinding", "NeverSuppressFindingV2"}
    for name, policy in here.items():
        assert statements(policy) == [part for part in statements(own[name]) if part.get("Sid") not in only_own], name
    assert own.keys() - here.keys() == {"observe", "tell", "ledger", "work", "organisation"}


def _all_statements() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for stack in (main_stack(SweepSchedule="rate(1 day)", **everything("aws")), member()):
        for name, role in stack.of_type("AWS::IAM::Role").items():
            found += [(name, part) for policy in role["Policies"] for part in statements(policy["PolicyDocument"])]
        for name, policy in stack.of_type("AWS::IAM::ManagedPolicy").items():
            found += [(name, part) for part in statements(policy["PolicyDocument"])]
    return found


def _as_list(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]


def test_no_action_is_a_wildcard_and_no_resource_is_where_there_could_be_one() -> None:
    for owner, part in _all_statements():
        assert not {"NotAction", "NotResource"} & part.keys(), owner
        actions = _as_list(part["Action"])
        assert not [action for action in actions if "*" in action or "?" in action], owner
        if part["Effect"] == "Allow" and "*" in _as_list(part["Resource"]):
            assert all(without_resource(actions)), f"{owner}: {actions}"


# The member role's trust ---------------------------------------------------------------------------------------------


def assuming(by: str, account: str = HOME, organization: str = ORGANIZATION, stack: Stack | None = None) -> Request:
    stack = stack or member()
    # Whoever asks may assume anything, as far as they are concerned.
    anything = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}}
    return Request(
        action="sts:AssumeRole",
        resource=stack.attribute("MemberRole", "Arn"),
        account=MEMBER,
        principal=f"arn:aws:sts::{account}:assumed-role/{by.rpartition('/')[2]}/iam-password-remediator",
        policies={"anything": anything},
        context={"aws:PrincipalArn": f"arn:aws:iam::{account}:role/{by}", "aws:PrincipalOrgID": organization},
        resource_policy=stack.properties("MemberRole")["AssumeRolePolicyDocument"],
    )


def test_the_member_role_trusts_the_functions_role_in_the_organisation_alone() -> None:
    function_role = main_stack().physical("FunctionRole")
    trusted, *others = ask(
        [
            assuming(function_role),
            assuming("Admin"),
            assuming(function_role + "2"),
            assuming(function_role, account="999999999999"),
            assuming(function_role, organization="o-attackers11"),
        ]
    )
    assert trusted == "Allowed"
    assert "Allowed" not in others


@pytest.mark.parametrize("named", [{}, {"FunctionRoleName": "remediator", "RolePath": "/security/teams/"}])
def test_a_stack_made_anew_keeps_its_members(named: dict[str, str]) -> None:
    first, second, elsewhere = (
        Stack(main_stack().template, place, {"OperatorEmail": "a@b", **named})
        for place in (PLACES["aws"], PLACES["aws"], replace(PLACES["aws"], region="eu-west-1"))
    )
    arn = first.attribute("FunctionRole", "Arn")
    assert arn == second.attribute("FunctionRole", "Arn")
    role = arn.partition(":role/")[2]
    assert role == ("security/teams/remediator" if named else "passwords-us-east-1")
    assert ask([assuming(role, stack=member(FunctionRoleArn=arn))]) == ["Allowed"]
    # IAM has one set of names for all regions.
    assert named or elsewhere.attribute("FunctionRole", "Arn") != arn


# Reading the secret --------------------------------------------------------------------------------------------------


def tags(user: str, account: str = HOME) -> dict[str, str]:
    return {"managed-by": MANAGED_BY, "iam-user": user, "account-id": account}


def reading(
    policy: str, secret: str, tagged: dict[str, str], user: str | None = None, operation: str = "GetSecretValue"
) -> Request:
    """A read by whoever has that policy: the user of that name, or a role."""
    # The secret's name tells in which account it is.
    stack = member() if f"/{MEMBER}/" in secret else main_stack()
    account = stack.place.account
    context: Context = {f"secretsmanager:ResourceTag/{key}": value for key, value in tagged.items()}
    context["aws:PrincipalAccount"] = account
    if user:
        context["aws:username"] = user
    return Request(
        action=f"secretsmanager:{operation}",
        resource=f"arn:aws:secretsmanager:us-east-1:{account}:secret:{secret}-AbCdEf",
        account=account,
        principal=f"arn:aws:iam::{account}:" + (f"user/{user}" if user else "role/help-desk"),
        policies={policy: document(stack.properties(policy)["PolicyDocument"])},
        context=context,
    )


OWN, OTHERS = f"iam-console-password/{HOME}/alice", f"iam-console-password/{HOME}/bob"
IN_MEMBER = f"iam-console-password/{MEMBER}/alice"


def test_a_user_reads_their_own_secret_and_no_other() -> None:
    def by_alice(secret: str, tagged: dict[str, str], operation: str = "GetSecretValue") -> Request:
        return reading("ReadOwnPassword", secret, tagged, "alice", operation)

    def by(user: str, secret: str, tagged: str) -> Request:
        return reading("ReadOwnPassword", f"iam-console-password/{HOME}/{secret}", tags(tagged), user)

    wanted = [
        by_alice(OWN, tags("alice")),
        by_alice(OWN, tags("alice"), "DescribeSecret"),
        by_alice(IN_MEMBER, tags("alice", MEMBER)),
        # Whose name ends in a hyphen and six characters: src/secret/mod.rs.
        by("svc-backup", "svc-backup/console", "svc-backup"),
        by("x+=.@_-y", "x+=.@_-y", "x+=.@_-y"),
    ]
    assert ask(wanted) == ["Allowed"] * len(wanted)
    unwanted = {
        "another's": by_alice(OTHERS, tags("bob")),
        "another's, tagged anew": by_alice(OTHERS, tags("alice")),
        "another's, whose name goes on": by("svc", "svc-backup/console", "svc"),
        "another's, whose name goes on, as it must not be": by("svc", "svc-backup", "svc"),
        "that of a name with a comma": by("doe,john", "doe/2Cjohn", "doe/2Cjohn"),
        "that of someone called almost alike": by_alice(OWN, tags("Alice")),
        "one of another account": by_alice(OWN, tags("alice", MEMBER)),
        "a member's, tagged for home": by_alice(IN_MEMBER, tags("alice", HOME)),
        "one that the program did not make": by_alice(OWN, {"iam-user": "alice", "account-id": HOME}),
        "one without tags": by_alice(OWN, {}),
        # Whoever may tag something else cannot make it readable.
        "another secret, tagged": by_alice("database/root", tags("alice")),
        "another account's folder": by_alice("iam-console-password/999999999999/alice", tags("alice")),
        "as a role, which has no user name": reading("ReadOwnPassword", OWN, tags("alice")),
        "writing": by_alice(OWN, tags("alice"), "PutSecretValue"),
        "deleting": by_alice(OWN, tags("alice"), "DeleteSecret"),
        "moving labels": by_alice(OWN, tags("alice"), "UpdateSecretVersionStage"),
    }
    assert allowed(dict(zip(unwanted, ask(list(unwanted.values())), strict=True))) == {}


def test_tagging_rights_alone_read_nobodys_secret() -> None:
    """alice makes the tags of bob's secret her own, which she may, and is none the wiser."""
    anything = {"Effect": "Allow", "Action": "secretsmanager:TagResource", "Resource": "*"}
    tagging = {"tagging": {"Version": "2012-10-17", "Statement": anything}}
    retag, read, own = (
        reading("ReadOwnPassword", OTHERS, tags("bob"), "alice", "TagResource"),
        reading("ReadOwnPassword", OTHERS, tags("alice"), "alice"),
        reading("ReadOwnPassword", OWN, tags("alice"), "alice"),
    )
    retag.context |= {"aws:RequestTag/iam-user": "alice", "aws:TagKeys": ["iam-user"]}
    for request_ in (retag, read, own):
        request_.policies |= tagging
    assert ask([retag, read, own]) == ["Allowed", "ImplicitlyDenied", "Allowed"]


def test_the_help_desk_reads_all_below_the_prefix_and_writes_nothing() -> None:
    def by_help_desk(secret: str, operation: str = "GetSecretValue") -> Request:
        return reading("ReadAllPasswords", secret, {}, operation=operation)

    wanted = [by_help_desk(OWN), by_help_desk(OTHERS), by_help_desk(IN_MEMBER), by_help_desk(OWN, "DescribeSecret")]
    assert ask(wanted) == ["Allowed"] * len(wanted)
    unwanted = {
        "another secret": by_help_desk("database/root"),
        "a prefix that begins alike": by_help_desk("iam-console-password-old/x"),
        "writing": by_help_desk(OWN, "PutSecretValue"),
        "deleting": by_help_desk(OWN, "DeleteSecret"),
        "tagging": by_help_desk(OWN, "TagResource"),
    }
    assert allowed(dict(zip(unwanted, ask(list(unwanted.values())), strict=True))) == {}


# What the end-to-end tests saw ---------------------------------------------------------------------------------------

RECORDED = ROOT / "target" / "recorded-calls.jsonl"


def recorded_context(action: str, params: dict[str, Any]) -> Context:
    """What IAM reads off a call's parameters."""
    match action:
        case "iam:AttachUserPolicy":
            return {"iam:PolicyARN": params["PolicyArn"]}
        case "secretsmanager:CreateSecret" | "secretsmanager:TagResource":
            found: Context = {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in params["Tags"]}
            return found | {"aws:TagKeys": [tag["Key"] for tag in params["Tags"]]}
        case "securityhub:BatchUpdateFindings" if "Workflow" in params:
            return {"securityhub:ASFFSyntaxPath/Workflow.Status": params["Workflow"]["Status"]}
        case "securityhub:BatchUpdateFindings" if "StatusId" in params:
            return {"securityhub:OCSFSyntaxPath/StatusId": str(params["StatusId"])}
        case "sts:AssumeRole":
            return ASSUMING[0][2]
    return {}


def recorded_requests(lines: list[str]) -> dict[str, Request]:
    """Each different call once, on the resources of a stack where tests have their own."""
    found: dict[str, Request] = {}
    for call in map(json.loads, lines):
        account, region = call["account"], call["region"]
        action = AUTHORISED_AS.get(call["action"], call["action"])
        if action in NEEDS_NO_PERMISSION:
            continue
        partition = {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rpartition("-")[0].rpartition("-")[0], "aws")
        place = Place(partition, region, PLACES[partition].suffix, account)
        [resource] = call["resources"][:1] or ["*"]
        resource = resource.replace("-??????", "-AbCdEf")
        parameters = {"SecretPrefix": "iam-console-password"}
        # A test may set another prefix, and another name for the member role: which, only the resources tell.
        if prefix := re.search(rf":secret:(.+)/{account}/", resource):
            parameters["SecretPrefix"] = prefix[1]
        if action == "sts:AssumeRole":
            parameters["MemberRoleName"] = resource.rpartition("/")[2]
        if call["principal"] == "function":
            stack, role = main_stack(place=place, **parameters), "FunctionRole"
        else:
            stack, role = member_stack(place=place, **parameters), "MemberRole"
        if action == "sns:Publish":
            assert resource.endswith(f":{account}:{TEST_TOPIC}"), resource
            resource = stack.attribute("NotificationTopic", "Arn")
        elif action.startswith("sqs:"):
            resource = stack.attribute("Jobs", "Arn")
        elif action.startswith("dynamodb:"):
            table = f"arn:{partition}:dynamodb:{region}:{account}:table/{TEST_TABLE}"
            assert resource.partition("/index/")[0] == table, resource
            resource = resource.replace(table, stack.attribute("Ledger", "Arn"))
        elif action == "securityhub:BatchUpdateFindings":
            # Named by product in the call, authorised on the hub.
            resource = HUB if call["operation"] == "BatchUpdateFindings" else HUB_V2
            resource = resource.format(p=partition, r=region, a=account)
        made = Request(action, resource, account, session(stack, role), role_policies(stack, role))
        made.context = recorded_context(action, call["params"])
        found[f"{role}: {action} {resource} {made.context}"] = made
    return found


def recorded(operation: str, **params: Any) -> str:
    """A call of the function as the recorder writes it down."""
    service = "secretsmanager" if "Secret" in operation else "dynamodb"
    call = {"service": service, "operation": operation, "account_id": HOME, "region": "us-east-1", "principal": None}
    return json.dumps(line({**call, "params": params, "status": 200, "code": None}, {}, {}))


def test_calls_are_recorded_with_the_resources_that_iam_sees() -> None:
    key = {"id": {"S": f"user#{HOME}#alice"}}
    table = f"arn:aws:dynamodb:us-east-1:{HOME}:table/{TEST_TABLE}"
    secret = f"arn:aws:secretsmanager:us-east-1:{HOME}:secret:iam-console-password/{HOME}/alice-AbCdEf"
    seen = {
        recorded("UpdateItem", TableName=TEST_TABLE, Key=key): [table],
        recorded("BatchGetItem", RequestItems={TEST_TABLE: {"Keys": [key]}}): [table],
        recorded("Query", TableName=TEST_TABLE, IndexName="open"): [f"{table}/index/open"],
        recorded("PutSecretValue", SecretId=secret): [secret],
        recorded("DescribeSecret", SecretId=f"iam-console-password/{HOME}/alice"): [secret[:-7] + "-??????"],
        recorded("ListSecrets", Filters=[]): [],
    }
    for written, resources in seen.items():
        assert json.loads(written)["resources"] == resources
    requests = recorded_requests(list(seen))
    assert len(requests) == len(seen)
    assert denied(dict(zip(requests, ask(list(requests.values())), strict=True))) == {}
    with pytest.raises(AssertionError):
        recorded_requests([recorded("UpdateItem", TableName="other", Key=key)])


HAS_RECORDED = pytest.mark.skipif(not RECORDED.exists(), reason="the end-to-end tests have recorded no calls")


@HAS_RECORDED
def test_every_action_of_the_table_was_recorded() -> None:
    recorded = {json.loads(call)["action"] for call in RECORDED.read_text().splitlines()}
    unused = {AUTHORISED_AS.get(action, action) for action, _, _ in OWN_CALLS} - recorded - MADE_BY_OTHERS
    assert not unused, "nothing needs these permissions; or only a part of tests/e2e ran last: run all of it"


@HAS_RECORDED
def test_every_recorded_call_is_allowed() -> None:
    """tests/e2e/recorder.py says what stands in a line."""
    requests = recorded_requests(RECORDED.read_text().splitlines())
    assert denied(dict(zip(requests, ask(list(requests.values())), strict=True))) == {}
