"""All stale users of an account: held, queued, interrupted, and in the end each reset once."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from demo.account import STRONG_POLICY, users
from standin.client import Standin
from world import World, users_by_status

MANY = 300
QUEUE = "jobs"
# No user is begun when the invocation has less than this left.
LAST_START_SECONDS = 10


def crowd(count: int) -> dict[str, int]:
    return {f"user-{number:03}": 100 + number % 50 for number in range(count)}


class Worker:
    """What Lambda's poller does: takes messages off the queue, hands them over in batches, deletes what succeeded."""

    def __init__(self, world: World):
        self._world = world
        self._sqs = world.aws.boto3("sqs", account=world.account_id)
        self._queue = world.seeded["queues"][QUEUE]
        self.batches = 0
        # What is invisible until its time is over, by its receipt.
        self.failed: dict[str, dict[str, Any]] = {}

    def drain(self) -> None:
        """Until there is no message to be seen."""
        while messages := self._receive():
            self.batches += 1
            result = self._world.answer({"Records": [self._record(message) for message in messages]})
            assert set(result) == {"batchItemFailures"}
            failed = {failure["itemIdentifier"] for failure in result["batchItemFailures"]}
            assert failed <= {message["MessageId"] for message in messages}
            for message in messages:
                if message["MessageId"] in failed:
                    self.failed[message["ReceiptHandle"]] = json.loads(message["Body"])
                else:
                    self._sqs.delete_message(QueueUrl=self._queue["url"], ReceiptHandle=message["ReceiptHandle"])

    def show_failed_again(self) -> None:
        """The time is over for which they were not to be seen."""
        for receipt in self.failed:
            self._sqs.change_message_visibility(QueueUrl=self._queue["url"], ReceiptHandle=receipt, VisibilityTimeout=0)
        self.failed = {}

    def _receive(self) -> list[dict[str, Any]]:
        wanted = {"MaxNumberOfMessages": 10, "AttributeNames": ["All"], "VisibilityTimeout": 600}
        return self._sqs.receive_message(QueueUrl=self._queue["url"], **wanted).get("Messages", [])

    def _record(self, message: dict[str, Any]) -> dict[str, Any]:
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": {},
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self._queue["arn"],
            "awsRegion": "us-east-1",
        }


def queued_world(aws: Standin, world: Callable[..., World], count: int) -> World:
    account_id = "600000000001"
    url = f"{aws.url}/{account_id}/{QUEUE}"
    variables = {"WORK_QUEUE_URL": url, "MAX_RESETS_PER_SWEEP": "5000"}
    return world(account_id=account_id, users=crowd(count), queues=[{"name": QUEUE}], variables=variables)


def test_with_a_queue_each_user_becomes_a_job_and_what_fails_stays_in_the_queue(
    aws: Standin, world: Callable[..., World]
) -> None:
    it = queued_world(aws, world, 33)
    answer = it.answer({"action": "sweep"})
    assert set(users_by_status(answer).values()) == {"queued"} and answer["totals"]["queued"] == 33
    jobs = [json.loads(message["body"]) for message in aws.queues(account=it.account_id)[0]["messages"]]
    assert {job["user_name"] for job in jobs} == set(crowd(33)) and len(jobs) == 33
    assert not it.secrets(), "queueing resets nobody"

    aws.faults({"match": {"operation": "UpdateLoginProfile", "user": "user-007"}, "effect": "access_denied"})
    worker = Worker(it)
    worker.drain()
    assert worker.batches > 1
    assert [job["user_name"] for job in worker.failed.values()] == ["user-007"]
    left = aws.queues(account=it.account_id)[0]["messages"]
    assert [json.loads(message["body"])["user_name"] for message in left] == ["user-007"]

    aws.faults()
    worker.show_failed_again()
    worker.drain()
    assert aws.queues(account=it.account_id)[0]["messages"] == []
    now = it.look()
    for name in crowd(33):
        now.assert_reset(name)
    assert aws.invariant() == {"now": [], "watched": []}


def test_jobs_that_are_queued_twice_reset_nobody_twice(aws: Standin, world: Callable[..., World]) -> None:
    it = queued_world(aws, world, 12)
    # The queue takes the jobs, but the function does not hear of it and sends them again.
    aws.faults({"match": {"operation": "SendMessageBatch", "nth": 1}, "effect": "drop_after"})
    it.answer({"action": "sweep"})
    jobs = Counter(json.loads(m["body"])["user_name"] for m in aws.queues(account=it.account_id)[0]["messages"])
    assert sorted(jobs.values()) == [1] * 2 + [2] * 10
    Worker(it).drain()
    now = it.look()
    for name in crowd(12):
        now.assert_reset(name)


def test_jobs_that_the_queue_does_not_take_fail_the_invocation(aws: Standin, world: Callable[..., World]) -> None:
    it = queued_world(aws, world, 12)
    aws.faults({"match": {"operation": "SendMessageBatch", "nth": 2}, "effect": "access_denied"})
    answer = it.failure({"action": "sweep"})
    assert (answer["totals"]["queued"], answer["totals"]["failed"]) == (10, 2)
    assert "sqs:SendMessage failed: AccessDenied" in json.dumps(answer)


def test_a_sweep_of_300_interrupted_by_kills_and_by_the_deadline_ends_with_each_reset_once(
    aws: Standin, world: Callable[..., World]
) -> None:
    it = world(users=crowd(MANY), variables={"MAX_RESETS_PER_SWEEP": "5000"})
    sweep = {"action": "sweep"}
    for resets in (60, 80):
        aws.faults({"match": {"operation": "UpdateLoginProfile", "nth": resets}, "effect": "hang_after"})
        sent = it.function.submit(sweep, request_id="the-sweep")
        _await_fault(aws)
        it.function.kill()
        assert sent.result(timeout=30).error["errorType"] == "Runtime.ExitError"
        aws.faults()
        it.function.restart()
    assert not it.lockouts()

    deadline_ms = int((time.time() + LAST_START_SECONDS + 0.5) * 1000)
    answer = it.failure(sweep, request_id="the-sweep", deadline_ms=deadline_ms)
    assert time.time() * 1000 < deadline_ms, "it ended in time"
    statuses = Counter(user["status"] for user in answer["users"])
    assert statuses["failed"] and statuses["reset"], f"the deadline fell within the sweep: {statuses}"
    reasons = {user["reason"] for user in answer["users"] if user["status"] == "failed"}
    assert all(reason.startswith("not begun") for reason in reasons), reasons

    answer = it.answer(sweep, request_id="the-sweep")
    assert len(answer["users"]) == MANY
    now = it.look()
    for name in crowd(MANY):
        # In flight at a kill: told again.
        now.assert_reset(name, announced=3)
    assert len(it.messages(kind="password-reset")) <= MANY + 2 * 20
    assert aws.invariant() == {"now": [], "watched": []}


def test_a_sweep_gets_on_in_every_delivery_however_little_time_it_has(
    aws: Standin, world: Callable[..., World]
) -> None:
    it = world(users=crowd(MANY), variables={"MAX_RESETS_PER_SWEEP": "5000"})
    aws.settings(latency_ms=20, watch=False)
    done, deliveries = 0, 0
    while done < MANY:
        # Enough to look at half of the users, or to reset a quarter of them.
        deadline_ms = int((time.time() + LAST_START_SECONDS + 1) * 1000)
        it.deliver({"action": "sweep"}, request_id="the-sweep", deadline_ms=deadline_ms)
        deliveries += 1
        now = len(it.messages(kind="password-reset"))
        assert now > done, f"delivery {deliveries} reset nobody, though {MANY - done} of {MANY} users are still to do"
        done = now
    aws.settings(latency_ms=0)
    it.answer({"action": "sweep"})
    settled = it.look()
    for name in crowd(MANY):
        settled.assert_reset(name)


def test_too_many_are_held_and_the_message_holds_the_event_that_approves_them(
    aws: Standin, world: Callable[..., World]
) -> None:
    it = world(users=users(), password_policy=STRONG_POLICY)
    answer = it.answer("sweep-held")
    assert answer["totals"]["held"] == 3
    (message,) = it.messages()
    assert (message["attributes"]["audience"], message["attributes"]["kind"]) == ("operator", "sweep-held")
    assert "user_name" not in message["attributes"]
    document = json.loads(message["bodies"]["default"])
    assert [user["user_name"] for user in document["users"]] == ["alice", "bob", "carol"]
    command = next(line for line in message["bodies"]["email"].splitlines() if "aws lambda invoke" in line)
    assert it.function.function_arn in command
    assert document["approval"] == {"action": "sweep", "account_id": it.account_id, "max_resets": 3}

    it.answer(document["approval"])
    now = it.look()
    for name in ("alice", "bob", "carol"):
        now.assert_reset(name)
    it.assert_untouched("dave")
    it.assert_untouched("breakglass")


def test_rows_that_the_report_gets_wrong_do_not_break_a_sweep(aws: Standin, world: Callable[..., World]) -> None:
    old = {"password_last_changed": "2024-01-01T00:00:00Z", "password_enabled": "TRUE"}
    strange = [
        {"name": "twice", "age_days": 120, "report_rows": [old, {}]},
        {"name": "future", "age_days": 3, "report_row": {"password_last_changed": "2099-01-01T00:00:00+00:00"}},
        {"name": "nothing-known", "age_days": 3, "report_row": {"password_last_changed": "no_information"}},
        {"name": "passwordless", "password": None, "report_row": {"password_enabled": "False"}},
        {"name": "alice", "age_days": 120},
    ]
    it = world(users=strange, report={"extra_columns": {"additional_credentials_info": "N/A"}})
    answer = it.answer({"action": "sweep"})
    statuses = users_by_status(answer)
    assert statuses["alice"] == statuses["twice"] == "reset"
    assert "passwordless" not in statuses and "future" not in statuses
    it.assert_reset("alice")
    it.assert_reset("twice")
    assert aws.invariant() == {"now": [], "watched": []}


def test_one_users_failure_stops_nobody_else(aws: Standin, world: Callable[..., World]) -> None:
    it = world(users=crowd(24))
    aws.faults({"match": {"operation": "PutSecretValue", "user": "user-003"}, "effect": "access_denied"})
    answer = it.failure({"action": "sweep"})
    assert (answer["totals"]["reset"], answer["totals"]["failed"]) == (23, 1)
    it.assert_untouched("user-003")
    aws.faults()
    it.answer({"action": "sweep"})
    now = it.look()
    for name in crowd(24):
        now.assert_reset(name)


def _await_fault(aws: Standin) -> None:
    deadline = time.monotonic() + 60
    while not aws.fault_report()[0]["fired"]:
        assert time.monotonic() < deadline, "the sweep never came that far"
        time.sleep(0.01)
