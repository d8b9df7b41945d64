"""What a reset leaves behind, on the wire and in the account: secret, message, record, log, metrics."""

from __future__ import annotations

import json
import string
from collections.abc import Callable

import pytest
from demo.account import STRONG_POLICY, WEAK_POLICY
from leaks import passwords_in
from standin.client import Standin
from standin.runtime import Invocation
from world import PREFIX, World, only_user

ALPHABETS = (string.ascii_uppercase, string.ascii_lowercase, string.digits, "!@#$%^&*()_+-=[]{}|'")


def test_the_secret_holds_the_password_that_works_and_says_whose_it_is(world: Callable[..., World]) -> None:
    it = world()
    answer = it.answer("password-age-imported")
    secret = it.secret()
    account = it.account_id
    assert secret["name"] == f"{PREFIX}/{account}/alice"
    assert secret["tags"] == {"managed-by": "iam-password-remediator", "iam-user": "alice", "account-id": account}
    assert secret["kms_key_id"] is None
    assert only_user(answer)["secret_arn"] == secret["arn"]
    (version,) = secret["versions"]
    assert version["labels"] == ["AWSCURRENT"]
    value = dict(version["value"])
    is_the_working_one = value.pop("password") == it.user()["password"]
    assert is_the_working_one
    assert value == {
        "username": "alice",
        "account_id": account,
        "sign_in_url": f"https://{account}.signin.aws.amazon.com/console",
    }
    it.assert_can_sign_in()


def test_a_user_can_be_let_read_their_own_secret_alone_by_its_tag(aws: Standin, world: Callable[..., World]) -> None:
    it = world(users={"alice": 120, "bob": 120})
    for name in ("alice", "bob"):
        it.answer({"action": "reset", "user_name": name})
    tagged = {"iam-user": "${aws:username}", "account-id": "${aws:PrincipalAccount}"}
    only_own = {"StringEquals": {f"secretsmanager:ResourceTag/{key}": value for key, value in tagged.items()}}
    statement = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*", "Condition": only_own}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam = aws.boto3("iam", account=it.account_id)
    for reader in ("alice", "bob"):
        for owner in ("alice", "bob"):
            (result,) = iam.simulate_principal_policy(
                PolicySourceArn=it.user(reader)["arn"],
                PolicyInputList=[document],
                ActionNames=["secretsmanager:GetSecretValue"],
                ResourceArns=[it.secret(owner)["arn"]],
                ContextEntries=[
                    {
                        "ContextKeyName": f"secretsmanager:ResourceTag/{key}",
                        "ContextKeyType": "string",
                        "ContextKeyValues": [value],
                    }
                    for key, value in it.secret(owner)["tags"].items()
                ],
            )["EvaluationResults"]
            assert (result["EvalDecision"] == "allowed") == (reader == owner), f"{reader} reads {owner}'s"


def test_the_key_and_the_prefix_are_the_configured_ones(world: Callable[..., World]) -> None:
    it = world(variables={"SECRET_KMS_KEY_ID": "alias/passwords", "SECRET_PREFIX": "people/console"})
    it.answer("password-age-imported")
    assert it.secret()["name"] == f"people/console/{it.account_id}/alice"
    assert it.secret()["kms_key_id"] == "alias/passwords"


@pytest.mark.parametrize(
    "policy, configured, length",
    [(STRONG_POLICY, None, 24), ({**STRONG_POLICY, "MinimumPasswordLength": 40}, None, 40), (STRONG_POLICY, "64", 64)],
)
def test_a_password_is_as_long_as_asked_and_has_all_four_classes(
    world: Callable[..., World], policy: dict[str, object], configured: str | None, length: int
) -> None:
    it = world(password_policy=policy, variables={"PASSWORD_LENGTH": configured} if configured else {})
    it.answer("password-age-imported")
    password = it.user()["password"]
    facts = (len(password), all(set(alphabet) & set(password) for alphabet in ALPHABETS))
    assert facts == (length, True)
    confusable = set(password) & set("0O1lI")
    assert not confusable


def test_passwords_are_never_the_same(world: Callable[..., World]) -> None:
    it = world(users={f"user-{number}": 120 for number in range(20)})
    it.answer("sweep")
    distinct = len({user["password"] for user in it.users()})
    assert distinct == 20


def test_the_user_gets_one_message_with_all_that_filter_policies_and_programs_need(
    aws: Standin, world: Callable[..., World]
) -> None:
    it = world(variables={"SUPPORT_CONTACT": "Help desk, extension 4711"})
    mine = {"account_id": [it.account_id], "user_name": ["alice"]}
    aws.seed(
        account_id=it.account_id,
        topics=[
            {
                "name": "passwords",
                "subscriptions": [
                    {"protocol": "email", "endpoint": "alice@example.com", "filter_policy": mine},
                    {
                        "protocol": "email",
                        "endpoint": "bob@example.com",
                        "filter_policy": {**mine, "user_name": ["bob"]},
                    },
                    {"protocol": "sms", "endpoint": "+15550100", "filter_policy": {"audience": ["user"]}},
                    {
                        "protocol": "email",
                        "endpoint": "operators@example.com",
                        "filter_policy": {"audience": ["operator"]},
                    },
                ],
            }
        ],
    )
    event = it.event("password-age-imported")
    it.answer(event)
    (message,) = it.messages()
    secret_arn, account = it.secret()["arn"], it.account_id
    sign_in_url = f"https://{account}.signin.aws.amazon.com/console"

    (call,) = it.calls("Publish")
    assert call["params"]["MessageStructure"] == "json"
    assert message["attributes"] == {
        "audience": "user",
        "kind": "password-reset",
        "account_id": account,
        "user_name": "alice",
    }
    assert set(message["bodies"]) == {"default", "email", "sms"}
    assert (
        json.loads(message["bodies"]["default"]).items()
        >= {
            "kind": "password-reset",
            "account_id": account,
            "user_name": "alice",
            "secret_arn": secret_arn,
            "finding_id": event["detail"]["findings"][0]["Id"],
            "password_age_days": 120,
            "sign_in_url": sign_in_url,
        }.items()
    )
    email = message["bodies"]["email"]
    for part in ("alice", account, sign_in_url, secret_arn, "120 days", "90 days", "Help desk, extension 4711"):
        assert part in email, f"the e-mail lacks {part}"
    assert len(message["bodies"]["sms"]) <= 140
    assert 0 < len(message["subject"]) < 100 and message["subject"].isprintable()
    reached = {delivery["endpoint"] for delivery in message["deliveries"]}
    assert reached == {"alice@example.com", "+15550100"}
    assert passwords_in(json.dumps(message), aws.passwords()) == []


def test_a_message_can_be_in_japanese(aws: Standin, world: Callable[..., World]) -> None:
    it = world(variables={"NOTIFICATION_LANGUAGE": "ja"})
    it.answer("password-age-imported")
    (message,) = it.messages()
    assert "パスワード" in message["bodies"]["email"] and "パスワード" in message["subject"]
    assert json.loads(message["bodies"]["default"])["kind"] == "password-reset"


def test_the_finding_is_marked_notified_with_a_note(world: Callable[..., World]) -> None:
    it = world()
    event = it.event("password-age-imported")
    it.aws.seed(account_id=it.account_id, findings=event["detail"]["findings"])
    it.aws.settings(accept_unknown_findings=False)
    it.answer(event)
    (update,) = it.finding_updates()
    finding = event["detail"]["findings"][0]
    assert update["processed"] == [{"Id": finding["Id"], "ProductArn": finding["ProductArn"]}]
    assert update["changes"]["Workflow"] == {"Status": "NOTIFIED"}
    assert update["changes"]["Note"]["UpdatedBy"] == "iam-password-remediator"
    assert "alice (120 days old) reset" in update["changes"]["Note"]["Text"]


def test_a_v2_finding_is_recorded_by_the_v2_call(world: Callable[..., World]) -> None:
    it = world(users={"carol": 95})
    event = it.event("password-age-v2")
    it.aws.seed(account_id=it.account_id, findings=event["detail"]["findings"])
    it.aws.settings(accept_unknown_findings=False)
    it.answer(event)
    (update,) = it.finding_updates()
    assert update["api"] == "BatchUpdateFindingsV2"
    assert update["unprocessed"] == [] and len(update["processed"]) == 1
    assert update["changes"]["status_id"] == 2
    assert "carol (95 days old) reset" in update["changes"]["comment"]


def test_a_finding_that_security_hub_does_not_know_is_said_and_no_failure(world: Callable[..., World]) -> None:
    it = world()
    it.aws.settings(accept_unknown_findings=False)
    answer = it.answer("password-age-imported")
    assert "Security Hub does not know the finding" in answer["findings"][0]["reason"]
    it.assert_reset()


def test_what_cannot_be_recorded_fails_the_invocation_and_resets_nobody_again(
    aws: Standin, world: Callable[..., World]
) -> None:
    it = world()
    aws.faults({"match": {"operation": "BatchUpdateFindings"}, "effect": "access_denied"})
    for _ in range(3):
        answer = it.failure("password-age-imported")
        assert "BatchUpdateFindings failed: AccessDeniedException" in answer["findings"][0]["reason"]
    aws.faults()
    it.answer("password-age-imported")
    it.assert_reset()
    assert len(it.calls("UpdateLoginProfile")) == 1


def test_the_message_of_a_failure_is_the_answer(aws: Standin, world: Callable[..., World]) -> None:
    it = world(users={"alice": 120, "bob": 200, "dave": 3})
    aws.faults({"match": {"operation": "UpdateLoginProfile", "user": "bob"}, "effect": "access_denied"})
    answer = it.failure({"action": "sweep"})
    assert set(answer) == {"mode", "findings", "policies", "users", "totals"}
    assert answer["totals"] == {"reset": 1, "skipped": 0, "held": 0, "queued": 0, "failed": 1}
    failed = next(user for user in answer["users"] if user["user_name"] == "bob")
    assert failed["status"] == "failed"
    assert failed["reason"].startswith("iam:UpdateLoginProfile failed: AccessDenied")
    it.assert_reset("alice")
    aws.faults()
    it.answer({"action": "sweep"})
    it.assert_reset("alice")
    it.assert_reset("bob")


def test_operators_are_told_of_what_no_retry_mends(aws: Standin, world: Callable[..., World]) -> None:
    it = world()
    aws.faults({"match": {"operation": "UpdateLoginProfile"}, "effect": "access_denied"})
    it.failure("password-age-imported")
    (message,) = it.messages()
    assert message["attributes"] == {
        "audience": "operator",
        "kind": "remediation-failed",
        "account_id": it.account_id,
    }, "no user_name: users who filter by it get only what is for them"
    document = json.loads(message["bodies"]["default"])
    assert document["user_name"] == "alice" and document["secret_arn"] == it.secret()["arn"]
    assert document["finding_id"] == it.event("password-age-imported")["detail"]["findings"][0]["Id"]
    assert "iam:UpdateLoginProfile failed: AccessDenied" in document["reason"]
    assert passwords_in(json.dumps(message), aws.passwords()) == []


def test_messages_to_operators_name_the_finding_that_led_to_them(world: Callable[..., World]) -> None:
    it = world(users={"alice": 120, "bob": 200}, password_policy=WEAK_POLICY, variables={"MAX_RESETS_PER_SWEEP": "1"})
    event = it.event("iam7-imported")
    it.answer(event)
    documents = [json.loads(message["bodies"]["default"]) for message in it.messages(audience="operator")]
    named = {document["kind"]: document.get("finding_id") for document in documents}
    finding_id = event["detail"]["findings"][0]["Id"]
    assert named == {"policy-strengthened": finding_id, "sweep-held": finding_id}


def test_the_log_is_json_with_the_names_that_dashboards_know(world: Callable[..., World]) -> None:
    it = world()
    first = it.deliver("password-age-imported")
    second = it.deliver("password-age-imported")
    (decision,) = _lines(first, "decision")
    assert decision["service"] == "iam-password-remediator"
    assert decision["cold_start"] is True
    assert decision["function_request_id"] == first.request_id
    assert decision["level"] == "INFO"
    assert (decision["account_id"], decision["user_name"], decision["decision"]) == (it.account_id, "alice", "reset")
    assert decision["finding_id"] == first.result["findings"][0]["id"]
    (decision,) = _lines(second, "decision")
    assert decision["cold_start"] is False
    assert (decision["decision"], decision["reason"]) == ("skipped", "already-reset")


def test_the_metrics_are_in_embedded_metric_format(world: Callable[..., World]) -> None:
    it = world(users={"alice": 120, "bob": 200, "dave": 3})
    invocation = it.deliver({"action": "sweep"})
    (line,) = [json.loads(line) for line in invocation.log.splitlines() if '"_aws"' in line]
    assert (line["Resets"], line["Skips"], line["Failures"], line["OldestPasswordAgeDays"]) == (2, 0, 0, 200)
    (definition,) = line["_aws"]["CloudWatchMetrics"]
    assert definition["Dimensions"] == [["service"]] and line["service"] == "iam-password-remediator"
    assert all(isinstance(line[metric["Name"]], int) for metric in definition["Metrics"])


def test_a_dry_run_reads_everything_and_writes_nothing(world: Callable[..., World]) -> None:
    it = world(variables={"MODE": "dry-run"}, password_policy={"MinimumPasswordLength": 8})
    answer = it.answer("iam7-imported")
    assert answer["mode"] == "dry-run"
    assert answer["policies"][0]["status"] == "would-strengthen" and answer["policies"][0]["changes"]
    assert only_user(answer)["status"] == "would-reset"
    it.assert_untouched()
    assert not [name for name in it.operations() if not name.startswith(("Get", "List", "Describe", "Simulate"))]


def test_the_policy_is_only_reported_on_where_that_is_wanted(world: Callable[..., World]) -> None:
    it = world(variables={"PASSWORD_POLICY": "report", "SWEEP": "off"}, password_policy={"MinimumPasswordLength": 8})
    answer = it.answer("iam7-imported")
    assert answer["policies"][0]["status"] == "would-strengthen"
    assert answer["users"] == []
    assert not it.calls("UpdateAccountPasswordPolicy")
    (update,) = it.finding_updates()
    assert update["changes"]["Workflow"]["Status"] == "NOTIFIED"


def _lines(invocation: Invocation, message: str) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in invocation.log.splitlines()]
    return [line for line in lines if line.get("message") == message]
