"""kill -9 and lost connections at every call of a real process, and what redelivery makes of them.

tests/it/crashes.rs does the same within one process, with many more faults and starts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from campaign import (
    Point,
    assert_nobody_was_locked_out,
    check_all,
    deliver_to_all,
    kill_at,
    points,
    redeliver,
)
from demo.account import STRONG_POLICY
from standin.client import Standin
from world import World

# Where a reset may start from.
STARTS: dict[str, dict[str, Any]] = {
    "a first reset": {},
    # By a person; the secret has to be restored and tagged, and the change of password to be granted.
    "a later reset": {
        "occasion": {"action": "reset", "user_name": "alice", "force": True},
        "users": {"alice": 5},
        "earlier": ("alice",),
        "earlier_secret": {"deleted": True, "tags": {"iam-user": "alice"}},
        "password_policy": {**STRONG_POLICY, "AllowUsersToChangePassword": False},
    },
    "a sweep": {
        "occasion": {"action": "sweep"},
        "users": {"alice": 120, "bob": 200, "carol": 95, "dave": 3},
        "earlier": ("bob",),
    },
}


@pytest.fixture(params=STARTS)
def worlds(request: pytest.FixtureRequest, world: Callable[..., World]) -> dict[Point, World]:
    """As many worlds as the reset has calls, all at the same start."""
    start = STARTS[request.param]
    return {point: world(**start) for point in points(world(**start))}


def stale(it: World) -> list[str]:
    """Who is to be reset."""
    return [name for name in it.seeded_passwords if name != "dave"]


def before(it: World, name: str) -> int:
    """How many passwords the user's secret held at the start."""
    return sum(secret.endswith(f"/{name}") for secret in it.seeded["secrets"])


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_at_any_call_is_mended_by_redelivery(aws: Standin, worlds: dict[Point, World], when: str) -> None:
    kill_at(aws, worlds, when)
    assert_nobody_was_locked_out(aws)
    killed = {point: it.look() for point, it in worlds.items()}
    was_set = {point: {name: it.user(name)["history_length"] > 1 for name in stale(it)} for point, it in worlds.items()}
    redelivered = dict(zip(worlds, redeliver(aws, worlds.values()), strict=True))

    def check(point: Point, it: World) -> None:
        assert redelivered[point].error is None, redelivered[point].error
        now = it.look()
        for name in stale(it):
            # A password that was set is refused when it is set again: it was used before. So another one is made.
            now.assert_reset(
                name,
                announced=1 + killed[point].told(name),
                passwords=1 + was_set[point][name],
                before=before(it, name),
            )
            it.assert_can_sign_in(name)
        if "dave" in it.seeded_passwords:
            it.assert_untouched("dave")
        recorded = {update["changes"]["Workflow"]["Status"] for update in it.finding_updates()}
        assert recorded == ({"NOTIFIED"} if isinstance(it.occasion, str) else set())

    check_all(worlds, check)
    assert_nobody_was_locked_out(aws)
    assert any(any(names.values()) for names in was_set.values()), "some kills fell behind the reset itself"
    assert not all(all(names.values()) for names in was_set.values()), "and some before it"


@pytest.mark.parametrize("effect", ["drop_before", "drop_after"])
def test_a_connection_lost_at_any_call_is_mended_within_the_invocation(
    aws: Standin, worlds: dict[Point, World], effect: str
) -> None:
    aws.faults(*({"match": point.match(it), "effect": effect} for point, it in worlds.items()))
    invocations = dict(zip(worlds, deliver_to_all(worlds.values()), strict=True))
    unfired = [rule["match"] for rule in aws.fault_report() if rule["fired"] != 1]
    assert not unfired, f"the fault did not strike at {unfired}"
    is_done = effect == "drop_after"

    def check(point: Point, it: World) -> None:
        assert invocations[point].error is None, invocations[point].error
        now = it.look()
        for name in stale(it):
            # Nobody can know whether a message went out, or a password was set, whose answer was lost.
            now.assert_reset(
                name,
                announced=1 + (is_done and point.operation == "Publish"),
                passwords=1 + (is_done and point.operation == "UpdateLoginProfile"),
                before=before(it, name),
            )
            it.assert_can_sign_in(name)

    check_all(worlds, check)
    assert_nobody_was_locked_out(aws)
    if is_done:
        made = [it.look().passwords(name) - before(it, name) for it in worlds.values() for name in stale(it)]
        assert max(made) == 2, "IAM refused a password that it had taken"


def test_a_policy_tightened_after_the_kill_ends_with_a_password_that_satisfies_it(
    aws: Standin, world: Callable[..., World]
) -> None:
    it = world(earlier=("alice",))
    kill_at(aws, {Point("PutSecretValue"): it}, "after")
    aws.seed(account_id=it.account_id, password_policy={**STRONG_POLICY, "MinimumPasswordLength": 40})
    (redelivered,) = redeliver(aws, [it])
    assert redelivered.error is None, redelivered.error
    it.assert_reset(passwords=2, before=1)
    is_long_enough = len(it.user()["password"]) >= 40
    assert is_long_enough
    it.assert_can_sign_in()
