"""Who runs infra's scripts: nobody but moto's own credentials, in one region, with moto for AWS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from moto import mock_aws

REGION = "eu-central-1"
STACK = "iam-password-remediator"


@pytest.fixture(autouse=True)
def aws() -> Iterator[None]:
    """An empty AWS for each test of the module that imports this."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    own = {"AWS_ACCESS_KEY_ID": "moto", "AWS_SECRET_ACCESS_KEY": "moto", "AWS_REGION": REGION}
    with patch.dict(os.environ, kept | own, clear=True), mock_aws(config={"lambda": {"use_docker": False}}):
        yield


def client(service: str) -> Any:
    """A client of the caller's region."""
    return boto3.client(service, region_name=REGION)
