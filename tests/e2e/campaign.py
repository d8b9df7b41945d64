"""The same reset in many worlds at once, and in each of them something goes wrong at another call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from standin.client import Standin
from standin.runtime import Invocation
from world import LONGEST_SECONDS, World

# Fewer calls than this cannot be a whole reset: then a campaign would prove nothing.
_FEWEST_CALLS = 15
_REQUEST_ID = "5c1c3b1e-0d2f-4a55-9a62-aa0f4b3a9d10"


@dataclass(frozen=True)
class Point:
    """One call of a reset: the `nth` of its operation."""

    operation: str
    nth: int = 1

    def match(self, world: World) -> dict[str, Any]:
        """For a fault's `match`."""
        return {"account_id": world.account_id, "operation": self.operation, "nth": self.nth}

    def __str__(self) -> str:
        return f"{self.operation} #{self.nth}"


def points(world: World) -> list[Point]:
    """Every call of an undisturbed reset."""
    world.answer(world.asks())
    seen: Counter[str] = Counter()
    found = []
    for operation in world.operations():
        seen[operation] += 1
        found.append(Point(operation, seen[operation]))
    assert len(found) >= _FEWEST_CALLS, found
    return found


def deliver_to_all(worlds: Iterable[World], request_id: str | None = None) -> list[Invocation]:
    """The event to each of them at the same time."""
    sent = [world.function.submit(world.asks(), request_id=request_id) for world in worlds]
    return [future.result(timeout=LONGEST_SECONDS) for future in sent]


def kill_at(aws: Standin, worlds: dict[Point, World], when: str) -> None:
    """Sends the event to all worlds and kills each one's process at its own call: `before` or `after` it is done.

    The stand-in does it when the call arrives, so the kill is neither early nor late. Then the faults are lifted.
    """
    aws.faults(
        *(
            {"match": point.match(world), "effect": {f"kill_{when}": world.function.pid()}}
            for point, world in worlds.items()
        )
    )
    killed = deliver_to_all(worlds.values(), _REQUEST_ID)
    unfired = [rule["match"] for rule in aws.fault_report() if rule["fired"] != 1]
    assert not unfired, f"never came to the call to be killed at: {unfired}"
    assert {invocation.error["errorType"] for invocation in killed} == {"Runtime.ExitError"}
    aws.faults()


def redeliver(aws: Standin, worlds: Iterable[World]) -> list[Invocation]:
    """To fresh processes, with the same request id, when no lease holds any more: what Lambda does minutes later."""
    worlds = list(worlds)
    aws.expire_leases()
    for world in worlds:
        world.function.restart()
    return deliver_to_all(worlds, _REQUEST_ID)


def check_all(worlds: dict[Point, World], check: Callable[[Point, World], None]) -> None:
    """Fails with all that `check` has against any of the worlds."""
    problems = []
    for point, world in worlds.items():
        try:
            check(point, world)
        except AssertionError as error:
            problems.append(f"{point}: {error}")
    assert not problems, "\n".join(["", *problems])


def assert_nobody_was_locked_out(aws: Standin) -> None:
    """Not now, and not after any call."""
    assert aws.invariant() == {"now": [], "watched": []}
