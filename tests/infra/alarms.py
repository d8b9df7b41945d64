"""When a CloudWatch alarm goes off, offline, from its properties and what was counted when.

No library will do: moto evaluates no alarm. This follows CloudWatch's user guide (alarm evaluation, missing data, math
with metrics), as far as the template's alarms go: windows slide, sums are of each period, a period without data is
missing, and so is whatever is computed with something missing, but for FILL.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

Number = float | None
Counted = dict[str, list[tuple[float, float]]]


@dataclass(frozen=True)
class Series:
    """One value for each period, the oldest first; None is missing."""

    values: list[Number]

    def _with(self, other: Any, act: Callable[[Any, Any], Any]) -> Series:
        others = other.values if isinstance(other, Series) else [other] * len(self.values)
        pairs = zip(self.values, others, strict=True)
        return Series([None if None in pair else float(act(*pair)) for pair in pairs])

    def __add__(self, other: Any) -> Series:
        return self._with(other, operator.add)

    def __sub__(self, other: Any) -> Series:
        return self._with(other, operator.sub)

    def __gt__(self, other: Any) -> Series:
        return self._with(other, operator.gt)

    def __lt__(self, other: Any) -> Series:
        return self._with(other, operator.lt)

    def __and__(self, other: Any) -> Series:
        return self._with(other, lambda one, two: bool(one) and bool(two))

    def present(self) -> list[float]:
        """What is not missing."""
        return [value for value in self.values if value is not None]


def _fill(series: Series, value: float) -> Series:
    return Series([value if found is None else found for found in series.values])


def _diff(series: Series) -> Series:
    pairs = zip([None, *series.values], series.values, strict=False)
    return Series([None if before is None or now is None else now - before for before, now in pairs])


def _if(condition: Series, yes: float, no: float) -> Series:
    return Series([None if found is None else yes if found else no for found in condition.values])


def computed(expression: str, known: dict[str, Series]) -> Series:
    """What a metric math expression comes to."""
    length = max(len(series.values) for series in known.values())
    functions = {
        "FILL": _fill,
        "DIFF": _diff,
        "IF": _if,
        "SUM": lambda series: sum(series.present()),
        "MAX": lambda series: max(series.present()),
        "TIME_SERIES": lambda value: Series([value] * length),
    }
    # But for this it is Python, with whole series for values.
    return eval(expression.replace(" AND ", " & "), {"__builtins__": {}}, functions | known)


def is_alarming(alarm: dict[str, Any], counted: Counted, now: float, read_besides: int) -> bool:
    """Whether the alarm is in the state ALARM.

    CloudWatch reads more periods than the alarm evaluates, and does not say how many: `read_besides`.
    """
    read = int(alarm["EvaluationPeriods"]) + read_besides
    queries = alarm.get("Metrics") or [{"Id": "only", "ReturnData": True, "MetricStat": _metric(alarm)}]
    known: dict[str, Series] = {}
    for query in sorted(queries, key=lambda query: "Expression" in query):
        if "MetricStat" in query:
            asked = query["MetricStat"]
            assert asked["Stat"] == "Sum"
            known[query["Id"]] = _sums(counted.get(asked["Metric"]["MetricName"], []), asked["Period"], now, read)
    pending = [query for query in queries if "Expression" in query]
    while pending:
        for query in pending:
            if set(re.findall(r"\b[a-z]\w*", query["Expression"])) <= known.keys():
                known[query["Id"]] = computed(query["Expression"], known)
        pending = [query for query in pending if query["Id"] not in known]
    [shown] = [query["Id"] for query in queries if query["ReturnData"]]
    assert (alarm["ComparisonOperator"], alarm["TreatMissingData"]) == ("GreaterThanOrEqualToThreshold", "notBreaching")
    # The latest that are there; what is wanting is not breaching.
    latest = known[shown].present()[-int(alarm["EvaluationPeriods"]) :]
    breaching = sum(value >= alarm["Threshold"] for value in latest)
    return breaching >= int(alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"]))


def _metric(alarm: dict[str, Any]) -> dict[str, Any]:
    return {
        "Metric": {"MetricName": alarm["MetricName"]},
        "Stat": alarm["Statistic"],
        "Period": alarm["Period"],
    }


def _sums(points: Iterable[tuple[float, float]], period: float, now: float, periods: int) -> Series:
    found: list[Number] = [None] * periods
    for time, value in points:
        age = int((now - time) // period)
        if time <= now and age < periods:
            found[-1 - age] = (found[-1 - age] or 0) + value
    return Series(found)
