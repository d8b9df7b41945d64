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
# The roles of the two functions.
ROLES = ("FunctionRole", "AuditFunctionRole")
# The topic and the table of tests/demo and tests/e2e.
TEST_TOPIC, TEST_TABLE = "passwords", "ledger"

NEEDS_NO_PERMISSION = {"sts:GetCallerIdentity"}
# What Lambda and Secrets Manager do with a role, and the program does not.
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
# The audit's calls, in the account of the users.
AUDIT_READS: list[Call] = [
    *(call for call in READS if call[0] != "iam:ListUsers"),
    ("securityhub:GetFindings", HUB, {}),
]
OWN_PRODUCT = "arn:{p}:securityhub:{r}:{a}:product/{a}/default"
OURS: Context = {"secretsmanager:ResourceTag/managed-by": MANAGED_BY}
AUDIT_WRITES: list[Call] = [
    ("securityhub:BatchImportFindings", OWN_PRODUCT, {}),
    *(call for call in RECORDING if call[1] == HUB),
    ("securityhub:BatchUpdateFindings", HUB, {"securityhub:ASFFSyntaxPath/Workflow.Status": "NEW"}),
    ("secretsmanager:DeleteSecret", SECRET, OURS | {"secretsmanager:RecoveryWindowInDays": "30"}),
    ("secretsmanager:DeleteSecret", SECRET, OURS | {"secretsmanager:RecoveryWindowInDays": "7"}),
]
# In its own account only.
AUDIT_TELLING: list[Call] = [call for call in TELLING if call[0] != "sns:Publish"]
AUDIT_NOTIFYING: list[Call] = [call for call in TELLING if call[0] == "sns:Publish"]
AUDIT_QUEUEING: list[Call] = [(action, "{audit_jobs}", {}) for action, _, _ in QUEUEING]
AUDIT_ASSUMING: list[Call] = [(action, f"{role}-audit", context) for action, role, context in ASSUMING]
ENROLLING: list[Call] = [
    ("sns:Subscribe", "{topic}", {"sns:Protocol": "email", "sns:Endpoint": "alice@example.com"}),
    ("sns:Unsubscribe", "{topic}", {}),
]
# A sweep or an audit of all accounts.
LISTING: list[Call] = [("securityhub:ListMembers", HUB, {})]

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
    "subscribing somebody else": (
        "sns:Subscribe",
        "{topic}",
        {"sns:Protocol": "https", "sns:Endpoint": "https://example.com"},
    ),
    "opening the topic to others": ("sns:SetTopicAttributes", "{topic}", {}),
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
    "importing a finding": ("securityhub:BatchImportFindings", OWN_PRODUCT, {}),
    "switching Security Hub off": ("securityhub:DisableSecurityHub", "arn:{p}:securityhub:{r}:{a}:hub/default", {}),
    "using the key for something else": ("kms:Decrypt", KEY, {"kms:ViaService": "s3.{r}.amazonaws.com"}),
    "using the key directly": ("kms:Decrypt", KEY, {}),
    "writing another log": ("logs:PutLogEvents", "arn:{p}:logs:{r}:{a}:log-group:other:log-stream:x", {}),
    "deleting the log": ("logs:DeleteLogGroup", "{log_group}", {}),
    "changing its own code": ("lambda:UpdateFunctionCode", "arn:{p}:lambda:{r}:{a}:function:any", {}),
}


def _deleting(secret: str, tags: Context, **context: str) -> Call:
    found = {f"secretsmanager:{key}": value for key, value in context.items()}
    return "secretsmanager:DeleteSecret", secret, tags | found


# Whatever sets a password, reads one, or widens what somebody may do: the audit is denied it explicitly.
CHANGING_PASSWORDS: dict[str, Call] = {
    **{f"{action} {place}": (action, resource, context) for place, (action, resource, context) in enumerate(WRITES)},
    **{
        case: FORBIDDEN[case]
        for case in (
            "giving a user a password who has none",
            "taking the console away",
            "resetting an exempt user",
            "changing its own password",
            "making an administrator",
            "writing a policy",
            "deleting the password policy",
            "reading another secret",
            "writing another secret",
            "opening a secret to others",
            "reading many secrets at once",
        )
    },
    "changing a secret": ("secretsmanager:UpdateSecret", SECRET, {}),
    "rotating a secret": ("secretsmanager:RotateSecret", SECRET, {}),
}
# Tagging and restoring change no password: nobody allowed the audit to do these either.
NOT_THE_AUDITS = ("secretsmanager:TagResource", "secretsmanager:RestoreSecret")
AUDIT_FORBIDDEN: dict[str, Call] = {
    **{case: call for case, call in FORBIDDEN.items() if case != "importing a finding"},
    **CHANGING_PASSWORDS,
    "raising a finding in Security Hub's name": (
        "securityhub:BatchImportFindings",
        "arn:{p}:securityhub:{r}:{a}:product/aws/securityhub",
        {},
    ),
    "raising a finding of another account": (
        "securityhub:BatchImportFindings",
        "arn:{p}:securityhub:{r}:{a}:product/999999999999/default",
        {},
    ),
    "raising a finding in another region": (
        "securityhub:BatchImportFindings",
        "arn:{p}:securityhub:eu-north-1:{a}:product/{a}/default",
        {},
    ),
    "recording on findings of the newer product": ("securityhub:BatchUpdateFindings", HUB_V2, {}),
    "deleting another secret": _deleting(OTHER_SECRET, OURS, RecoveryWindowInDays="30"),
    "deleting below a prefix that begins alike": _deleting(
        "arn:{p}:secretsmanager:{r}:{a}:secret:iam-console-password-old/{a}/alice-AbCdEf",
        OURS,
        RecoveryWindowInDays="30",
    ),
    "deleting another account's under the prefix": _deleting(
        "arn:{p}:secretsmanager:{r}:{a}:secret:iam-console-password/999999999999/alice-AbCdEf",
        OURS,
        RecoveryWindowInDays="30",
    ),
    "deleting one below the prefix without the tag": _deleting(SECRET, {}, RecoveryWindowInDays="30"),
    "deleting one below the prefix of another's": _deleting(
        SECRET, {"secretsmanager:ResourceTag/managed-by": "terraform"}, RecoveryWindowInDays="30"
    ),
    "deleting for good": _deleting(SECRET, OURS, ForceDeleteWithoutRecovery="true"),
    "deleting for good, with a window besides": _deleting(
        SECRET, OURS, ForceDeleteWithoutRecovery="true", RecoveryWindowInDays="30"
    ),
    "deleting within six days": _deleting(SECRET, OURS, RecoveryWindowInDays="6"),
    "deleting at once": _deleting(SECRET, OURS, RecoveryWindowInDays="0"),
    "deleting without a window": _deleting(SECRET, OURS),
    **{
        f"subscribing by {protocol}": ("sns:Subscribe", "{topic}", {"sns:Protocol": protocol, "sns:Endpoint": "any"})
        for protocol in ("email-json", "http", "https", "sms", "sqs", "lambda", "firehose")
    },
    "subscribing to alarms": ("sns:Subscribe", "{alarms}", {"sns:Protocol": "email", "sns:Endpoint": "a@example.com"}),
    "unsubscribing from alarms": ("sns:Unsubscribe", "{alarms}", {}),
    "changing whom a subscription is for": ("sns:SetSubscriptionAttributes", "{topic}", {}),
    # By the function, what its own role cannot.
    "ordering a reset": ("lambda:InvokeFunction", "{function}", {}),
    "queueing a reset": ("sqs:SendMessage", "{jobs}", {}),
    "raising findings with the function's own role": (
        "sts:AssumeRole",
        f"arn:{{p}}:iam::{MEMBER}:role/{MEMBER_ROLE}",
        ASSUMING[0][2],
    ),
}


def everything(partition: str) -> dict[str, str]:
    """Parameters that switch everything on."""
    place = PLACES[partition]
    known = {"p": partition, "r": place.region}
    return {
        "SecretKmsKeyArn": KEY.format(**known),
        "LedgerKmsKeyArn": LEDGER_KEY.format(**known),
        "MemberRoleName": MEMBER_ROLE,
        "EmailTag": "email",
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
        "audit_jobs": "AuditJobs",
        "function": "Function",
        "ledger": "Ledger",
        "log_group": "LogGroup",
    }.items():
        # A member account has none of these; whatever the function's are called is as good as any.
        owner = stack if logical in stack.resources else main_stack(place.partition, **everything(place.partition))
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
OWN_CALLS = [*READS, *WRITES, *KEYED, *TELLING, *QUEUEING, *RECORDING, *ASSUMING, *LISTING, *LEDGER]
MEMBER_CALLS = [*READS, *WRITES, *KEYED]
AUDIT_TELLS = [*AUDIT_TELLING, *AUDIT_NOTIFYING]
AUDIT_OWN = [*AUDIT_TELLS, *AUDIT_QUEUEING, *AUDIT_ASSUMING, *ENROLLING, *LISTING, *LEDGER]
AUDIT_CALLS = [*AUDIT_READS, *AUDIT_WRITES, *AUDIT_OWN]
AUDIT_MEMBER_CALLS = [*AUDIT_READS, *AUDIT_WRITES]


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
    table = {action for action, _, _ in (*OWN_CALLS, *AUDIT_CALLS)}
    assert {AUTHORISED_AS.get(action, action) for action in named} <= table


@pytest.mark.parametrize("partition", PLACES)
@pytest.mark.parametrize(("role", "calls"), [("FunctionRole", OWN_CALLS), ("AuditFunctionRole", AUDIT_CALLS)])
def test_the_functions_may_make_every_call_they_make(role: str, calls: list[Call], partition: str) -> None:
    assert denied(decisions(main_stack(partition, **everything(partition)), role, calls)) == {}


@pytest.mark.parametrize("partition", PLACES)
@pytest.mark.parametrize(("role", "calls"), [("MemberRole", MEMBER_CALLS), ("AuditRole", AUDIT_MEMBER_CALLS)])
def test_the_member_roles_may_make_every_call_that_is_made_through_them(
    role: str, calls: list[Call], partition: str
) -> None:
    assert denied(decisions(member(partition), role, calls)) == {}


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


@pytest.mark.parametrize("partition", PLACES)
@pytest.mark.parametrize("mode", ["remediate", "dry-run"])
def test_no_audit_may_change_a_password_or_anything_else_that_is_not_its_own(mode: str, partition: str) -> None:
    for stack, role in (
        (main_stack(partition, Mode=mode, **everything(partition)), "AuditFunctionRole"),
        (member(partition, Mode=mode), "AuditRole"),
    ):
        found = decisions(stack, role, list(AUDIT_FORBIDDEN.values()))
        cases = dict(zip(AUDIT_FORBIDDEN, found.values(), strict=True))
        assert allowed(cases) == {}, role
        # No other policy could allow these.
        never = {case for case, call in CHANGING_PASSWORDS.items() if call[0] not in NOT_THE_AUDITS}
        never |= {case for case in AUDIT_FORBIDDEN if case.startswith("suppressing")}
        never |= {"deleting for good", "deleting for good, with a window besides"}
        never |= {"deleting within six days", "deleting at once"}
        assert {case: cases[case] for case in never if cases[case] != "ExplicitlyDenied"} == {}


def test_an_administrators_policy_on_the_audits_role_still_changes_no_password() -> None:
    stack = main_stack(**everything("aws"))
    administrator = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    calls = [call for call in CHANGING_PASSWORDS.values() if call[0] not in NOT_THE_AUDITS]
    requests = [request(stack, "AuditFunctionRole", call) for call in (*calls, *AUDIT_WRITES)]
    for asked in requests:
        asked.policies = asked.policies | {"administrator": administrator}
    answers = ask(requests)
    assert set(answers[: len(calls)]) == {"ExplicitlyDenied"}
    assert set(answers[len(calls) :]) == {"Allowed"}


def test_the_member_roles_may_not_do_what_is_the_functions_alone() -> None:
    assert allowed(decisions(member(), "MemberRole", [*TELLING, *QUEUEING, *RECORDING, *ASSUMING, *LEDGER])) == {}
    assert allowed(decisions(member(), "AuditRole", AUDIT_OWN)) == {}
    for role in ("MemberRole", "AuditRole"):
        for name, policy in role_policies(member(), role).items():
            assert not {"dynamodb", "sns:", "sqs:", "sts:"} & set(re.findall(r"dynamodb|s\w\w:", json.dumps(policy))), (
                name
            )


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


@pytest.mark.parametrize(
    ("parameters", "lost", "kept"),
    [
        ({"EmailTag": ""}, ENROLLING, [*AUDIT_READS, *AUDIT_WRITES, *AUDIT_TELLS]),
        ({"MemberRoleName": ""}, [*AUDIT_QUEUEING, *AUDIT_ASSUMING, *LISTING], [*AUDIT_CALLS[:5], *ENROLLING]),
        ({"WorkQueue": "none"}, AUDIT_QUEUEING, [*AUDIT_WRITES, *AUDIT_ASSUMING, *LISTING]),
        ({"LedgerKmsKeyArn": ""}, LEDGER_KEYED, [*LOOKING_UP, *NOTING_DOWN]),
        (
            {"Mode": "dry-run"},
            [*AUDIT_WRITES, *AUDIT_NOTIFYING, *ENROLLING, *NOTING_DOWN],
            [*AUDIT_READS, *AUDIT_TELLING, *AUDIT_QUEUEING, *AUDIT_ASSUMING, *LISTING, *LOOKING_UP, *LEDGER_KEYED],
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_an_audit_may_not_what_is_configured_away(
    parameters: dict[str, str], lost: list[Call], kept: list[Call]
) -> None:
    stack = main_stack(**{**everything("aws"), **parameters})
    assert allowed(decisions(stack, "AuditFunctionRole", lost)) == {}
    assert denied(decisions(stack, "AuditFunctionRole", kept)) == {}


def test_only_with_members_are_there_any_to_list() -> None:
    assert allowed(decisions(main_stack(), "FunctionRole", LISTING)) == {}


def test_the_member_role_leaves_out_what_is_configured_away() -> None:
    stack = member(PasswordPolicy="report", ChangePasswordGrant="skip")
    lost = [call for call in WRITES if call[0] in ("iam:UpdateAccountPasswordPolicy", "iam:AttachUserPolicy")]
    assert allowed(decisions(stack, "MemberRole", lost)) == {}


# What a dry run may do that is not reading: tell, give up, be traced, and work off jobs. AssumeRole and Decrypt, of the
# ledger, count as writing with AWS and write nothing. Of all these the member roles have none. An audit tells nobody.
TELLS = {call[0] for call in (*TELLING, *QUEUEING, *ASSUMING, *LEDGER_KEYED)}


@pytest.mark.parametrize("partition", PLACES)
def test_a_dry_run_can_write_nothing_in_any_account(partition: str) -> None:
    own, other = main_stack(partition, Mode="dry-run", **everything(partition)), member(partition, Mode="dry-run")
    writes = [*WRITES, *RECORDING, *NOTING_DOWN, *AUDIT_WRITES, *ENROLLING, KEYED[0]]
    for stack, role, reads, tells in (
        (own, "FunctionRole", READS, TELLS),
        (own, "AuditFunctionRole", AUDIT_READS, TELLS - {"sns:Publish"}),
        (other, "MemberRole", READS, set()),
        (other, "AuditRole", AUDIT_READS, set()),
    ):
        assert allowed(decisions(stack, role, writes)) == {}, role
        assert denied(decisions(stack, role, [*reads, *(LOOKING_UP if tells else [])])) == {}, role
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


@pytest.mark.parametrize(
    ("role", "theirs", "only_own", "policies"),
    [
        # What a finding came of is recorded where the findings are gathered.
        ("FunctionRole", "MemberRole", {"RecordOnFinding", "NeverSuppressFinding", "NeverSuppressFindingV2"}, set()),
        # Security Hub takes a finding only in the account that it is about.
        ("AuditFunctionRole", "AuditRole", set(), {"enrol"}),
    ],
)
def test_the_member_roles_are_scoped_as_the_functions_own(
    role: str, theirs: str, only_own: set[str], policies: set[str]
) -> None:
    own = role_policies(main_stack(**everything("aws")), role)
    here = json.loads(json.dumps(role_policies(member(), theirs)).replace(MEMBER, HOME))
    for name, policy in here.items():
        assert statements(policy) == [part for part in statements(own[name]) if part.get("Sid") not in only_own], name
    assert own.keys() - here.keys() == {"observe", "tell", "ledger", "work", "organisation"} | policies


@pytest.mark.parametrize("name", ["observe", "ledger"])
def test_what_both_functions_may_alike_is_written_alike(name: str) -> None:
    function, audit = (role_policies(main_stack(**everything("aws")), role) for role in ROLES)
    assert function[name] == audit[name]


def test_users_hear_from_the_two_functions_and_nobody_else() -> None:
    stack = main_stack(**everything("aws"))
    policy = document(stack.properties("NotificationTopicPolicy")["PolicyDocument"])

    def publishing(arn: str) -> Request:
        # Whoever asks may publish anything, as far as they are concerned.
        asked = request(stack, "FunctionRole", ("sns:Publish", "{topic}", {"aws:PrincipalArn": arn}))
        anything = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sns:*", "Resource": "*"}}
        asked.principal, asked.policies, asked.resource_policy = arn, {"anything": anything}, policy
        asked.context["aws:SecureTransport"] = "true"
        return asked

    functions = [publishing(stack.attribute(role, "Arn")) for role in ROLES]
    assert ask(functions) == ["Allowed"] * 2
    others = ["user/alice", "role/Admin", f"role/{stack.physical('AuditFunctionRole')}2", f"role/{MEMBER_ROLE}-audit"]
    assert set(ask([publishing(f"arn:aws:iam::{HOME}:{other}") for other in others])) == {"ExplicitlyDenied"}
    for asked in functions:
        asked.context["aws:SecureTransport"] = "false"
    assert ask(functions) == ["ExplicitlyDenied"] * 2


def test_each_timer_starts_its_own_function_and_nothing_else() -> None:
    stack = main_stack(SweepSchedule="rate(1 day)", **everything("aws"))
    audit_function = stack.attribute("AuditFunction", "Arn")
    calls: list[Call] = [
        ("lambda:InvokeFunction", "{function}", {}),
        ("lambda:InvokeFunction", audit_function, {}),
        ("sqs:SendMessage", "{dead_letters}", {}),
        ("sqs:SendMessage", "{jobs}", {}),
    ]
    for role, expected in (("SweepTimerRole", [True, False]), ("AuditTimerRole", [False, True])):
        found = decisions(stack, role, calls)
        assert [answer == "Allowed" for answer in found.values()] == [*expected, True, False], role


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


# The member roles' trust ---------------------------------------------------------------------------------------------

# Who assumes which.
TRUST = [("FunctionRole", "MemberRole"), ("AuditFunctionRole", "AuditRole")]


def assuming(
    by: str,
    account: str = HOME,
    organization: str = ORGANIZATION,
    stack: Stack | None = None,
    role: str = "MemberRole",
) -> Request:
    stack = stack or member()
    # Whoever asks may assume anything, as far as they are concerned.
    anything = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}}
    return Request(
        action="sts:AssumeRole",
        resource=stack.attribute(role, "Arn"),
        account=MEMBER,
        principal=f"arn:aws:sts::{account}:assumed-role/{by.rpartition('/')[2]}/iam-password-remediator",
        policies={"anything": anything},
        context={"aws:PrincipalArn": f"arn:aws:iam::{account}:role/{by}", "aws:PrincipalOrgID": organization},
        resource_policy=stack.properties(role)["AssumeRolePolicyDocument"],
    )


@pytest.mark.parametrize(("by", "role"), TRUST)
def test_a_member_role_trusts_its_functions_role_in_the_organisation_alone(by: str, role: str) -> None:
    function_role = main_stack().physical(by)
    # The function's is no way to the audit's role, and the other way round.
    [another] = [main_stack().physical(other) for other, _ in TRUST if other != by]
    trusted, *others = ask(
        [
            assuming(function_role, role=role),
            assuming("Admin", role=role),
            assuming(another, role=role),
            assuming(function_role + "2", role=role),
            assuming(function_role, account="999999999999", role=role),
            assuming(function_role, organization="o-attackers11", role=role),
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
    expected = "security/teams/remediator" if named else "passwords-us-east-1"
    for (logical, theirs), parameter, name in zip(
        TRUST, ("FunctionRoleArn", "AuditFunctionRoleArn"), (expected, f"{expected}-audit"), strict=True
    ):
        arn = first.attribute(logical, "Arn")
        assert arn == second.attribute(logical, "Arn")
        role = arn.partition(":role/")[2]
        assert role == name
        assert ask([assuming(role, stack=member(**{parameter: arn}), role=theirs)]) == ["Allowed"]
        # IAM has one set of names for all regions.
        assert named or elsewhere.attribute(logical, "Arn") != arn


def test_each_function_assumes_the_role_that_the_member_stack_makes_for_it() -> None:
    own, other = main_stack(**everything("aws")), member()
    for function, (by, role) in zip(("Function", "AuditFunction"), TRUST, strict=True):
        name = own.properties(function)["Environment"]["Variables"]["MEMBER_ROLE_NAME"]
        assert name == other.physical(role)
        call: Call = ("sts:AssumeRole", other.attribute(role, "Arn"), ASSUMING[0][2])
        assert denied(decisions(own, by, [call])) == {}


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
        case "secretsmanager:DeleteSecret":
            numbers = {
                f"secretsmanager:{name}": str(params[name]).lower()
                for name in ("RecoveryWindowInDays", "ForceDeleteWithoutRecovery")
                if name in params
            }
            return OURS | numbers
        case "sns:Subscribe":
            return {"sns:Protocol": params["Protocol"], "sns:Endpoint": params["Endpoint"]}
        case "securityhub:BatchUpdateFindings" if "Workflow" in params:
            return {"securityhub:ASFFSyntaxPath/Workflow.Status": params["Workflow"]["Status"]}
        case "securityhub:BatchUpdateFindings" if "StatusId" in params:
            return {"securityhub:OCSFSyntaxPath/StatusId": str(params["StatusId"])}
        case "sts:AssumeRole":
            return ASSUMING[0][2]
    return {}


# Whose calls the recorder tells apart: those of the two functions, and those through a role of the member stack.
OWN_ROLES = {"function": "FunctionRole", "audit": "AuditFunctionRole"}


def member_role_of(principal: str) -> str:
    """The role of the member stack that a session is of."""
    return "AuditRole" if principal.split("/")[1].endswith("-audit") else "MemberRole"


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
        is_own = call["principal"] in OWN_ROLES
        if is_own:
            parameters |= {"MemberRoleName": MEMBER_ROLE, "EmailTag": "email"}
        role = OWN_ROLES.get(call["principal"]) or member_role_of(call["principal"])
        if action == "sts:AssumeRole":
            name = resource.rpartition("/")[2]
            parameters["MemberRoleName"] = name.removesuffix("-audit") if role == "AuditFunctionRole" else name
        stack = (main_stack if is_own else member_stack)(place=place, **parameters)
        if action.startswith("sns:"):
            assert resource.endswith(f":{account}:{TEST_TOPIC}"), resource
            resource = stack.attribute("NotificationTopic", "Arn")
        elif action.startswith("sqs:"):
            resource = stack.attribute("AuditJobs" if role == "AuditFunctionRole" else "Jobs", "Arn")
        elif action.startswith("dynamodb:"):
            table = f"arn:{partition}:dynamodb:{region}:{account}:table/{TEST_TABLE}"
            assert resource.partition("/index/")[0] == table, resource
            resource = resource.replace(table, stack.attribute("Ledger", "Arn"))
        elif action.startswith("securityhub:") and action != "securityhub:BatchImportFindings":
            # Named by product in the call, if at all, and authorised on the hub.
            resource = HUB_V2 if call["operation"].endswith("V2") else HUB
            resource = resource.format(p=partition, r=region, a=account)
        made = Request(action, resource, account, session(stack, role), role_policies(stack, role))
        made.context = recorded_context(action, call["params"])
        found[f"{role}: {action} {resource} {made.context}"] = made
    return found


def recorded(operation: str, principal: str | None = None, **params: Any) -> str:
    """A call of a function as the recorder writes it down."""
    services = {"Secret": "secretsmanager", "Finding": "securityhub", "ubscri": "sns"}
    service = next((service for part, service in services.items() if part in operation), "dynamodb")
    call = {"service": service, "operation": operation, "account_id": HOME, "region": "us-east-1"}
    told = {"principal": principal, "params": params, "status": 200, "code": None}
    return json.dumps(line(call | told, {}, {}))


def test_calls_are_recorded_with_the_resources_that_iam_sees() -> None:
    key = {"id": {"S": f"user#{HOME}#alice"}}
    table = f"arn:aws:dynamodb:us-east-1:{HOME}:table/{TEST_TABLE}"
    secret = f"arn:aws:secretsmanager:us-east-1:{HOME}:secret:iam-console-password/{HOME}/alice-AbCdEf"
    product = f"arn:aws:securityhub:us-east-1:{HOME}:product/{HOME}/default"
    topic = f"arn:aws:sns:us-east-1:{HOME}:{TEST_TOPIC}"
    seen = {
        recorded("UpdateItem", TableName=TEST_TABLE, Key=key): [table],
        recorded("BatchGetItem", RequestItems={TEST_TABLE: {"Keys": [key]}}): [table],
        recorded("Query", TableName=TEST_TABLE, IndexName="open"): [f"{table}/index/open"],
        recorded("PutSecretValue", SecretId=secret): [secret],
        recorded("DescribeSecret", SecretId=f"iam-console-password/{HOME}/alice"): [secret[:-7] + "-??????"],
        recorded("ListSecrets", Filters=[]): [],
        recorded("DeleteSecret", principal="audit", SecretId=secret, RecoveryWindowInDays=30): [secret],
        recorded("BatchImportFindings", principal="audit", Findings=[{"ProductArn": product}] * 2): [product],
        recorded("GetFindings", principal="audit", Filters={}): [],
        recorded("Subscribe", principal="audit", TopicArn=topic, Protocol="email", Endpoint="a@b"): [topic],
        recorded("Unsubscribe", principal="audit", SubscriptionArn=f"{topic}:0123"): [topic],
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
    table = {AUTHORISED_AS.get(action, action) for action, _, _ in (*OWN_CALLS, *AUDIT_CALLS)}
    unused = table - recorded - MADE_BY_OTHERS
    assert not unused, "nothing needs these permissions; or only a part of tests/e2e ran last: run all of it"


@HAS_RECORDED
def test_every_recorded_call_is_allowed() -> None:
    """tests/e2e/recorder.py says what stands in a line."""
    requests = recorded_requests(RECORDED.read_text().splitlines())
    assert denied(dict(zip(requests, ask(list(requests.values())), strict=True))) == {}


@HAS_RECORDED
def test_every_recorded_call_that_changes_a_password_is_denied_to_an_audit() -> None:
    changing = {action for action, _, _ in WRITES} - set(NOT_THE_AUDITS)
    calls = [json.loads(call) for call in RECORDED.read_text().splitlines()]
    made = [call for call in calls if call["principal"] == "function" and call["action"] in changing]
    assert {call["action"] for call in made} == changing, "or the test shows little"
    requests = recorded_requests([json.dumps(call | {"principal": "audit"}) for call in made])
    assert set(ask(list(requests.values()))) == {"ExplicitlyDenied"}
