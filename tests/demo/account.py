"""The account that events/README.md describes: who is in it and where the function's binary is.

The demo, `make invoke` and the end-to-end tests use it, so that all three show the same world.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from standin.client import Standin

ROOT = Path(__file__).resolve().parents[2]
EVENTS = ROOT / "events"
ACCOUNT_ID = "123456789012"
FUNCTION = "iam-password-remediator"
TOPIC = "passwords"
TABLE = "ledger"
# What the access key of the audit's function ends with: by it the stand-in tells the calls of the two apart.
AUDIT_KEY = "-audit"

# Password ages in days. Older than 90 is too old.
AGES = {"alice": 120, "bob": 200, "carol": 95, "dave": 3, "breakglass": 400}
EXEMPT = {"breakglass": {"password-remediation": "exempt"}}

# What many accounts have: a policy that once satisfied somebody.
WEAK_POLICY = {"MinimumPasswordLength": 8, "AllowUsersToChangePassword": True}
STRONG_POLICY = {
    "MinimumPasswordLength": 14,
    "RequireSymbols": True,
    "RequireNumbers": True,
    "RequireUppercaseCharacters": True,
    "RequireLowercaseCharacters": True,
    "AllowUsersToChangePassword": True,
    "PasswordReusePrevention": 24,
}

# A password policy's settings, by AWS's names, and what the stand-in calls them.
POLICY_FIELDS = {
    "MinimumPasswordLength": "minimum_password_length",
    "RequireSymbols": "require_symbols",
    "RequireNumbers": "require_numbers",
    "RequireUppercaseCharacters": "require_uppercase_characters",
    "RequireLowercaseCharacters": "require_lowercase_characters",
    "MaxPasswordAge": "max_password_age",
    "PasswordReusePrevention": "password_reuse_prevention",
    "AllowUsersToChangePassword": "allow_users_to_change_password",
    "HardExpiry": "hard_expiry",
}


def users(ages: dict[str, int] = AGES) -> list[dict[str, Any]]:
    """Users as a seed wants them."""
    return [{"name": name, "age_days": age, "tags": EXEMPT.get(name, {})} for name, age in ages.items()]


def fill(aws: Standin, account_id: str = ACCOUNT_ID, **more: Any) -> dict[str, Any]:
    """Fills an account: these users, topic, ledger, credential report. `more` is more for the seed, or other."""
    return aws.seed(
        **{
            "account_id": account_id,
            "users": users(),
            "password_policy": WEAK_POLICY,
            "topics": [{"name": TOPIC}],
            "tables": [{"name": TABLE}],
            "generate_report": True,
            **more,
        }
    )


def remember(aws: Standin, account_id: str, secrets: dict[str, str]) -> None:
    """Writes down in the account's ledger that the function made these secrets: name of the user to ARN."""
    ledger = aws.boto3("dynamodb", account=account_id)
    for name, arn in secrets.items():
        item = {"id": {"S": f"user#{account_id}#{name.lower()}"}, "secret_arn": {"S": arn}}
        ledger.put_item(TableName=TABLE, Item=item)


def environment(account_id: str = ACCOUNT_ID) -> dict[str, str]:
    """What the function must be told, and nothing more."""
    return {"NOTIFICATION_TOPIC_ARN": f"arn:aws:sns:us-east-1:{account_id}:{TOPIC}", "LEDGER_TABLE": TABLE}


def assumed(event: Path) -> dict[str, str]:
    """What a sample event takes besides, as events/expected.json says."""
    if event.resolve().parent != EVENTS:
        return {}
    expected = json.loads((EVENTS / "expected.json").read_text()).get(event.name, {})
    return {"TRUSTED_PRODUCTS": expected["trusted"]} if "trusted" in expected else {}


def sample(name: str, account_id: str = ACCOUNT_ID) -> Any:
    """An event of events/, as if it had happened in that account."""
    return json.loads((EVENTS / name).read_text().replace(ACCOUNT_ID, account_id))


def own_events(aws: Standin, account_id: str = ACCOUNT_ID, *, after: int = 0) -> list[Any]:
    """The events of the function's own findings that the rule passes on, without the first `after` of all events.

    tests/infra/test_patterns.py holds the rule against the sample, whose envelope they have.
    """
    envelope = sample("password-age-own.json", account_id)
    return [
        {**envelope, "id": f"own-{number}", "detail": {"findings": [finding]}}
        for number, finding in enumerate(aws.finding_events(account_id)[after:], after)
        if (finding["Compliance"]["Status"], finding["RecordState"], finding["Workflow"]["Status"])
        == ("FAILED", "ACTIVE", "NEW")
    ]


def find_binary(given: str | None = None) -> Path:
    """The binary: the one given, by argument or as `BINARY`, else what was built last for Lambda or by cargo."""
    given = given or os.environ.get("BINARY")
    built = [ROOT / f"target/lambda/{FUNCTION}/bootstrap", ROOT / f"target/debug/{FUNCTION}"]
    choices = [Path(given)] if given else built
    for choice in choices:
        if choice.is_file():
            return choice.resolve()
    raise SystemExit(f"there is no binary at {' or '.join(map(str, choices))}: run `make build`")


def password_policy(aws: Standin, account_id: str = ACCOUNT_ID) -> dict[str, str]:
    """The account's policy in AWS's names, each setting as the function writes it: `8`, `true`, `none`."""
    policy = aws.state()["password_policies"].get(account_id, {})
    values = {name: policy.get(field) for name, field in POLICY_FIELDS.items()}
    return {name: "none" if value is None else str(value).lower() for name, value in values.items()}
