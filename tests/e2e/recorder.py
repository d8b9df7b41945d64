"""Every call to AWS that the function made in a session, for checks of what its role must allow.

One line of JSON for each, in the order of the tests: `service`, `operation`, `action` (as IAM policies name it),
`resources` (ARNs, as far as the request tells), `account`, `region`, `principal` (`function`, `audit` of the function
for audits, or the ARN of the session of a role that one of them assumed), `params` (secrets redacted), `status` and
`code`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from standin.client import Standin

# The function's own calls; those of the tests come from other clients.
_FUNCTION = "aws-sdk-rust"
_ACTIONS = {"SendMessageBatch": "SendMessage"}


class Recorder:
    """Writes calls down before a reset of the stand-in forgets them, in place of what an earlier session wrote."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        self._path = path

    def take(self, aws: Standin) -> None:
        """Adds the calls since the last reset."""
        calls = [call for call in aws.calls() if call["user_agent"].startswith(_FUNCTION)]
        arns = {(user["account_id"], user["name"].lower()): user["arn"] for user in aws.users()}
        secrets = {(secret["account_id"], secret["name"]): secret["arn"] for secret in aws.secrets()}
        with self._path.open("a") as file:
            file.writelines(f"{json.dumps(line(call, arns, secrets))}\n" for call in calls)


def line(
    call: dict[str, Any], users: dict[tuple[str, str], str], secrets: dict[tuple[str, str], str]
) -> dict[str, Any]:
    """A call as it is written down. `users` and `secrets`: ARNs by account and name."""
    return {
        "service": call["service"],
        "operation": call["operation"],
        "action": f"{call['service']}:{_ACTIONS.get(call['operation'], call['operation'])}",
        "resources": _resources(call, users, secrets),
        "account": call["account_id"],
        "region": call["region"],
        "principal": call["principal"] or "function",
        "params": call["params"],
        "status": call["status"],
        "code": call["code"],
    }


def _resources(
    call: dict[str, Any], users: dict[tuple[str, str], str], secrets: dict[tuple[str, str], str]
) -> list[str]:
    account, region, params = call["account_id"], call["region"], call["params"]
    if "PolicySourceArn" in params:
        return [params["PolicySourceArn"]]
    if "UserName" in params:
        name = params["UserName"]
        return [users.get((account, name.lower()), f"arn:aws:iam::{account}:user/{name}")]
    if call["service"] == "secretsmanager":
        name = params.get("SecretId") or params.get("Name")
        if name is None or name.startswith("arn:"):
            return [name] if name else []
        # What does not exist yet is checked by its name and an unknown ending.
        return [secrets.get((account, name), f"arn:aws:secretsmanager:{region}:{account}:secret:{name}-??????")]
    if call["service"] == "dynamodb":
        tables = [params["TableName"]] if "TableName" in params else list(params["RequestItems"])
        index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
        return [f"arn:aws:dynamodb:{region}:{account}:table/{name}{index}" for name in tables]
    if "QueueUrl" in params:
        *_, owner, name = params["QueueUrl"].split("/")
        return [f"arn:aws:sqs:{region}:{owner}:{name}"]
    if "SubscriptionArn" in params:
        return [params["SubscriptionArn"].rpartition(":")[0]]
    named = [params[key] for key in ("TopicArn", "RoleArn") if key in params]
    findings = params.get("FindingIdentifiers") or params.get("Findings", [])
    return named or sorted({finding["ProductArn"] for finding in findings if "ProductArn" in finding})
