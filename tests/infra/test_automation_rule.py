"""infra/automation-rule.yaml against findings as Security Hub and AWS Config write them.

The filters are read as https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_StringFilter.html has it: those of
one field are alternatives, and every field has to match.
"""

from __future__ import annotations

from typing import Any

import pytest

from .cfn import PLACES, ROOT, Stack, load, main_stack

TEMPLATE = ROOT / "infra" / "automation-rule.yaml"
OURS = "arn:aws:secretsmanager:us-east-1:210987654321:secret:iam-console-password/210987654321/alice-AbCdEf"
ANOTHER = "arn:aws:secretsmanager:us-east-1:210987654321:secret:payments/database-AbCdEf"
TAGS = {"managed-by": "iam-password-remediator", "iam-user": "alice", "account-id": "210987654321"}
CONTROLS = ["SecretsManager.1", "SecretsManager.3", "SecretsManager.4"]
CONFIG_RULES = [
    "secretsmanager-rotation-enabled-check",
    "secretsmanager-secret-unused",
    "secretsmanager-secret-periodic-rotation",
]
COMPARISONS = {"EQUALS": lambda found, value: found == value, "CONTAINS": lambda found, value: value in found}


def rules(partition: str = "aws", **parameters: str) -> dict[str, dict[str, Any]]:
    return Stack(load(TEMPLATE), PLACES[partition], parameters).of_type("AWS::SecurityHub::AutomationRule")


def finding(resource_id: str, tags: dict[str, str], **fields: Any) -> dict[str, Any]:
    return {
        "SchemaVersion": "2018-10-08",
        "ProductArn": "arn:aws:securityhub:us-east-1::product/aws/securityhub",
        "ProductName": "Security Hub",
        "AwsAccountId": "210987654321",
        "Title": "Secrets Manager secrets should have automatic rotation enabled",
        "Compliance": {"Status": "FAILED", "SecurityControlId": "SecretsManager.1"},
        "Workflow": {"Status": "NEW"},
        "RecordState": "ACTIVE",
        "Resources": [{"Type": "AwsSecretsManagerSecret", "Id": resource_id, "Partition": "aws", "Tags": tags}],
    } | fields


def of_control(control: str, resource_id: str = OURS, tags: dict[str, str] = TAGS) -> dict[str, Any]:
    return finding(resource_id, tags, Compliance={"Status": "FAILED", "SecurityControlId": control})


def of_config(rule: str, resource_id: str = OURS, tags: dict[str, str] = TAGS) -> dict[str, Any]:
    product = "arn:aws:securityhub:us-east-1::product/aws/config"
    return finding(resource_id, tags, ProductArn=product, Title=rule, Compliance={"Status": "FAILED"})


def fits(criteria: dict[str, list[dict[str, str]]], found: dict[str, Any]) -> bool:
    [resource] = found["Resources"]
    texts = {
        "ComplianceSecurityControlId": found["Compliance"].get("SecurityControlId", ""),
        "ProductArn": found["ProductArn"],
        "Title": found["Title"],
        "RecordState": found["RecordState"],
        "WorkflowStatus": found["Workflow"]["Status"],
        "ResourceId": resource["Id"],
    }

    def value(field: str, part: dict[str, str]) -> str:
        return resource["Tags"].get(part["Key"], "") if field == "ResourceTags" else texts[field]

    return all(
        any(COMPARISONS[part["Comparison"]](value(field, part), part["Value"]) for part in filters)
        for field, filters in criteria.items()
    )


def is_suppressed(found: dict[str, Any], **parameters: str) -> bool:
    return any(fits(rule["Criteria"], found) for rule in rules(**parameters).values())


@pytest.mark.parametrize(
    "found",
    [
        *(of_control(control) for control in CONTROLS),
        *(of_config(rule) for rule in CONFIG_RULES),
        of_config("OrgConfigRule-secretsmanager-secret-unused-x1y2z3a4"),
        of_config("secretsmanager-secret-unused-conformance-pack-abcdefghi"),
    ],
)
def test_what_asks_to_rotate_or_delete_one_of_our_secrets_is_suppressed(found: dict[str, Any]) -> None:
    assert is_suppressed(found)


@pytest.mark.parametrize(
    "found",
    [
        # Another secret: by its name, its tags, or both.
        *(of_control(control, ANOTHER, {"team": "payments"}) for control in CONTROLS),
        *(of_config(rule, ANOTHER, {}) for rule in CONFIG_RULES),
        of_control("SecretsManager.1", ANOTHER, TAGS),
        of_control("SecretsManager.1", OURS, {}),
        of_control("SecretsManager.1", OURS, {"managed-by": "someone"}),
        of_config(CONFIG_RULES[0], ANOTHER, TAGS),
        of_config(CONFIG_RULES[0], OURS, {}),
        # Another matter: a rotation that failed, another rule, another product that uses a rule's name.
        of_control("SecretsManager.2"),
        of_config("secretsmanager-scheduled-rotation-success-check"),
        of_config("secretsmanager-using-cmk"),
        of_config(CONFIG_RULES[0]) | {"ProductArn": "arn:aws:securityhub:us-east-1::product/prowler/prowler"},
        # Over, or a person's already.
        of_control("SecretsManager.1") | {"RecordState": "ARCHIVED"},
        of_control("SecretsManager.1") | {"Workflow": {"Status": "NOTIFIED"}},
    ],
)
def test_nothing_else_is_suppressed(found: dict[str, Any]) -> None:
    assert not is_suppressed(found)


def test_another_prefix_is_another_secret() -> None:
    moved = OURS.replace("iam-console-password", "logins/console")
    assert is_suppressed(of_control("SecretsManager.3", moved), SecretPrefix="logins/console")
    assert not is_suppressed(of_control("SecretsManager.3"), SecretPrefix="logins/console")
    assert not is_suppressed(of_control("SecretsManager.3", OURS.replace("password/", "password-old/")))


def test_a_rule_does_nothing_but_suppress_and_say_why() -> None:
    for name, rule in rules().items():
        [action] = rule["Actions"]
        update = action["FindingFieldsUpdate"]
        assert action["Type"] == "FINDING_FIELDS_UPDATE", name
        assert update.keys() == {"Workflow", "Note"}, name
        assert update["Workflow"] == {"Status": "SUPPRESSED"}, name
        assert len(update["Note"]["Text"]) <= 512, name


def test_the_secrets_are_those_of_the_functions_stack() -> None:
    ours, its = load(TEMPLATE)["Parameters"]["SecretPrefix"], main_stack().template["Parameters"]["SecretPrefix"]
    assert (ours["Default"], ours["AllowedPattern"]) == (its["Default"], its["AllowedPattern"])
    # As the function tags them, and may tag nothing else.
    [reset] = [
        policy for policy in main_stack().properties("FunctionRole")["Policies"] if policy["PolicyName"] == "reset"
    ]
    [create] = [it for it in reset["PolicyDocument"]["Statement"] if it["Sid"] == "CreateSecret"]
    for name, rule in rules().items():
        [tag] = rule["Criteria"]["ResourceTags"]
        assert create["Condition"]["StringEquals"][f"aws:RequestTag/{tag['Key']}"] == tag["Value"], name
