"""The command that undoes a strengthening does so: the account's policy is then what it was, setting by setting."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from typing import Any

import pytest
from demo.account import WEAK_POLICY, password_policy
from standin.client import Standin
from world import World

POLICIES: dict[str, dict[str, Any] | None] = {
    "weak": WEAK_POLICY,
    "with an age, reuse and hard expiry": {
        **WEAK_POLICY,
        "RequireNumbers": True,
        "MaxPasswordAge": 365,
        "PasswordReusePrevention": 3,
        "HardExpiry": True,
    },
    "none": None,
}


def run(aws: Standin, account_id: str, command: str) -> None:
    """What the AWS CLI makes of it: options are the parameters' names, `--no-` is false."""
    program, service, operation, *options = shlex.split(command)
    assert (program, service) == ("aws", "iam")
    parameters: dict[str, Any] = {}
    for option in options:
        if name := re.fullmatch(r"--(no-)?([a-z-]+)", option):
            last = "".join(word.title() for word in name[2].split("-"))
            parameters[last] = not name[1]
        else:
            parameters[last] = int(option)
    getattr(aws.boto3("iam", account=account_id), operation.replace("-", "_"))(**parameters)


@pytest.mark.parametrize("before", POLICIES)
def test_the_command_restores_the_policy(world: Callable[..., World], aws: Standin, before: str) -> None:
    it = world(users={"alice": 1}, password_policy=POLICIES[before])
    was = password_policy(aws, it.account_id)
    (policy,) = it.answer("iam7-imported")["policies"]
    assert password_policy(aws, it.account_id) != was
    assert (policy["previous"] is None) == (POLICIES[before] is None)
    (message,) = it.messages(kind="policy-strengthened")
    assert f"\n    {policy['undo']}\n" in message["bodies"]["email"]
    assert json.loads(message["bodies"]["default"])["undo"] == policy["undo"]
    run(aws, it.account_id, policy["undo"])
    assert password_policy(aws, it.account_id) == was
