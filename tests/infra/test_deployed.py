"""The translated templates, deployed to moto: an independent reading of what tests/infra/cfn.py evaluates.

moto leaves out types that it does not know, without a word. What it leaves out is told by its own table, so that a
type it learns is checked from then on; what concerns those types is asserted from the template in test_template.py.
"""

from __future__ import annotations

import ast
import io
import json
import os
import warnings
import zipfile
from collections.abc import Iterator
from copy import deepcopy
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from moto import mock_aws
from moto.cloudformation.parsing import get_model_map
from standin import dynamodb

from .cfn import MEMBER_ASKED, MEMBER_ROLE, PLACES, Stack, document, load, main_stack, member_stack, translated
from .simulator import role_policies

# Everything switched on: moto keeps an empty place where !If removes an entry of a list.
EVERYTHING = {
    "SweepSchedule": "rate(1 day)",
    "CustomAction": "create",
    "MemberRoleName": "iam-password-remediator-member",
    "SecretKmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
}
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "moto",
    "AWS_SECRET_ACCESS_KEY": "moto",
    "AWS_DEFAULT_REGION": PLACES["aws"].region,
}


@pytest.fixture(scope="module", autouse=True)
def aws() -> Iterator[None]:
    """Nothing but moto: no profile and no credentials of whoever runs this."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))}
    with patch.dict(os.environ, kept | CREDENTIALS, clear=True), mock_aws():
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as package:
            package.writestr("bootstrap", "")
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="key", Body=archive.getvalue())
        yield


def parsed(template: dict[str, Any], stack: Stack) -> dict[str, Any]:
    """The template with JSON in strings read, as CloudFormation does where a property is JSON, and moto does not."""
    template = deepcopy(template)

    def read(node: Any) -> None:
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            if key in ("EventPattern", "PolicyDocument") and "Fn::Sub" in value:
                node[key] = document(stack.value(value))
            elif isinstance(value, dict | list):
                read(value)

    read(template["Resources"])
    return template


def deploy(template: dict[str, Any], stack: Stack, parameters: dict[str, str]) -> dict[str, str]:
    """Logical ids of what was created, with the physical ones."""
    cloudformation = boto3.client("cloudformation")
    cloudformation.create_stack(
        StackName=stack.name,
        TemplateBody=json.dumps(parsed(template, stack)),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    [described] = cloudformation.describe_stacks(StackName=stack.name)["Stacks"]
    assert described["StackStatus"] == "CREATE_COMPLETE"
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack.name)
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in pages
        for resource in page["StackResourceSummaries"]
        # moto lists what it did not create too, without so much as a name.
        if resource["LogicalResourceId"]
    }


def supported(stack: Stack) -> set[str]:
    return {name for name, resource in stack.resources.items() if resource["Type"] in get_model_map()}


def stored(role: str, policy: str) -> Any:
    """A role's inline policy; moto writes an object down as Python does."""
    found = boto3.client("iam").get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    return ast.literal_eval(found) if isinstance(found, str) else found


Deployed = tuple[Stack, dict[str, str]]


@pytest.fixture(scope="module")
def main() -> Deployed:
    stack = main_stack(**EVERYTHING)
    asked = {"OperatorEmail": "operator@example.com"}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Tried to parse")
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
    mappings = boto3.client("lambda").list_event_source_mappings(FunctionName=created["Function"])
    [mapping] = mappings["EventSourceMappings"]
    assert mapping["EventSourceArn"].endswith(created["Jobs"].rpartition("/")[2])


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


def test_moto_gives_the_role_the_policies_that_the_simulator_is_asked_about(main: Deployed) -> None:
    stack, created = main
    iam = boto3.client("iam")
    expected = role_policies(stack, "FunctionRole")
    names = iam.list_role_policies(RoleName=created["FunctionRole"])["PolicyNames"]
    assert sorted(names) == sorted(expected)
    # In the others stand names that are made up anew by every deployment.
    for name in ("look", "exempt", "reset", "grant", "strengthen", "encrypt", "organisation"):
        assert stored(created["FunctionRole"], name) == expected[name], name


def test_the_member_role_is_deployed_to_another_account() -> None:
    place = PLACES["aws"]
    asked = MEMBER_ASKED | {"SecretKmsKeyArn": EVERYTHING["SecretKmsKeyArn"]}
    # moto's own account stands for the member's.
    stack = member_stack(place=place, **asked)
    created = deploy(load(MEMBER_ROLE), stack, asked)
    assert created.keys() == stack.resources.keys()
    iam = boto3.client("iam")
    role = iam.get_role(RoleName="iam-password-remediator-member")["Role"]
    assert role["AssumeRolePolicyDocument"] == stack.properties("MemberRole")["AssumeRolePolicyDocument"]
    for name, policy in role_policies(stack, "MemberRole").items():
        assert stored(role["RoleName"], name) == policy, name
