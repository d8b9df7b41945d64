"""Faults on demand: rules that make chosen calls fail, lag, get lost or be answered by nobody.

    {"match": {"service": "iam", "operation": "UpdateLoginProfile", "nth": 1}, "effect": "drop_after"}
    {"match": {"user": "alice"}, "effect": {"error": {"status": 409, "code": "…", "message": "…"}}}

README.md lists what can be matched and what can be done.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .wire import ApiError, Call, Reply

_MATCHED = ("service", "operation", "account_id", "user")

# In the words of each service; what is not listed is as in Secrets Manager.
_THROTTLING = {
    "iam": (400, "Throttling"),
    "securityhub": (429, "ThrottlingException"),
    "sns": (400, "Throttling"),
    "sts": (400, "Throttling"),
}
_DENIED = {
    "iam": (403, "AccessDenied"),
    "securityhub": (403, "AccessDeniedException"),
    "sns": (403, "AuthorizationError"),
    "sqs": (403, "AccessDeniedException"),
    "sts": (403, "AccessDenied"),
}
_HTML = Reply(
    503,
    b"<html><head><title>503 Service Temporarily Unavailable</title></head><body>Try later</body></html>",
    {"Content-Type": "text/html"},
)


@dataclass
class Effect:
    """What happens to one call. At most one of `reply`, `drop`, `kill` is set; `latency_ms` may join it."""

    name: str = ""
    latency_ms: float = 0
    error: ApiError | None = None
    reply: Reply | None = None
    drop: bool = False
    # A process that is to be killed.
    kill: int = 0
    # Whether the service does its work before the fault strikes.
    after: bool = False

    @property
    def strikes(self) -> bool:
        """Whether anything but time is lost."""
        return bool(self.error or self.reply or self.drop or self.kill)


@dataclass
class _Rule:
    match: dict[str, Any]
    effect: Any
    seen: int = 0
    fired: int = 0

    def takes(self, facts: dict[str, Any]) -> bool:
        if any(name in self.match and self.match[name] != facts[name] for name in _MATCHED):
            return False
        self.seen += 1
        if "nth" in self.match and self.seen != self.match["nth"]:
            return False
        self.fired += 1
        return True


@dataclass
class Faults:
    """The rules in force."""

    rules: list[_Rule] = field(default_factory=list)

    def replace(self, rules: list[dict[str, Any]]) -> None:
        """New rules for old (ValueError when one is no rule)."""
        parsed = []
        for rule in rules:
            match, effect = rule.get("match") or {}, rule.get("effect")
            unknown = set(rule) - {"match", "effect"} | set(match) - {*_MATCHED, "nth"}
            if unknown:
                raise ValueError(f"a fault has no {', '.join(sorted(unknown))}")
            _effect(effect, "iam")
            parsed.append(_Rule(match, effect))
        self.rules = parsed

    def strike(self, call: Call) -> Effect:
        """What the rules do to this call: their latencies together, and the first other effect."""
        facts = {
            "service": call.service,
            "operation": call.operation,
            "account_id": call.account_id,
            "user": call.user,
        }
        effects = [_effect(rule.effect, call.service) for rule in self.rules if rule.takes(facts)]
        chosen = next((effect for effect in effects if effect.strikes), Effect())
        chosen.latency_ms = sum(effect.latency_ms for effect in effects)
        chosen.name = "+".join(effect.name for effect in effects if not effect.strikes or effect is chosen)
        return chosen

    def as_list(self) -> list[dict[str, Any]]:
        """For the control API."""
        return [
            {"match": rule.match, "effect": rule.effect, "seen": rule.seen, "fired": rule.fired} for rule in self.rules
        ]


def _effect(spec: Any, service: str) -> Effect:
    name, value = next(iter(spec.items())) if isinstance(spec, dict) and len(spec) == 1 else (spec, None)
    if name == "latency_ms" and isinstance(value, (int, float)):
        return Effect(name, latency_ms=value)
    if name in ("error", "error_after") and isinstance(value, dict):
        error = ApiError(value.get("status", 500), value.get("code", "InternalFailure"), value.get("message", ""))
        return Effect(name, error=error, after=name == "error_after")
    if name in ("kill_before", "kill_after") and isinstance(value, int) and value > 1:
        return Effect(name, kill=value, after=name == "kill_after")
    if name == "throttle":
        return Effect(name, error=ApiError(*_THROTTLING.get(service, (400, "ThrottlingException")), "Rate exceeded"))
    if name == "access_denied":
        error = ApiError(*_DENIED.get(service, (400, "AccessDeniedException")), "not authorized to perform this action")
        return Effect(name, error=error)
    if name == "html":
        return Effect(name, reply=_HTML)
    if name in ("drop_before", "drop_after"):
        return Effect(name, drop=True, after=name == "drop_after")
    raise ValueError(f"{spec!r} is no effect of a fault")


FAULTS = Faults()
