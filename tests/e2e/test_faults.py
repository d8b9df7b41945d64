"""A network and an AWS that fail: at every call of a reset, in every way, once or for good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from campaign import Point, check_all, deliver_to_all, points
from standin.client import Standin
from world import World, only_user

SERVER_ERROR = {"status": 500, "code": "ServiceFailure", "message": "try again"}
# What happens once at a call, and whether the work behind it is done nevertheless.
ONCE: dict[str, tuple[Any, bool]] = {
    "a lost request": ("drop_before", False),
    "a lost answer": ("drop_after", True),
    "throttling": ("throttle", False),
    "a server error": ({"error": SERVER_ERROR}, False),
    "a server error after the work is done": ({"error_after": SERVER_ERROR}, True),
    "a page of HTML": ("html", False),
}


@pytest.mark.parametrize("what", ONCE)
def test_at_any_call_it_is_mended_within_the_invocation(aws: Standin, world: Callable[..., World], what: str) -> None:
    effect, is_done = ONCE[what]
    worlds = {point: world() for point in points(world())}
    aws.faults(*({"match": point.match(it), "effect": effect} for point, it in worlds.items()))
    invocations = dict(zip(worlds, deliver_to_all(worlds.values()), strict=True))
    unfired = [rule["match"]["operation"] for rule in aws.fault_report() if rule["fired"] != 1]
    assert not unfired, f"the fault did not strike at {unfired}"

    def check(point: Point, it: World) -> None:
        invocation = invocations[point]
        assert invocation.error is None, invocation.error
        assert only_user(invocation.result)["status"] == "reset"
        # Nobody can know whether a message went out whose answer was lost.
        it.assert_reset(announced=2 if is_done and point.operation == "Publish" else 1)
        assert it.finding_updates()

    check_all(worlds, check)
    assert aws.invariant() == {"now": [], "watched": []}


def test_a_call_that_is_refused_for_good_fails_the_invocation_and_a_later_delivery_finishes(
    aws: Standin, world: Callable[..., World]
) -> None:
    worlds = {point: world() for point in points(world()) if point.nth == 1}
    aws.faults(
        *(
            {"match": {"account_id": it.account_id, "operation": point.operation}, "effect": "access_denied"}
            for point, it in worlds.items()
        )
    )
    refused = dict(zip(worlds, deliver_to_all(worlds.values()), strict=True))

    def check_refused(point: Point, it: World) -> None:
        error = refused[point].error
        if point.operation == "ListUserTags":
            # Unreadable tags mean exempt.
            assert error is None and only_user(refused[point].result)["reason"] == "exempt"
            return
        assert error is not None, refused[point].result
        assert error["errorType"] == "RemediationFailed"
        assert f":{point.operation} failed: A" in error["errorMessage"], error["errorMessage"]

    check_all(worlds, check_refused)
    assert aws.invariant() == {"now": [], "watched": []}

    aws.faults()
    deliver_to_all(worlds.values())

    def check_finished(point: Point, it: World) -> None:
        # Where the secret's labels cannot be changed, nothing can note down that the user has been told.
        it.assert_reset(announced=2 if point.operation == "UpdateSecretVersionStage" else 1)

    check_all(worlds, check_finished)
    assert aws.invariant() == {"now": [], "watched": []}


def test_a_user_who_is_being_changed_elsewhere_is_left_to_redelivery(aws: Standin, world: Callable[..., World]) -> None:
    busy = {"status": 409, "code": "EntityTemporarilyUnmodifiable", "message": "wait"}
    it = world()
    aws.faults({"match": {"operation": "UpdateLoginProfile"}, "effect": {"error": busy}})
    answer = it.failure("password-age-imported")
    assert "EntityTemporarilyUnmodifiable" in only_user(answer)["reason"]
    assert it.user()["password"] == it.seeded_passwords["alice"]
    assert not it.messages()
    aws.faults()
    it.answer("password-age-imported")
    it.assert_reset()
