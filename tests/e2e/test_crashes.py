"""kill -9 before and after every call of a reset, and what redelivery makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from campaign import Point, check_all, kill_at, points, redeliver
from demo.account import STRONG_POLICY
from standin.client import Standin
from world import World, old_secret

FRESH_ACCOUNT = 300_000_000_001


def _first(_: str) -> dict[str, Any]:
    return {}


def _later(account_id: str) -> dict[str, Any]:
    return {"secrets": [old_secret(account_id)]}


def _not_allowed(account_id: str) -> dict[str, Any]:
    return {"password_policy": {**STRONG_POLICY, "AllowUsersToChangePassword": False}, **_deleted(account_id)}


def _wanted(account_id: str) -> dict[str, Any]:
    return {"occasion": "custom-action", "users": {"alice": 5}, "secrets": [old_secret(account_id)]}


def _deleted(account_id: str) -> dict[str, Any]:
    return {"secrets": [old_secret(account_id, deleted=True)]}


# What a reset may start from: its world, and how many versions the secret has before.
STARTS: dict[str, tuple[Callable[[str], dict[str, Any]], int]] = {
    "a first reset": (_first, 0),
    "a later reset": (_later, 1),
    "a reset that a person wants": (_wanted, 1),
    "a reset that restores the secret and grants the change": (_not_allowed, 1),
}


class Stage:
    """As many worlds as a reset has calls, all at the same start."""

    def __init__(self, make: Callable[..., World], start: str):
        self._make, self._seed, self.versions_before = make, *STARTS[start]
        self._next_account = FRESH_ACCOUNT

    def world(self) -> World:
        account_id = f"{self._next_account:012d}"
        self._next_account += 1
        return self._make(account_id=account_id, **self._seed(account_id))

    def worlds(self) -> dict[Point, World]:
        return {point: self.world() for point in points(self.world())}


@pytest.fixture(params=STARTS)
def stage(request: pytest.FixtureRequest, world: Callable[..., World]) -> Stage:
    return Stage(world, request.param)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_at_any_call_is_mended_by_redelivery(aws: Standin, stage: Stage, when: str) -> None:
    worlds = stage.worlds()
    kill_at(aws, worlds, when)
    assert not [world.lockouts() for world in worlds.values() if world.lockouts()], "before any redelivery"

    redelivered = dict(zip(worlds, redeliver(worlds.values()), strict=True))

    def check(point: Point, world: World) -> None:
        assert redelivered[point].error is None, redelivered[point].error
        world.assert_reset(announced=2, before=stage.versions_before)
        statuses = [update["changes"]["Workflow"]["Status"] for update in world.finding_updates()]
        assert set(statuses) == {"NOTIFIED"}, f"recorded on the finding: {statuses}"
        world.assert_can_sign_in()

    check_all(worlds, check)
    assert aws.invariant() == {"now": [], "watched": []}


def test_a_policy_tightened_between_kill_and_redelivery_ends_with_a_password_that_satisfies_it(
    aws: Standin, world: Callable[..., World]
) -> None:
    stage = Stage(world, "a later reset")
    worlds = stage.worlds()
    kill_at(aws, worlds, "after")
    was_applied = {point: it.user()["reset_required"] for point, it in worlds.items()}
    for it in worlds.values():
        aws.seed(account_id=it.account_id, password_policy={**STRONG_POLICY, "MinimumPasswordLength": 40})

    redelivered = dict(zip(worlds, redeliver(worlds.values()), strict=True))

    def check(point: Point, it: World) -> None:
        assert redelivered[point].error is None, redelivered[point].error
        it.assert_reset(announced=2, passwords=2, before=stage.versions_before)
        long_enough = len(it.user()["password"]) >= 40
        assert long_enough or was_applied[point], "the policy was in force when the password was set"
        it.assert_can_sign_in()

    check_all(worlds, check)
    assert set(was_applied.values()) == {True, False}, "the kills fell on both sides of the reset itself"
    assert aws.invariant() == {"now": [], "watched": []}
