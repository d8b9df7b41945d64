"""What happened, in order: AWS calls, published messages, updated findings, broken invariants.

One instance for the process, for the same reason as `settings`. Everything here is written under the gateway's
lock; readers in `control` hold it too.
"""

from __future__ import annotations

import copy
import time
from typing import Any


class Journal:
    """Append-only until `clear`."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forgets everything; calls are numbered from 1 again."""
        self._started = time.monotonic()
        self.calls: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []
        self.finding_updates: list[dict[str, Any]] = []
        self.finding_events: list[dict[str, Any]] = []
        self.violations: list[dict[str, Any]] = []
        self.current_call: int | None = None

    def elapsed_ms(self) -> float:
        """Milliseconds since the start or the last `clear`."""
        return round((time.monotonic() - self._started) * 1000, 1)

    def open_call(self, facts: dict[str, Any]) -> dict[str, Any]:
        """Numbers a call as it arrives. `state` says how far it got: received, processed, finished."""
        entry = {
            "n": len(self.calls) + 1,
            "at_ms": self.elapsed_ms(),
            **facts,
            "state": "received",
            "status": None,
            "code": None,
            "fault": None,
        }
        self.calls.append(entry)
        return entry

    def record_message(self, message: dict[str, Any]) -> None:
        """A message that SNS took."""
        self.messages.append({"call": self.current_call, **message})

    def record_finding_update(self, update: dict[str, Any]) -> None:
        """One call of BatchUpdateFindings or its V2."""
        self.finding_updates.append({"call": self.current_call, **update})

    def record_finding_event(self, finding: dict[str, Any]) -> None:
        """What EventBridge gets to see of an import or an update: the finding as it is then."""
        self.finding_events.append({"call": self.current_call, "finding": copy.deepcopy(finding)})


JOURNAL = Journal()
