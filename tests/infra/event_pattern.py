"""Whether an event matches an EventBridge pattern, offline.

No library will do: AWS's own matcher (aws/event-ruler) is Java, a prerequisite this project does not have; the one
binding of another implementation on PyPI was built once, in 2023, for a few Pythons; moto's matcher never matches
arrays of objects; and `aws events test-event-pattern` needs an account. So this follows event-ruler's documented
semantics, as far as findings need them; test_event_pattern.py holds it against the examples of AWS's documentation.

- A pattern is a conjunction of paths, each with alternatives. `$or` multiplies it into several such conjunctions.
- Arrays disappear from an event's paths, but every value remembers which elements of which arrays it is in. Values
  that lie in different elements of the same array do not match together.
- Paths are taken in alphabetical order. `{"exists": false}` holds if the path occurs in none of the elements that the
  paths before it have settled on: with several findings in an event, one can spoil it for another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Conjunction = dict[str, list[Any]]
Elements = dict[int, int]


@dataclass(frozen=True)
class _Leaf:
    path: str
    value: Any
    elements: Elements


def matches(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    """Whether a rule with `pattern` would pass `event` on."""
    leaves = list(_leaves(event, "", {}))
    return any(_holds(sorted(conjunction.items()), leaves, {}) for conjunction in conjunctions(pattern))


def conjunctions(pattern: dict[str, Any]) -> list[Conjunction]:
    """The pattern without `$or`."""
    if not pattern:
        raise ValueError("empty objects are not allowed")
    return _multiplied(pattern, "", [{}])


def complexity(pattern: dict[str, Any]) -> int:
    """What EventBridge refuses a rule for, if it is too much; nobody has published how much that is.

    The measure is event-ruler's MachineComplexityEvaluator: how many beginnings of wildcards a value can fit at once.
    For each wildcard of a path that is one at every star, and one for what is read last; here the sum of these, which
    is short of it only where a wildcard repeats a character.
    """
    paths: dict[str, set[str]] = {}
    for conjunction in conjunctions(pattern):
        for path, alternatives in conjunction.items():
            paths.setdefault(path, set()).update(_wildcards(alternatives))
    return max(sum(1 + text.count("*") for text in texts) for texts in paths.values())


def _wildcards(node: Any) -> Iterator[str]:
    """The wildcards in a matcher, which `anything-but` may hold in a list."""
    if isinstance(node, list):
        for item in node:
            yield from _wildcards(item)
    elif isinstance(node, dict):
        for operator, operand in node.items():
            if operator == "wildcard":
                yield from [operand] if isinstance(operand, str) else operand
            else:
                yield from _wildcards(operand)


def _multiplied(pattern: dict[str, Any], parent: str, so_far: list[Conjunction]) -> list[Conjunction]:
    for key, value in pattern.items():
        if key == "$or":
            if not isinstance(value, list) or len(value) < 2:
                raise ValueError("$or takes two objects or more")
            so_far = [found for branch in value for found in _multiplied(branch, parent, so_far)]
            continue
        path = f"{parent}.{key}" if parent else key
        if isinstance(value, dict) and value:
            so_far = _multiplied(value, path, so_far)
        elif isinstance(value, list) and value:
            # event-ruler lets the later of two mentions win without a word: nobody can mean that.
            if any(path in conjunction for conjunction in so_far):
                raise ValueError(f"{path} is mentioned twice")
            so_far = [{**conjunction, path: value} for conjunction in so_far]
        else:
            raise ValueError(f"{path} must be an object or an array, and not empty")
    return so_far


def _leaves(node: Any, path: str, elements: Elements) -> Iterator[_Leaf]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, f"{path}.{key}" if path else key, elements)
    elif isinstance(node, list):
        for place, item in enumerate(node):
            yield from _leaves(item, path, {**elements, id(node): place})
    else:
        yield _Leaf(path, node, elements)


def _holds(paths: list[tuple[str, list[Any]]], leaves: list[_Leaf], elements: Elements) -> bool:
    if not paths:
        return True
    (path, alternatives), *rest = paths
    within = [leaf for leaf in leaves if leaf.path == path and _together(leaf.elements, elements)]
    if not within:
        return {"exists": False} in alternatives and _holds(rest, leaves, elements)
    return any(
        any(_fits(alternative, leaf.value) for alternative in alternatives)
        and _holds(rest, leaves, {**elements, **leaf.elements})
        for leaf in within
    )


def _together(one: Elements, other: Elements) -> bool:
    return all(other.get(array, place) == place for array, place in one.items())


def _fits(alternative: Any, value: Any) -> bool:
    if not isinstance(alternative, dict):
        return type(alternative) is type(value) and alternative == value or _same_number(alternative, value)
    ((operator, operand),) = alternative.items()
    if operator == "exists":
        return operand is True
    if operator == "anything-but":
        return not _excluded(operand, value)
    return isinstance(value, str) and _OPERATORS[operator](operand, value)


def _same_number(one: Any, other: Any) -> bool:
    def is_number(value: Any) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool)

    return is_number(one) and is_number(other) and one == other


def _excluded(operand: Any, value: Any) -> bool:
    if isinstance(operand, dict):
        ((operator, texts),) = operand.items()
        texts = texts if isinstance(texts, list) else [texts]
        return any(_fits({operator: text}, value) for text in texts)
    return any(_fits(item, value) for item in (operand if isinstance(operand, list) else [operand]))


def _affix(test: Callable[[str, str], bool]) -> Callable[[Any, str], bool]:
    def fits(operand: Any, value: str) -> bool:
        if isinstance(operand, dict):
            return test(value.lower(), operand["equals-ignore-case"].lower())
        return test(value, operand)

    return fits


def _wildcard(operand: str, value: str) -> bool:
    if "**" in operand:
        raise ValueError(f"{operand}: consecutive wildcards are not allowed")
    # A backslash makes a star or a backslash an ordinary character.
    parts = re.findall(r"\\[*\\]|\*|[^*\\]+|\\", operand)
    expression = "".join(".*" if part == "*" else re.escape(re.sub(r"\\([*\\])", r"\1", part)) for part in parts)
    return re.fullmatch(expression, value, re.DOTALL) is not None


# `numeric` and `cidr` are left out: findings have no use for them, and a pattern that has is told so by a KeyError.
_OPERATORS: dict[str, Callable[[Any, str], bool]] = {
    "prefix": _affix(str.startswith),
    "suffix": _affix(str.endswith),
    "equals-ignore-case": lambda operand, value: operand.lower() == value.lower(),
    "wildcard": _wildcard,
}
