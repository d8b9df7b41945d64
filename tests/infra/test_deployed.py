"""The translated templates with everything in them, deployed to moto (deployment.py)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from standin import dynamodb

from .cfn import MEMBER_ASKED, MEMBER_ROLE, PLACES, Stack, load, main_stack, member_stack, translated
from .deployment import deploy, moto_alone, supported
from .simulator import role_policies

# Everything switched on.
EVERYTHING = {
    "SweepSchedule": "rate(1 day)",
    "CustomAction": "create",
    "MemberRoleName": "iam-password-remediator-member",
    "EmailTag": "email",
    "SecretKmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
}


@pytest.fixture(scope="module", autouse=True)
def aws() -> Iterator[None]:
    with moto_alone(PLACES["aws"]):
        yield


def stored(role: str, policy: str) -> Any:
    """A role's inline policy; moto writes an object down as Python does."""
    found = boto3.client("iam").get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    return ast.literal_eval(found) if isinstance(found, str) else found


Deployed = tuple[Stack, dict[str, str]]


@pytest.fixture(scope="module")
def main() -> Deployed:
    stack = main_stack(**EVERYTHING)
    asked = {"OperatorEmail": "operator@example.com"}
    return stack, deploy(translated(stack.place.region), stack, asked | EVERYTHING)


def test_what_moto_can_create_is_created_and_nothing_else(main: Deployed) -> None:
    stack, created = main
    assert created.keys() == supported(stack)
    kinds = {stack.resources[name]["Type"] for name in created}
    assert {
        "AWS::DynamoDB::Table",
        "AWS::Events::Rule",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::Role",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Function",
        "AWS::Lambda::Permission",
        "AWS::Logs::LogGroup",
        "AWS::SNS::Topic",
        "AWS::SQS::Queue",
    } <= kinds, "or the test shows little"


def test_the_function_is_deployed_with_what_it_needs(main: Deployed) -> None:
    stack, created = main
    function = boto3.client("lambda").get_function_configuration(FunctionName=created["Function"])
    assert (function["Runtime"], function["Handler"]) == ("provided.al2023", "bootstrap")
    variables = function["Environment"]["Variables"]
    assert variables["NOTIFICATION_TOPIC_ARN"] == created["NotificationTopic"]
    assert variables["LEDGER_TABLE"] == created["Ledger"]
    assert variables["WORK_QUEUE_URL"] == created["Jobs"]
    assert variables.keys() == stack.properties("Function")["Environment"]["Variables"].keys()
    # Each rule has the function for its only target.
    events = boto3.client("events")
    rules = [name for name, resource in stack.resources.items() if resource["Type"] == "AWS::Events::Rule"]
    assert len(rules) == 6
    for name in rules:
        [target] = events.list_targets_by_rule(Rule=created[name])["Targets"]
        assert target["Arn"] == function["FunctionArn"], name


def test_the_audit_is_deployed_of_the_same_code_with_what_it_needs(main: Deployed) -> None:
    _, created = main
    client = boto3.client("lambda")
    function, audit = (
        client.get_function_configuration(FunctionName=created[name]) for name in ("Function", "AuditFunction")
    )
    for key in ("CodeSha256", "Handler", "Runtime", "Architectures", "MemorySize", "Timeout"):
        assert audit[key] == function[key], key
    assert audit["Role"].endswith(f"role/{created['AuditFunctionRole']}")
    variables, audits = function["Environment"]["Variables"], audit["Environment"]["Variables"]
    assert audits["WORK_QUEUE_URL"] == created["AuditJobs"]
    assert audits["MEMBER_ROLE_NAME"] == f"{variables['MEMBER_ROLE_NAME']}-audit"
    assert audits.keys() == variables.keys()


@pytest.mark.parametrize(("function", "queue"), [("Function", "Jobs"), ("AuditFunction", "AuditJobs")])
def test_each_function_takes_from_its_own_queue(function: str, queue: str, main: Deployed) -> None:
    _, created = main
    mappings = boto3.client("lambda").list_event_source_mappings(FunctionName=created[function])
    [mapping] = mappings["EventSourceMappings"]
    assert mapping["EventSourceArn"].endswith(f":{created[queue].rpartition('/')[2]}")


def test_the_ledger_is_the_table_that_the_stand_in_has(main: Deployed) -> None:
    stack, created = main
    table = boto3.client("dynamodb").describe_table(TableName=created["Ledger"])["Table"]
    assert (table["KeySchema"], table["AttributeDefinitions"]) == (dynamodb.KEY_SCHEMA, dynamodb.ATTRIBUTES)
    for found, expected in zip(table["GlobalSecondaryIndexes"], dynamodb.INDEXES, strict=True):
        assert expected.items() <= found.items()
    assert table["BillingModeSummary"] == {"BillingMode": "PAY_PER_REQUEST"}
    # moto leaves this out of what it creates.
    expires = {"AttributeName": dynamodb.TTL, "Enabled": True}
    assert stack.properties("Ledger")["TimeToLiveSpecification"] == expires


# In the others stand names that are made up anew by every deployment.
COMPARED = {
    "FunctionRole": ("look", "exempt", "reset", "grant", "strengthen", "encrypt", "organisation"),
    "AuditFunctionRole": ("look", "never", "raise", "tidy", "organisation"),
}


@pytest.mark.parametrize("role", COMPARED)
def test_moto_gives_a_role_the_policies_that_the_simulator_is_asked_about(role: str, main: Deployed) -> None:
    stack, created = main
    iam = boto3.client("iam")
    expected = role_policies(stack, role)
    names = iam.list_role_policies(RoleName=created[role])["PolicyNames"]
    assert sorted(names) == sorted(expected)
    for name in COMPARED[role]:
        assert stored(created[role], name) == expected[name], name


def test_the_functions_roles_and_the_readers_policy_are_what_the_simulator_is_asked_about(main: Deployed) -> None:
    stack, created = main
    iam = boto3.client("iam")
    for role in COMPARED:
        assert iam.get_role(RoleName=created[role])["Role"]["Arn"] == stack.attribute(role, "Arn")
    version = iam.get_policy_version(PolicyArn=created["ReadOwnPassword"], VersionId="v1")["PolicyVersion"]
    # `${aws:username}` is IAM's to fill in, not CloudFormation's.
    assert version["Document"] == stack.properties("ReadOwnPassword")["PolicyDocument"]


def test_the_member_roles_are_deployed_to_another_account() -> None:
    place = PLACES["aws"]
    asked = MEMBER_ASKED | {"SecretKmsKeyArn": EVERYTHING["SecretKmsKeyArn"]}
    # moto's own account stands for the member's.
    stack = member_stack(place=place, **asked)
    created = deploy(load(MEMBER_ROLE), stack, asked)
    assert created.keys() == stack.resources.keys()
    iam = boto3.client("iam")
    name = "iam-password-remediator-member"
    for logical, physical in (("MemberRole", name), ("AuditRole", f"{name}-audit")):
        role = iam.get_role(RoleName=physical)["Role"]
        assert role["AssumeRolePolicyDocument"] == stack.properties(logical)["AssumeRolePolicyDocument"]
        for policy, document in role_policies(stack, logical).items():
            assert stored(physical, policy) == document, policy
