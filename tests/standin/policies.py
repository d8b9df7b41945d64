"""Evaluates identity policies: enough of IAM's logic to say allowed, explicitly or implicitly denied.

Logic: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
Conditions: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html

An operator that is not modelled is an error, never a guess.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from .wire import ApiError

ALLOWED, EXPLICIT_DENY, IMPLICIT_DENY = "allowed", "explicitDeny", "implicitDeny"

_VARIABLE = re.compile(r"\$\{([^}]+)\}")
_LITERALS = {"*": "*", "?": "?", "$": "$"}


class Context:
    """Condition keys and their values. Keys are matched without regard to case, as IAM does."""

    def __init__(self, entries: Mapping[str, Iterable[str]]):
        self._entries = {key.lower(): [str(value) for value in values] for key, values in entries.items()}

    def get(self, key: str) -> list[str] | None:
        """The values of `key`; `None` when the request has no such key."""
        return self._entries.get(key.lower())


@dataclass(frozen=True)
class SourcedPolicy:
    """A policy document and where it came from (`user`, `group`, `aws-managed`, `user-managed`)."""

    policy_id: str
    source_type: str
    document: str | Mapping[str, Any]

    def statements(self) -> list[Mapping[str, Any]]:
        """The document's statements; a single one need not be in a list."""
        document = json.loads(self.document) if isinstance(self.document, str) else self.document
        return _listed(document.get("Statement"))


@dataclass
class Decision:
    """What came out, the policies whose statements decided it, and condition keys that were asked for in vain."""

    verdict: str = IMPLICIT_DENY
    matched: list[SourcedPolicy] = field(default_factory=list)
    missing_keys: list[str] = field(default_factory=list)


def evaluate(policies: Iterable[SourcedPolicy], action: str, resource: str, context: Context) -> Decision:
    """One action on one resource. A deny beats every allow; nothing said is a deny."""
    missing: set[str] = set()
    matched: dict[str, list[SourcedPolicy]] = {"Allow": [], "Deny": []}
    for policy in policies:
        for statement in policy.statements():
            if not _covers(statement, "Action", lambda pattern: _glob(pattern.lower()).fullmatch(action.lower())):
                continue
            conditions = statement.get("Condition") or {}
            missing.update(key for tests in conditions.values() for key in tests if context.get(key) is None)
            if not _covers(statement, "Resource", lambda pattern: _resource(pattern, context).fullmatch(resource)):
                continue
            if all(
                _test(operator, context.get(key), _listed(wanted), context)
                for operator, tests in conditions.items()
                for key, wanted in tests.items()
            ):
                matched[statement["Effect"]].append(policy)
    decision = Decision(missing_keys=sorted(missing))
    if matched["Deny"]:
        decision.verdict, decision.matched = EXPLICIT_DENY, matched["Deny"]
    elif matched["Allow"]:
        decision.verdict, decision.matched = ALLOWED, matched["Allow"]
    return decision


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _covers(statement: Mapping[str, Any], element: str, matches: Callable[[str], Any]) -> bool:
    """Whether Action/Resource matches, or NotAction/NotResource does not."""
    if f"Not{element}" in statement:
        return not any(matches(pattern) for pattern in _listed(statement[f"Not{element}"]))
    return any(matches(pattern) for pattern in _listed(statement.get(element)))


@lru_cache(maxsize=1024)
def _glob(pattern: str) -> re.Pattern[str]:
    """`*` and `?` stand for any characters, colons and slashes included."""
    return re.compile("".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern), re.DOTALL)


def _resource(pattern: str, context: Context) -> re.Pattern[str]:
    """`pattern` with its policy variables filled in; one without a value makes the statement match nothing."""
    parts: list[str] = []
    position = 0
    for variable in _VARIABLE.finditer(pattern):
        parts.append(_glob(pattern[position : variable.start()]).pattern)
        name = variable.group(1)
        value = _LITERALS.get(name) or next(iter(context.get(name) or []), None)
        if value is None:
            return re.compile(r"(?!)")
        parts.append(re.escape(value))
        position = variable.end()
    parts.append(_glob(pattern[position:]).pattern)
    return re.compile("".join(parts), re.DOTALL)


def _number(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    return lambda actual, wanted: compare(float(actual), float(wanted))


def _like(actual: str, wanted: str) -> bool:
    return bool(_glob(wanted).fullmatch(actual))


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "ArnEquals": _like,
    "ArnLike": _like,
    "Bool": lambda actual, wanted: actual.lower() == wanted.lower(),
    "NumericEquals": _number(lambda a, b: a == b),
    "NumericGreaterThan": _number(lambda a, b: a > b),
    "NumericGreaterThanEquals": _number(lambda a, b: a >= b),
    "NumericLessThan": _number(lambda a, b: a < b),
    "NumericLessThanEquals": _number(lambda a, b: a <= b),
    "StringEquals": lambda actual, wanted: actual == wanted,
    "StringEqualsIgnoreCase": lambda actual, wanted: actual.lower() == wanted.lower(),
    "StringLike": _like,
}
_NEGATIONS = {
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
}


def _filled(value: str, context: Context) -> str | None:
    """`value` with its policy variables filled in; `None` when one has no value."""
    values = {
        name: _LITERALS.get(name) or next(iter(context.get(name) or []), None) for name in _VARIABLE.findall(value)
    }
    return None if None in values.values() else _VARIABLE.sub(lambda found: values[found.group(1)], value)


def _holds(compare: Callable[[str, str], bool], actual: str, wanted: str, context: Context) -> bool:
    """One value against one of the condition's, whose variables are filled in; one without a value matches nothing."""
    if compare is _like:
        # What a variable stands for is text, even if there is a `*` in it.
        return bool(_resource(wanted, context).fullmatch(actual))
    filled = _filled(wanted, context)
    return filled is not None and compare(actual, filled)


def _test(operator: str, actual: list[str] | None, wanted: list[Any], context: Context) -> bool:
    expected = [str(value).lower() if isinstance(value, bool) else str(value) for value in wanted]
    if operator == "Null":
        return (actual is None) == (expected[0].lower() == "true")
    prefix, _, name = operator.rpartition(":")
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    negated = name in _NEGATIONS
    compare = _OPERATORS.get(_NEGATIONS.get(name, name))
    if compare is None or prefix not in ("", "ForAnyValue", "ForAllValues"):
        raise ApiError(500, "PolicyEvaluation", f"this stand-in does not know the condition operator {operator}")
    if actual is None:
        # A missing key satisfies …IfExists, every negation, and ForAllValues (all of none).
        return if_exists or prefix == "ForAllValues" or (negated and prefix == "")
    hits = [any(_holds(compare, value, candidate, context) for candidate in expected) != negated for value in actual]
    # A plain negation must hold for all values, as "none of them is".
    return all(hits) if prefix == "ForAllValues" or (negated and prefix == "") else any(hits)
