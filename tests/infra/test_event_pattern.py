"""The matcher, held against what AWS's documentation says of event patterns and event-ruler's of arrays."""

from __future__ import annotations

from typing import Any

import pytest

from .event_pattern import complexity, conjunctions, matches

STAFF = {
    "staff": [
        {"first": "Ada", "last": "Doe", "ids": [1, 2]},
        {"first": "Ben", "last": "Ito"},
        {"first": "Eve", "last": "Roe", "ids": []},
    ]
}


@pytest.mark.parametrize(
    ("pattern", "event", "expected"),
    [
        # Values.
        ({"a": ["x"]}, {"a": "x"}, True),
        ({"a": ["x"]}, {"a": "X"}, False),
        ({"a": ["x", "y"]}, {"a": "y", "b": 1}, True),
        ({"a": ["x"], "b": ["y"]}, {"a": "x"}, False),
        ({"a": {"b": ["x"]}}, {"a": {"b": "x"}}, True),
        ({"a": ["1"]}, {"a": 1}, False),
        ({"a": [1]}, {"a": 1.0}, True),
        ({"a": [1]}, {"a": True}, False),
        ({"a": [True]}, {"a": True}, True),
        ({"a": [None]}, {"a": None}, True),
        ({"a": [None]}, {}, False),
        ({"a": [""]}, {"a": ""}, True),
        # Operators.
        ({"a": [{"prefix": "ab"}]}, {"a": "abc"}, True),
        ({"a": [{"prefix": "ab"}]}, {"a": "Abc"}, False),
        ({"a": [{"prefix": {"equals-ignore-case": "ab"}}]}, {"a": "ABc"}, True),
        ({"a": [{"suffix": "bc"}]}, {"a": "abc"}, True),
        ({"a": [{"suffix": "bc"}]}, {"a": "abcd"}, False),
        ({"a": [{"suffix": {"equals-ignore-case": ".PNG"}}]}, {"a": "x.png"}, True),
        ({"a": [{"equals-ignore-case": "Ab"}]}, {"a": "aB"}, True),
        ({"a": [{"equals-ignore-case": "Ab"}]}, {"a": "aBc"}, False),
        ({"a": [{"wildcard": "a*c"}]}, {"a": "ac"}, True),
        ({"a": [{"wildcard": "a*c"}]}, {"a": "a/b:\nc"}, True),
        ({"a": [{"wildcard": "a*c"}]}, {"a": "acd"}, False),
        ({"a": [{"wildcard": "*B*"}]}, {"a": "abc"}, False),
        ({"a": [{"wildcard": "a?c"}]}, {"a": "abc"}, False),
        ({"a": [{"wildcard": r"a\*c"}]}, {"a": "abc"}, False),
        ({"a": [{"wildcard": r"a\*c"}]}, {"a": "a*c"}, True),
        ({"a": [{"wildcard": "1*"}]}, {"a": 12}, False),
        ({"a": [{"anything-but": "x"}]}, {"a": "y"}, True),
        ({"a": [{"anything-but": ["x", "y"]}]}, {"a": "y"}, False),
        ({"a": [{"anything-but": [3]}]}, {"a": 3}, False),
        ({"a": [{"anything-but": "x"}]}, {}, False),
        ({"a": [{"anything-but": {"prefix": "x"}}]}, {"a": "xy"}, False),
        ({"a": [{"anything-but": {"suffix": ["x", "z"]}}]}, {"a": "xy"}, True),
        ({"a": [{"anything-but": {"wildcard": "*x*"}}]}, {"a": "axb"}, False),
        ({"a": [{"exists": True}]}, {"a": ""}, True),
        ({"a": [{"exists": True}]}, {}, False),
        ({"a": [{"exists": False}]}, {"b": 1}, True),
        ({"a": [{"exists": False}]}, {"a": None}, False),
        ({"a": ["x", {"exists": False}]}, {"a": "x"}, True),
        ({"a": ["x", {"exists": False}]}, {"a": "y"}, False),
        # Only leaves exist: an object with something in it counts as absent.
        ({"a": [{"exists": False}]}, {"a": {"b": 1}}, True),
        # $or.
        ({"a": ["x"], "$or": [{"b": [1]}, {"c": {"d": [2]}}]}, {"a": "x", "c": {"d": 2}}, True),
        ({"a": ["x"], "$or": [{"b": [1]}, {"c": {"d": [2]}}]}, {"a": "x", "c": {"d": 1}}, False),
        ({"a": ["x"], "$or": [{"b": [1]}, {"c": {"d": [2]}}]}, {"b": 1}, False),
        ({"$or": [{"a": [1], "$or": [{"b": [1]}, {"c": [1]}]}, {"d": [1]}]}, {"a": 1, "c": 1}, True),
        ({"$or": [{"a": [1], "$or": [{"b": [1]}, {"c": [1]}]}, {"d": [1]}]}, {"a": 1}, False),
        ({"a": {"b": [1], "$or": [{"c": [1]}, {"d": [1]}]}}, {"a": {"b": 1, "d": 1}}, True),
        # Arrays of values: one that fits is enough.
        ({"a": ["x"]}, {"a": ["w", "x"]}, True),
        ({"a": ["x"]}, {"a": []}, False),
        ({"a": [{"anything-but": "x"}]}, {"a": ["x", "y"]}, True),
        # Arrays of objects.
        ({"staff": {"first": ["Ben"]}}, STAFF, True),
        ({"staff": {"ids": [2]}}, STAFF, True),
        ({"staff": {"first": ["Ada"], "ids": [2], "last": ["Doe"]}}, STAFF, True),
        ({"staff": {"first": ["Ada"], "last": ["Ito"]}}, STAFF, False),
        ({"staff": {"first": ["Ben"], "ids": [1]}}, STAFF, False),
        # "first" settles on an element, and "ids" comes after it; the other way about nothing is settled yet.
        ({"staff": {"first": ["Ben"], "ids": [{"exists": False}]}}, STAFF, True),
        ({"staff": {"first": ["Ada"], "ids": [{"exists": False}]}}, STAFF, False),
        ({"staff": {"ids": [{"exists": False}], "last": ["Ito"]}}, STAFF, False),
        # Arrays within arrays.
        ({"a": {"b": {"x": [1], "y": [2]}}}, {"a": [{"b": [{"x": 1}, {"y": 2}]}]}, False),
        ({"a": {"b": {"x": [1], "y": [2]}}}, {"a": [{"b": [{"x": 1}, {"x": 1, "y": 2}]}]}, True),
        ({"a": {"b": {"x": [1]}, "c": [3]}}, {"a": [{"b": [{"x": 1}]}, {"c": 3}]}, False),
    ],
)
def test_a_pattern_matches_as_documented(pattern: dict[str, Any], event: dict[str, Any], expected: bool) -> None:
    assert matches(pattern, event) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        {},
        {"a": "x"},
        {"a": []},
        {"a": {}},
        {"$or": [{"a": [1]}]},
        {"$or": {"a": [1]}},
        {"a": [1], "$or": [{"a": [2]}, {"b": [1]}]},
    ],
)
def test_a_pattern_that_eventbridge_refuses_or_misreads_is_an_error(pattern: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="."):
        conjunctions(pattern)


def test_wildcards_must_not_follow_each_other() -> None:
    with pytest.raises(ValueError, match="consecutive"):
        matches({"a": [{"wildcard": "a**"}]}, {"a": "a"})


def test_only_wildcards_are_complex() -> None:
    stacks = [{"wildcard": f"*:stack/{name}/*"} for name in ("a", "b", "c", "d")]
    # https://github.com/vals-ai/Valkyrie/pull/278: three were taken, the fourth refused.
    assert complexity({"a": stacks[:3]}) == 9
    assert complexity({"a": stacks}) == 12
    assert complexity({"a": stacks[:1], "$or": [{"b": stacks[:2]}, {"b": stacks[1:3]}]}) == 9
    assert complexity({"a": [{"anything-but": {"wildcard": ["*x", "y*"]}}]}) == 4
    assert complexity({"a": ["x", {"suffix": "y"}, {"anything-but": {"prefix": "z"}}, {"exists": False}]}) == 0
