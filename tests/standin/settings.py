"""What a test may turn at run time, and the clock that obeys it.

moto builds its backends itself, from a region and an account alone, so there is no constructor through which
they could be handed these: they are the one instance the process has.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

# Whose credentials all access keys are that are no account's id and no session's.
HOME_ACCOUNT = "123456789012"


@dataclass
class Settings:
    """Defaults are what AWS documents; every field is described in README.md."""

    report_polls: int = 0
    clock_offset_seconds: float = 0
    accept_unknown_findings: bool = True
    drop_unlabelled_versions: bool = False
    latency_ms: float = 0
    watch: bool = False

    def update(self, changes: dict[str, Any]) -> None:
        """Applies all of `changes` or, when one of them is wrong, none (ValueError)."""
        known = {field.name: type(field.default) for field in fields(self)}
        for name, value in changes.items():
            if name not in known:
                raise ValueError(f"no setting {name!r}; there are {', '.join(sorted(known))}")
            wanted = (int, float) if known[name] is float else (known[name],)
            if not isinstance(value, wanted) or (isinstance(value, bool) and known[name] is not bool):
                raise ValueError(f"{name} must be a {known[name].__name__}, not {value!r}")
        for name, value in changes.items():
            setattr(self, name, value)

    def reset(self) -> None:
        """Back to the defaults."""
        self.update(asdict(Settings()))

    def as_dict(self) -> dict[str, Any]:
        """For the control API."""
        return asdict(self)


SETTINGS = Settings()


def now() -> datetime:
    """The stand-in's time, in UTC: the machine's, moved by `clock_offset_seconds`."""
    return datetime.now(UTC) + timedelta(seconds=SETTINGS.clock_offset_seconds)


def this_second() -> datetime:
    """`now` without fractions: IAM's dates have none."""
    return now().replace(microsecond=0)
