"""Deploys a translated template to moto: an independent reading of what cfn.py evaluates.

moto leaves out types that it does not know, without a word. What it leaves out is told by its own table, so that a
type it learns is checked from then on; what concerns those types is asserted from the template in test_template.py.
"""

from __future__ import annotations

import io
import json
import os
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import boto3
from moto import mock_aws
from moto.cloudformation.parsing import get_model_map

from .cfn import Place, Stack, document


@contextmanager
def moto_alone(place: Place) -> Iterator[None]:
    """Nothing but moto, empty: no profile and no credentials of whoever runs this."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))}
    own = {"AWS_ACCESS_KEY_ID": "moto", "AWS_SECRET_ACCESS_KEY": "moto", "AWS_DEFAULT_REGION": place.region}
    with patch.dict(os.environ, kept | own, clear=True), mock_aws():
        # boto3's session remembers the region of the last.
        boto3.setup_default_session()
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as package:
            package.writestr("bootstrap", "")
        s3 = boto3.client("s3")
        is_everywhere = place.region == "us-east-1"
        location = {} if is_everywhere else {"CreateBucketConfiguration": {"LocationConstraint": place.region}}
        s3.create_bucket(Bucket="bucket", **location)
        s3.put_object(Bucket="bucket", Key="key", Body=archive.getvalue())
        yield
    boto3.setup_default_session()


def parsed(template: dict[str, Any], stack: Stack) -> dict[str, Any]:
    """The template with three things done that CloudFormation does and moto does not.

    JSON in strings is read where a property is JSON; where !If removes an entry of a list, no empty place is left; and
    the partition is that of the region.
    """
    template = json.loads(json.dumps(template).replace("${AWS::Partition}", stack.place.partition))

    def is_left_out(item: Any) -> bool:
        return isinstance(item, dict) and "Fn::If" in item and not stack.value([item])

    def read(node: Any) -> None:
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            if key in ("EventPattern", "PolicyDocument") and "Fn::Sub" in value:
                node[key] = document(stack.value(value))
            elif isinstance(value, dict | list):
                if isinstance(value, list) and key != "Fn::If":
                    value[:] = [item for item in value if not is_left_out(item)]
                read(value)

    read({name: resource for name, resource in template["Resources"].items() if name in stack.resources})
    return template


def deploy(template: dict[str, Any], stack: Stack, parameters: dict[str, str]) -> dict[str, str]:
    """Logical ids of what was created, with the physical ones."""
    cloudformation = boto3.client("cloudformation")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Tried to parse")
        cloudformation.create_stack(
            StackName=stack.name,
            TemplateBody=json.dumps(parsed(template, stack)),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        [described] = cloudformation.describe_stacks(StackName=stack.name)["Stacks"]
        assert described["StackStatus"] == "CREATE_COMPLETE"
        pages = list(cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack.name))
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in pages
        for resource in page["StackResourceSummaries"]
        # moto lists what it did not create too, without so much as a name.
        if resource["LogicalResourceId"]
    }


def supported(stack: Stack) -> set[str]:
    """What moto can create of a stack."""
    return {name for name, resource in stack.resources.items() if resource["Type"] in get_model_map()}
