"""Many processes at the same time, on events that mean the same user."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from campaign import assert_nobody_was_locked_out
from standin.client import Standin
from standin.runtime import Invocation
from world import BUSY, LONGEST_SECONDS, World, failure_of, only_user

COPIES = 12


def settle(it: World, sent: dict[str, tuple[Any, Future[Invocation]]]) -> list[dict[str, Any]]:
    """Waits for all deliveries, by request id, and repeats those that found another run at work. Their answers.

    How many do depends on the machine: a run waits only so long for another one.
    """
    answers = []
    for request_id, (event, future) in sent.items():
        invocation = future.result(timeout=LONGEST_SECONDS)
        if invocation.error is not None:
            reasons = {user["reason"] for user in failure_of(invocation)["users"] if user["status"] == "failed"}
            assert all(reason.startswith(BUSY) for reason in reasons), reasons
            answers.append(failure_of(invocation))
            invocation = it.deliver(event, request_id=request_id)
        assert invocation.error is None, invocation.error
        answers.append(invocation.result)
    return answers


@pytest.mark.parametrize("earlier", [(), ("alice",)], ids=["a first reset", "a later reset"])
def test_many_processes_with_one_event_make_one_password_and_one_message(
    aws: Standin, world: Callable[..., World], earlier: tuple[str, ...]
) -> None:
    worlds = [world(earlier=earlier, processes=COPIES) for _ in range(3)]
    for latency_ms, it in zip((0, 5, 50), worlds, strict=True):
        aws.settings(latency_ms=latency_ms)
        sent = {f"copy-{n}": (it.asks(), it.function.submit(it.asks(), request_id=f"copy-{n}")) for n in range(COPIES)}
        answers = settle(it, sent)
        aws.settings(latency_ms=0)
        assert len(it.calls("UpdateItem")) > COPIES, "they all went to work"
        it.assert_reset(before=len(earlier))
        resets = [answer for answer in answers if only_user(answer)["status"] == "reset"]
        assert len(resets) == 1, "one of them did it, and it alone says so"
        it.assert_can_sign_in()
    assert_nobody_was_locked_out(aws)


def custom_action(it: World, event_id: str) -> dict[str, Any]:
    """A person pressed the button on a finding about alice alone."""
    event = it.event("custom-action")
    finding = event["detail"]["findings"][0]
    finding["Resources"] = [resource for resource in finding["Resources"] if resource["Id"].endswith("/alice")]
    return {**event, "id": event_id}


def other_finding(it: World) -> dict[str, Any]:
    """The same finding as it arrives from another region."""
    event = copy.deepcopy(it.event("password-age-imported"))
    event["id"], event["region"] = "another-event", "eu-central-1"
    finding = event["detail"]["findings"][0]
    finding["Id"] += "/eu"
    finding["ProductArn"] = finding["ProductArn"].replace("us-east-1", "eu-central-1")
    return event


# Whatever may ask for the same user; three of them are a person's, who wants it however fresh the password is.
WISHES: dict[str, Callable[[World], Any]] = {
    "a finding": lambda it: it.event("password-age-imported"),
    "the finding from another region": other_finding,
    "a custom action": lambda it: custom_action(it, "9f0c1d52-0000-4000-8000-000000000001"),
    "another custom action": lambda it: custom_action(it, "9f0c1d52-0000-4000-8000-000000000002"),
    "by hand": lambda it: {"action": "reset", "user_name": "ALICE"},
    "by hand, with force": lambda it: {"action": "reset", "user_name": "alice", "force": True},
    "a sweep": lambda it: {"action": "sweep"},
}
FORCED = 3


def test_of_many_wishes_at_once_each_is_carried_out_and_the_last_password_works(
    aws: Standin, world: Callable[..., World]
) -> None:
    chance = random.Random(7)
    worlds = [world(earlier=("alice",), processes=len(WISHES)) for _ in range(10)]
    aws.settings(latency_ms=10)
    sent: dict[str, dict[str, tuple[Any, Future[Invocation]]]] = {}
    for it in worlds:
        order = chance.sample(sorted(WISHES), len(WISHES))
        events = {wish.replace(" ", "-"): WISHES[wish](it) for wish in order}
        sent[it.account_id] = {
            request_id: (event, it.function.submit(event, request_id=request_id))
            for request_id, event in events.items()
        }
    answers = {it.account_id: settle(it, sent[it.account_id]) for it in worlds}
    aws.settings(latency_ms=0)
    for it in worlds:
        resets = sum(user["status"] == "reset" for answer in answers[it.account_id] for user in answer["users"])
        # A wish that meets an attempt under way is carried out with it.
        assert 1 <= resets <= FORCED + 1
        it.assert_reset(announced=resets, passwords=resets, before=1)
        now = it.look()
        assert now.told("alice") == now.passwords("alice") - 1 == resets, "each password was announced once"
        recorded = {found["Id"] for update in it.finding_updates() for found in update["processed"]}
        assert len(recorded) == 2, "the finding, from both regions"
        # Nothing is left to be done, whoever asks again.
        for request_id, (event, _) in sent[it.account_id].items():
            again = it.answer(event, request_id=request_id)
            assert {user["reason"] for user in again["users"]} <= {"already-reset"}, request_id
        it.assert_can_sign_in()
    assert_nobody_was_locked_out(aws)
