"""Sends dead letters to their function again: shows each, and deletes it once the function has succeeded with it.

A message is deleted only after the function answered without a failure. Everything else stays in the queue: what failed
again, what was declined, and what is in no known form.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from deploy import SAMCONFIG, Account, Problem, Settings, ask, function_for, plainly, send

# How long a message is hidden from others: the longest that an invocation takes, and time to read before it.
HIDDEN_SECONDS = 1200
# Long enough that SQS asks all of its servers: an empty answer then means an empty queue.
WAIT_SECONDS = 2


@dataclass(frozen=True)
class Letter:
    """A dead letter: how it came to the queue, why, and what a function is to be given."""

    origin: str
    why: str
    # None: there is nothing that could be sent.
    event: Any
    # What was asked for, without what a queue puts around it.
    shown: Any


def parsed(text: str) -> Any:
    """JSON; None if it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def visible(text: str) -> str:
    """A text whose control characters cannot write over what is shown beside it."""
    return "".join(sign if sign.isprintable() or sign == "\n" else f"\\x{ord(sign):02x}" for sign in text)


def letter(message: dict[str, Any]) -> Letter:
    """Recognises a message of the dead-letter queue by what only its kind has."""
    attributes = {name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()}
    body = parsed(message["Body"])
    shown = message["Body"] if body is None else body
    error = f"{attributes.get('ERROR_CODE', 'no error code')}: {attributes.get('ERROR_MESSAGE', 'no message')}"
    if "RULE_ARN" in attributes:
        return Letter(f"an event that rule {attributes['RULE_ARN']} could not deliver", error, body, shown)
    if "SCHEDULE_ARN" in attributes:
        origin = f"the input that schedule {attributes['SCHEDULE_ARN']} could not deliver"
        if attributes.get("IS_PAYLOAD_TRUNCATED") == "true":
            return Letter(origin, f"{error}\n  EventBridge Scheduler has cut the input short", None, shown)
        return Letter(origin, error, body, shown)
    queue = message.get("Attributes", {}).get("DeadLetterQueueSourceArn")
    if queue:
        # As the queue gives it to the function, under the same id: a request that counts once does so still.
        record = {"messageId": message["MessageId"], "body": message["Body"], "eventSource": "aws:sqs"}
        why = "the function failed with it each time, or was not reached; its log says more"
        return Letter(f"a message that queue {queue} gave up", why, {"Records": [record]}, shown)
    context = body.get("requestContext") if isinstance(body, dict) else None
    if isinstance(context, dict) and "functionArn" in context:
        origin = f"an event of an invocation that failed, request {context.get('requestId')}"
        why = [f"{context.get('condition')} after {context.get('approximateInvokeCount')} tries"]
        why += failures(body.get("responsePayload"))
        event = body.get("requestPayload")
        if event is None:
            why.append("Lambda has left the event out; the log has more under the request's id")
        return Letter(origin, "\n  ".join(why), event, shown if event is None else event)
    return Letter("a message in no form that ends here", "unknown", None, shown)


def failures(payload: Any) -> list[str]:
    """What a function error names: each user, policy or audit that failed, or else its message."""
    if not isinstance(payload, dict):
        return []
    text = str(payload.get("errorMessage", ""))
    answer = parsed(text)
    if not isinstance(answer, dict):
        return [f"{payload.get('errorType', 'error')}: {text}"]
    failed = [
        f"{item.get('user_name', 'password policy')} of account {item.get('account_id')}: {item.get('reason')}"
        for item in [*answer.get("users", []), *answer.get("policies", [])]
        if item.get("status") == "failed"
    ]
    # An audit that was done in part has a reason, too.
    audits = [item for item in answer.get("accounts", []) if "reason" in item]
    failed += [f"audit of account {item.get('account_id')}: {item['reason']}" for item in audits]
    return failed or [f"{payload.get('errorType', 'error')}: {text}"]


def resend(account: Account, outputs: dict[str, str], letter: Letter) -> str | None:
    """Waits until the function that a letter is for is done with it; what failed, if anything did."""
    try:
        answer, error = send(account, function_for(letter.shown, outputs), letter.event)
    except ClientError as error:
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
    except BotoCoreError as error:
        return f"{error}. It may have succeeded: see the log"
    if error:
        return "\n  ".join(failures(answer)) or error
    if isinstance(answer, dict) and answer.get("batchItemFailures"):
        return "the function failed with it; its log names the failure"
    return None


class Queue:
    """The dead-letter queue. What is read is hidden until `release`."""

    def __init__(self, account: Account, url: str) -> None:
        self.client = account.client("sqs")
        self.url = url
        self.held: dict[str, str] = {}

    def messages(self) -> Iterator[dict[str, Any]]:
        """Each message once."""
        seen = set()
        while True:
            found = self.client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=1,
                VisibilityTimeout=HIDDEN_SECONDS,
                WaitTimeSeconds=WAIT_SECONDS,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            ).get("Messages")
            if not found:
                return
            [message] = found
            self.held[message["MessageId"]] = message["ReceiptHandle"]
            # In a long run, what is kept comes into sight again.
            if message["MessageId"] not in seen:
                seen.add(message["MessageId"])
                yield message

    def delete(self, message: dict[str, Any]) -> None:
        """Deletes a message for good."""
        self.client.delete_message(QueueUrl=self.url, ReceiptHandle=self.held[message["MessageId"]])
        del self.held[message["MessageId"]]

    def release(self) -> None:
        """Puts what was kept back into sight, of people and of the alarm."""
        for receipt in self.held.values():
            self.client.change_message_visibility(QueueUrl=self.url, ReceiptHandle=receipt, VisibilityTimeout=0)


def redrive(settings: Settings, options: argparse.Namespace) -> None:
    """Shows each dead letter, asks, sends it to its function again, and deletes it if that succeeded."""
    account = Account(settings)
    account.show()
    outputs = account.deployed(settings.stack)
    queue = Queue(account, outputs["DeadLetterQueueUrl"])
    sent = kept = 0
    answer = "a" if options.yes else ""
    try:
        for message in queue.messages():
            found = letter(message)
            print(visible(f"\n{sent + kept + 1}. {found.origin}\n  {found.why}"))
            print(json.dumps(found.shown, indent=2))
            if found.event is None:
                print("kept: there is nothing in it that could be sent")
                kept += 1
                continue
            if answer != "a":
                answer = ask("Send it again? [y]es, [n]o, [a]ll that follow, [q]uit").lower()
            if answer == "q":
                kept += 1
                break
            if answer not in ("y", "a"):
                print("kept")
                kept += 1
                continue
            problem = resend(account, outputs, found)
            if problem is None:
                queue.delete(message)
                print("succeeded, and deleted")
                sent += 1
            else:
                print(visible(f"failed again, and kept:\n  {problem}"))
                kept += 1
    finally:
        queue.release()
    print(f"\n{sent} sent again and deleted, {kept} kept")
    if kept:
        raise Problem("there are dead letters left in the queue")


def main(arguments: list[str] | None = None, samconfig: Path = SAMCONFIG) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    options = parser.parse_args(arguments)
    with plainly():
        redrive(Settings(samconfig), options)


if __name__ == "__main__":
    main()
