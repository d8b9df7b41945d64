"""A sweep that leaves its users to a queue, whose batches come back to the function."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from campaign import assert_nobody_was_locked_out
from standin.client import Standin
from world import World, users_by_status

QUEUE, ACCOUNT = "jobs", "600000000001"
CROWD = {f"user-{number:03}": 100 + number for number in range(23)}


class Worker:
    """What Lambda's poller does: takes messages off the queue, hands them over in batches, deletes what succeeded."""

    def __init__(self, world: World):
        self._world = world
        self._sqs = world.aws.boto3("sqs", account=world.account_id)
        self._queue = world.seeded["queues"][QUEUE]
        self.batches = 0
        # What is invisible until its time is over: its receipt, and the body.
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
        wanted = {"MaxNumberOfMessages": 10, "AttributeNames": ["All"], "VisibilityTimeout": 43_200}
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


def test_each_user_becomes_a_job_and_what_fails_stays_in_the_queue(aws: Standin, world: Callable[..., World]) -> None:
    variables = {"WORK_QUEUE_URL": f"{aws.url}/{ACCOUNT}/{QUEUE}"}
    it = world(account_id=ACCOUNT, users=CROWD, queues=[{"name": QUEUE}], variables=variables)

    def queued() -> list[str]:
        return sorted(json.loads(message["body"])["user_name"] for message in aws.queues(ACCOUNT)[0]["messages"])

    answer = it.answer({"action": "sweep"})
    assert users_by_status(answer) == dict.fromkeys(CROWD, "queued") and answer["totals"]["queued"] == len(CROWD)
    assert queued() == sorted(CROWD)
    assert not it.secrets(), "queueing resets nobody"

    aws.faults({"match": {"operation": "UpdateLoginProfile", "user": "user-007"}, "effect": "access_denied"})
    worker = Worker(it)
    worker.drain()
    assert worker.batches > 1
    assert queued() == ["user-007"] == [job["user_name"] for job in worker.failed.values()]
    assert len(it.calls("ChangeMessageVisibility")) == 1, "it comes again soon"

    aws.faults()
    worker.show_failed_again()
    worker.drain()
    assert queued() == []
    now = it.look()
    for name in CROWD:
        now.assert_reset(name)
    assert_nobody_was_locked_out(aws)
