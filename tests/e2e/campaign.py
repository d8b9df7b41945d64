"""The same reset in many worlds at once, and in each of them something goes wrong at another call."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from standin.client import Standin
from standin.runtime import Invocation
from world import World

# Fewer calls than this cannot be a whole reset: then a campaign would prove nothing.
_FEWEST_CALLS = 12
_PATIENCE_SECONDS = 60
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Point:
    """One call of a reset: the `nth` of its operation."""

    operation: str
    nth: int

    def match(self, world: World) -> dict[str, Any]:
        """For a fault's `match`."""
        return {"account_id": world.account_id, "operation": self.operation, "nth": self.nth}

    def __str__(self) -> str:
        return f"{self.operation} #{self.nth}"


def points(world: World) -> list[Point]:
    """Every call of an undisturbed reset."""
    world.answer(world.occasion)
    world.assert_reset(before=_versions(world))
    seen: Counter[str] = Counter()
    found = []
    for operation in world.operations():
        seen[operation] += 1
        found.append(Point(operation, seen[operation]))
    assert len(found) >= _FEWEST_CALLS, found
    return found


def deliver_to_all(worlds: Iterable[World], request_id: str | None = None) -> list[Invocation]:
    """The event to each of them at the same time."""
    sent = [world.function.submit(world.event(world.occasion), request_id=request_id) for world in worlds]
    return [future.result(timeout=_PATIENCE_SECONDS) for future in sent]


def kill_at(aws: Standin, worlds: dict[Point, World], when: str) -> None:
    """Sends the event to all worlds and kills each one's process at its own call: `before` or `after` it is done.

    A call hangs in the stand-in until the kill, so the kill is neither early nor late. Then the faults are lifted.
    """
    aws.faults(*({"match": point.match(world), "effect": f"hang_{when}"} for point, world in worlds.items()))
    first = len(aws.calls())
    sent = [world.function.submit(world.event(world.occasion), request_id="the-request") for world in worlds.values()]
    alive = {world.account_id: world for world in worlds.values()}
    state = "received" if when == "before" else "processed"
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with ThreadPoolExecutor(16) as executioners:
        while alive:
            assert time.monotonic() < deadline, f"{len(alive)} resets never came to the call to be killed at"
            for call in aws.calls(after=first):
                if call["fault"] and call["state"] == state and call["account_id"] in alive:
                    executioners.submit(alive.pop(call["account_id"]).function.kill)
            time.sleep(_POLL_SECONDS)
    for future in sent:
        assert future.result(timeout=_PATIENCE_SECONDS).error["errorType"] == "Runtime.ExitError"
    aws.faults()


def redeliver(worlds: Iterable[World]) -> list[Invocation]:
    """To fresh processes, with the same request id: what Lambda does a minute later."""
    worlds = list(worlds)
    for world in worlds:
        world.function.restart()
    return deliver_to_all(worlds, "the-request")


def check_all(worlds: dict[Point, World], check: Callable[[Point, World], None]) -> None:
    """Fails with all that `check` has against any of the worlds."""
    problems = []
    for point, world in worlds.items():
        try:
            check(point, world)
        except AssertionError as error:
            problems.append(f"{point}: {error}")
    assert not problems, "\n".join(["", *problems])


def _versions(world: World) -> int:
    return len(world.secret()["versions"]) - 1
