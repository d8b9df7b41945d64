"""infra/redrive.py against moto: each form in which an event ends in the dead-letter queue, as AWS documents it.

- EventBridge: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
- EventBridge Scheduler: https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
- Lambda: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
- SQS: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
"""

from __future__ import annotations

import importlib
import io
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from .caller import REGION, STACK, aws  # noqa: F401
from .cfn import ROOT

# What the real stack puts out, from as few resources as give it.
TEMPLATE: dict[str, Any] = {
    "Resources": {
        "DeadLetters": {"Type": "AWS::SQS::Queue"},
        "Jobs": {
            "Type": "AWS::SQS::Queue",
            "Properties": {
                "VisibilityTimeout": 0,
                "RedrivePolicy": {
                    "deadLetterTargetArn": {"Fn::GetAtt": ["DeadLetters", "Arn"]},
                    "maxReceiveCount": 1,
                },
            },
        },
    },
    "Outputs": {
        "FunctionName": {"Value": "remediator"},
        "AuditFunctionName": {"Value": "auditor"},
        "DeadLetterQueueUrl": {"Value": {"Ref": "DeadLetters"}},
        "JobsUrl": {"Value": {"Ref": "Jobs"}},
        "JobsArn": {"Value": {"Fn::GetAtt": ["Jobs", "Arn"]}},
    },
}
FINDING = json.loads((ROOT / "events" / "password-age-imported.json").read_text())
SELECTED = json.loads((ROOT / "events" / "custom-action.json").read_text())
JOB = {"job": "reset", "account_id": "123456789012", "user_name": "alice", "max_age_days": 90}
ANSWER = {"mode": "remediate", "users": [{"user_name": "alice", "status": "reset"}], "totals": {"reset": 1}}
FAILED = {
    "errorType": "RemediationFailed",
    "errorMessage": json.dumps(
        {
            "users": [
                {
                    "account_id": "123456789012",
                    "user_name": "alice",
                    "status": "failed",
                    "reason": "no such secret key",
                },
                {"account_id": "123456789012", "user_name": "bob", "status": "reset"},
            ],
            "policies": [{"account_id": "123456789012", "status": "failed", "reason": "AccessDenied"}],
        }
    ),
}
ALICE_FAILED = "alice of account 123456789012: no such secret key"
POLICY_FAILED = "password policy of account 123456789012: AccessDenied"


class Function:
    """Lambda's Invoke: answers what it is told to, and writes down what it was given."""

    def __init__(self) -> None:
        self.given: list[Any] = []
        # Who got each of them.
        self.names: list[str] = []
        self.answers: list[Any] = []
        self.options: dict[str, Any] = {}

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        self.names.append(FunctionName)
        self.given.append(json.loads(Payload))
        answer = self.answers.pop(0) if self.answers else ANSWER
        if isinstance(answer, Exception):
            raise answer
        error = {"FunctionError": "Unhandled"} if "errorType" in answer else {}
        return {"Payload": io.BytesIO(json.dumps(answer).encode()), **error}


class World:
    """The script with a person at the keyboard, a queue of moto's and a function that answers as it is told."""

    def __init__(self, script: ModuleType, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.script, self.samconfig = script, path / "samconfig.toml"
        self.answers: list[str] = []
        self.function = Function()
        self.sqs = boto3.client("sqs", region_name=REGION)
        cloudformation = boto3.client("cloudformation", region_name=REGION)
        cloudformation.create_stack(StackName=STACK, TemplateBody=json.dumps(TEMPLATE))
        [stack] = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        self.url, self.jobs, self.jobs_arn = (outputs[name] for name in ("DeadLetterQueueUrl", "JobsUrl", "JobsArn"))
        self.given_up: list[str] = []

        def tell_the_source(parsed: dict[str, Any], **_: Any) -> None:
            """moto moves a message that was received too often, but does not say where it comes from."""
            for message in parsed.get("Messages", []):
                if message["MessageId"] in self.given_up:
                    message["Attributes"]["DeadLetterQueueSourceArn"] = self.jobs_arn

        plain = script.Account.client

        def client(account: Any, service: str, **options: Any) -> Any:
            if service == "lambda":
                self.function.options = options
                return self.function
            made = plain(account, service, **options)
            if service == "sqs":
                made.meta.events.register("after-call.sqs.ReceiveMessage", tell_the_source)
            return made

        monkeypatch.setattr(script, "WAIT_SECONDS", 0)
        monkeypatch.setattr(script.Account, "client", client)
        monkeypatch.setattr("sys.stdin.isatty", lambda: True)
        monkeypatch.setattr("builtins.input", lambda _: self.answers.pop(0))

    def put(self, body: Any, **attributes: str) -> None:
        """A message in the dead-letter queue."""
        self.sqs.send_message(
            QueueUrl=self.url,
            MessageBody=body if isinstance(body, str) else json.dumps(body),
            MessageAttributes={
                name: {"StringValue": value, "DataType": "String"} for name, value in attributes.items()
            },
        )

    def undelivered(self, event: Any) -> None:
        """An event that a rule of EventBridge could not deliver."""
        self.put(
            event,
            RULE_ARN=f"arn:aws:events:{REGION}:123456789012:rule/passwords-FunctionPasswordAgeFindings-1",
            TARGET_ARN=f"arn:aws:lambda:{REGION}:123456789012:function:remediator",
            ERROR_CODE="NO_PERMISSIONS",
            ERROR_MESSAGE="no permission to invoke the function",
        )

    def unscheduled(self, body: str = '{"action":"sweep"}', **attributes: str) -> None:
        """An input that a schedule could not deliver."""
        schedule = {
            "SCHEDULE_ARN": f"arn:aws:scheduler:{REGION}:123456789012:schedule/default/passwords-SweepTimer-1",
            "TARGET_ARN": f"arn:aws:lambda:{REGION}:123456789012:function:remediator",
            "ERROR_CODE": "AWS.Scheduler.InternalServerError",
            "ERROR_MESSAGE": "Unexpected error occurred while processing the request.",
            "IS_PAYLOAD_TRUNCATED": "false",
        }
        self.put(body, **schedule | attributes)

    def failed(self, event: Any, condition: str = "RetriesExhausted", response: Any = FAILED) -> None:
        """Lambda's record of an asynchronous invocation that failed."""
        self.put(
            {
                "version": "1.0",
                "timestamp": "2026-11-20T10:00:00.000Z",
                "requestContext": {
                    "requestId": "e4b46cbf-b738-4f8a-8880-a18cdf61200e",
                    "functionArn": f"arn:aws:lambda:{REGION}:123456789012:function:remediator:$LATEST",
                    "condition": condition,
                    "approximateInvokeCount": 3,
                },
                "requestPayload": event,
                "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
                "responsePayload": response,
            }
        )

    def given_up_job(self, body: Any) -> str:
        """A job that was received once too often: SQS moves it, id and all."""
        sent = self.sqs.send_message(QueueUrl=self.jobs, MessageBody=json.dumps(body))
        self.sqs.receive_message(QueueUrl=self.jobs)
        self.sqs.receive_message(QueueUrl=self.jobs)
        self.given_up.append(sent["MessageId"])
        return sent["MessageId"]

    def left(self) -> list[str]:
        """What lies in the queue, for everyone to see."""
        return [
            message["Body"]
            for message in self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", [])
        ]

    def run(self, *arguments: str) -> None:
        self.script.main(list(arguments), self.samconfig)

    def leaves_some(self, *arguments: str) -> None:
        with pytest.raises(SystemExit) as exit:
            self.run(*arguments)
        assert exit.value.code == "error: there are dead letters left in the queue"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.syspath_prepend(str(ROOT / "infra"))
    return World(importlib.import_module("redrive"), tmp_path, monkeypatch)


# The four forms ------------------------------------------------------------------------------------------------------


def test_an_event_that_a_rule_could_not_deliver_is_sent_as_it_was(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.undelivered(FINDING)
    world.run("--yes")
    out = capsys.readouterr().out
    assert "rule/passwords-FunctionPasswordAgeFindings-1 could not deliver" in out
    assert "NO_PERMISSIONS: no permission to invoke the function" in out
    assert FINDING["detail"]["findings"][0]["Id"] in out
    assert world.function.given == [FINDING]
    assert world.left() == []


def test_a_failed_invocations_event_is_sent_without_the_record_around_it(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.failed(SELECTED)
    world.run("--yes")
    out = capsys.readouterr().out
    assert "RetriesExhausted after 3 tries" in out
    assert ALICE_FAILED in out
    assert POLICY_FAILED in out
    assert "bob of account" not in out, "bob did not fail"
    # The event's id is what a person's request is remembered by.
    assert [event["id"] for event in world.function.given] == [SELECTED["id"]]
    assert world.left() == []


def test_what_came_while_the_function_was_stopped_is_a_failed_invocation_too(world: World) -> None:
    world.failed(FINDING, condition="ZeroReservedConcurrency", response=None)
    world.run("--yes")
    assert world.function.given == [FINDING]
    assert world.left() == []


def test_a_job_is_sent_as_the_queue_would_and_under_its_id(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    message_id = world.given_up_job(JOB)
    world.function.answers = [{"batchItemFailures": []}]
    world.run("--yes")
    out = capsys.readouterr().out
    assert f"a message that queue {world.jobs_arn} gave up" in out
    assert '"user_name": "alice"' in out
    [batch] = world.function.given
    [record] = batch["Records"]
    assert (record["messageId"], json.loads(record["body"])) == (message_id, JOB)
    # No more and no less than the function takes of a record, in the sample that its own tests read.
    [sample, *_] = json.loads((ROOT / "events" / "sqs-batch.json").read_text())["Records"]
    assert record["eventSource"] == sample["eventSource"]
    assert record.keys() <= sample.keys()
    assert world.left() == []


def test_a_schedules_input_is_sent_as_it_was(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.unscheduled()
    world.run("--yes")
    out = capsys.readouterr().out
    assert "passwords-SweepTimer-1 could not deliver" in out
    assert "AWS.Scheduler.InternalServerError: Unexpected error" in out
    assert world.function.given == [{"action": "sweep"}]
    assert world.left() == []


def test_an_audit_is_sent_to_the_function_for_audits_and_nothing_else_is(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    audit = {"action": "audit", "account_id": "210987654321"}
    failed = {**ANSWER, "accounts": [{"account_id": "210987654321", "status": "audited", "reason": "too slow"}]}
    world.unscheduled(body=json.dumps(audit))
    world.failed(audit, response={"errorType": "RemediationFailed", "errorMessage": json.dumps(failed)})
    world.given_up_job(audit)
    world.given_up_job(JOB)
    world.failed(FINDING)
    world.run("--yes")
    given = [json.loads(event["Records"][0]["body"]) if "Records" in event else event for event in world.function.given]
    expected = [("auditor" if event == audit else "remediator") for event in given]
    assert world.function.names == expected
    assert sorted(expected) == ["auditor"] * 3 + ["remediator"] * 2
    assert "audit of account 210987654321: too slow" in capsys.readouterr().out
    assert world.left() == []


def test_the_function_may_take_its_time_and_is_asked_once(world: World) -> None:
    world.unscheduled()
    world.run("--yes")
    config = world.function.options["config"]
    assert config.read_timeout > 900
    assert config.retries["total_max_attempts"] == 1
    assert config.read_timeout < world.script.HIDDEN_SECONDS


# What stays ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (FAILED, ALICE_FAILED),
        ({"errorType": "UnsupportedEvent", "errorMessage": "expected an event"}, "UnsupportedEvent: expected an event"),
        (
            ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "Rate Exceeded."}}, "Invoke"),
            "TooManyRequestsException: Rate Exceeded.",
        ),
        (ReadTimeoutError(endpoint_url="https://lambda"), "It may have succeeded: see the log"),
    ],
)
def test_what_fails_again_stays_and_is_in_sight_at_once(
    world: World, capsys: pytest.CaptureFixture[str], answer: Any, told: str
) -> None:
    world.undelivered(FINDING)
    world.function.answers = [answer]
    world.leaves_some("--yes")
    assert told in capsys.readouterr().out
    assert [json.loads(body) for body in world.left()] == [FINDING]


def test_a_job_that_fails_again_stays(world: World) -> None:
    message_id = world.given_up_job(JOB)
    world.function.answers = [{"batchItemFailures": [{"itemIdentifier": message_id}]}]
    world.leaves_some("--yes")
    assert [json.loads(body) for body in world.left()] == [JOB]


def test_one_failure_does_not_keep_the_others(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.undelivered(FINDING)
    world.failed(SELECTED)
    world.unscheduled()
    world.function.answers = [ANSWER, FAILED, ANSWER]
    world.leaves_some("--yes")
    assert "2 sent again and deleted, 1 kept" in capsys.readouterr().out
    assert len(world.function.given) == 3
    assert len(world.left()) == 1


@pytest.mark.parametrize(
    "body", ["not JSON", '{"hello": "world"}', "[1]", "null", '{"requestContext": {"http": {"method": "GET"}}}']
)
def test_a_message_in_no_known_form_is_shown_and_kept(
    world: World, capsys: pytest.CaptureFixture[str], body: str
) -> None:
    world.put(body)
    world.leaves_some("--yes")
    out = capsys.readouterr().out
    assert "a message in no form that ends here" in out
    shown = out.partition("unknown\n")[2].partition("kept")[0]
    assert json.loads(shown) == (body if body in ("not JSON", "null") else json.loads(body))
    assert world.function.given == []
    assert world.left() == [body]


def test_nothing_in_a_message_can_write_over_what_is_shown(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    response = {"errorType": "RemediationFailed", "errorMessage": "\x1b[2J\x9b2J"}
    world.failed({"action": "reset", "user_name": "\x1b[2J\x9b2J"}, response=response)
    world.put("\x9b2J")
    world.function.answers = [response]
    world.leaves_some("--yes")
    out = capsys.readouterr().out
    assert "2J" in out
    assert "\x1b" not in out
    assert "\x9b" not in out


@pytest.mark.parametrize("form", ["record", "schedule"])
def test_an_event_that_was_cut_off_or_left_out_is_not_sent(
    world: World, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    if form == "record":
        world.failed(None)
    else:
        world.unscheduled(IS_PAYLOAD_TRUNCATED="true")
    world.leaves_some("--yes")
    out = capsys.readouterr().out
    assert ("Lambda has left the event out" if form == "record" else "cut the input short") in out
    assert world.function.given == []
    assert len(world.left()) == 1


# A person decides ----------------------------------------------------------------------------------------------------


def test_nothing_is_sent_that_a_person_did_not_agree_to(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        world.unscheduled()
    world.answers = ["n", "y", ""]
    world.leaves_some()
    assert "1 sent again and deleted, 2 kept" in capsys.readouterr().out
    assert len(world.function.given) == 1
    assert len(world.left()) == 2


def test_a_person_may_agree_to_all_that_follow_or_stop(world: World) -> None:
    for _ in range(4):
        world.unscheduled()
    world.answers = ["q"]
    world.leaves_some()
    assert world.function.given == []
    world.answers = ["n", "a"]
    world.leaves_some()
    assert len(world.function.given) == 3
    assert len(world.left()) == 1


def test_without_a_person_nothing_is_sent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    world.unscheduled()
    with pytest.raises(SystemExit, match="there is nobody to ask"):
        world.run()
    assert world.function.given == []
    assert len(world.left()) == 1


def test_an_empty_queue_is_a_success(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.run()
    assert "0 sent again and deleted, 0 kept" in capsys.readouterr().out


def test_a_kept_message_that_comes_into_sight_again_is_not_sent_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a run that outlasts the time for which messages are hidden."""
    world.undelivered(FINDING)
    world.undelivered(SELECTED)
    world.function.answers = [FAILED, ANSWER]
    resend = world.script.resend

    def slow(*letter: Any) -> str | None:
        problem = resend(*letter)
        if problem:
            monkeypatch.setattr(world.script, "HIDDEN_SECONDS", 1200)
        return problem

    monkeypatch.setattr(world.script, "HIDDEN_SECONDS", 0)
    monkeypatch.setattr(world.script, "resend", slow)
    world.leaves_some("--yes")
    assert world.function.given == [FINDING, SELECTED]
    assert [json.loads(body) for body in world.left()] == [FINDING]
