"""The alarms that are more than a threshold, run through weeks (alarms.py)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .alarms import Counted, Series, computed, is_alarming
from .cfn import Stack, document, main_stack

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
SCHEDULES = {"hourly": HOUR, "daily": DAY, "weekly": 7 * DAY, "monthly": 30 * DAY}
FIRST = 3 * DAY
END = FIRST + 70 * DAY
# The alarms on what did not come to its end, each with the metric of what did.
OVERDUE = {"NoSuccessAlarm": "Sweeps", "NoAuditAlarm": "Audits"}
# All tries of Scheduler and of Lambda together.
LONGEST = 7 * HOUR + 15 * MINUTE
MISSING = Series([None, None, None])


@pytest.fixture
def stack() -> Stack:
    return main_stack(SweepSchedule="rate(7 days)", AuditSchedule="rate(7 days)")


def due(every: float) -> list[float]:
    """When sweeps are due, each as much later as the flexible window may take it."""
    times = [FIRST + number * every for number in range(int((END - FIRST) / every) + 1)]
    return [time + number * 7 % 16 * MINUTE for number, time in enumerate(times)]


def told(alarm: dict[str, Any], counted: Counted, read_besides: int, end: float = END) -> list[float]:
    """When the alarm goes off, looked at every ten minutes."""

    def went_off() -> Iterator[float]:
        before = False
        # Looked at not only when an hour begins.
        for step in range(int(end / (10 * MINUTE))):
            now = step * 10 * MINUTE + MINUTE
            is_on = is_alarming(alarm, recent(now), now, read_besides)
            if is_on and not before:
                yield now
            before = is_on

    def recent(now: float) -> Counted:
        return {
            name: [point for point in points if now - 7 * DAY < point[0] <= now] for name, points in counted.items()
        }

    return list(went_off())


@pytest.mark.parametrize("read_besides", [0, 3])
@pytest.mark.parametrize("every", SCHEDULES)
@pytest.mark.parametrize("name", OVERDUE)
def test_what_comes_to_its_end_is_no_alarm(name: str, every: str, read_besides: int, stack: Stack) -> None:
    times = due(SCHEDULES[every])
    ended = [(time + number * 37 % 100 / 99 * LONGEST, 1.0) for number, time in enumerate(times)]
    counted = {"InvocationAttemptCount": [(time, 1.0) for time in times], OVERDUE[name]: ended}
    assert told(stack.properties(name), counted, read_besides, FIRST + 21 * DAY) == []


@pytest.mark.parametrize("read_besides", [0, 3])
@pytest.mark.parametrize("others", [[], [(hour * HOUR, 0.0) for hour in range(2000)]], ids=["alone", "among others"])
@pytest.mark.parametrize("every", ["daily", "weekly", "monthly"])
@pytest.mark.parametrize("name", OVERDUE)
def test_what_never_ends_is_told_of_once_it_has_had_eight_hours(
    name: str, every: str, others: list[tuple[float, float]], read_besides: int, stack: Stack
) -> None:
    times = due(SCHEDULES[every])
    # The first too, when nothing was counted before; those of other invocations count nothing.
    counted = {"InvocationAttemptCount": [(time, 1.0) for time in times], OVERDUE[name]: others}
    went_off = told(stack.properties(name), counted, read_besides, times[0] + DAY)
    assert len(went_off) == 1
    assert times[0] + 8 * HOUR <= went_off[0] <= times[0] + 8 * HOUR + 20 * MINUTE


@pytest.mark.parametrize("name", OVERDUE)
def test_before_the_first_is_due_nothing_is_told(name: str, stack: Stack) -> None:
    alarm = stack.properties(name)
    assert told(alarm, {}, 3, FIRST) == []
    assert told(alarm, {OVERDUE[name]: [(hour * HOUR, 0.0) for hour in range(72)]}, 3, FIRST) == []


@pytest.mark.parametrize("name", OVERDUE)
def test_the_alarm_is_over_when_the_next_has_come_to_its_end(name: str, stack: Stack) -> None:
    times = due(DAY)[:3]
    counted = {"InvocationAttemptCount": [(time, 1.0) for time in times], OVERDUE[name]: [(times[1] + MINUTE, 1.0)]}
    alarm = stack.properties(name)
    assert is_alarming(alarm, counted, times[0] + 9 * HOUR, 3)
    assert not is_alarming(alarm, counted, times[1] + 9 * HOUR, 3)
    assert is_alarming(alarm, counted, times[2] + 9 * HOUR, 3)


@pytest.mark.parametrize(
    ("name", "timer", "function"),
    [("NoSuccessAlarm", "SweepTimer", "Function"), ("NoAuditAlarm", "AuditTimer", "AuditFunction")],
)
def test_only_where_something_is_scheduled_can_it_fail_to_come(
    name: str, timer: str, function: str, stack: Stack
) -> None:
    assert name not in main_stack(SweepSchedule="", AuditSchedule="").resources
    alarm = stack.properties(name)
    [attempts] = [query for query in alarm["Metrics"] if query["Id"] == "attempts"]
    assert attempts["MetricStat"]["Metric"] == {
        "Namespace": "AWS/Scheduler",
        "MetricName": "InvocationAttemptCount",
        "Dimensions": [{"Name": "ScheduleGroup", "Value": stack.ref(f"{timer}s")}],
    }
    [ended] = [query for query in alarm["Metrics"] if query["Id"] == OVERDUE[name].lower()]
    assert ended["MetricStat"]["Metric"] == {
        "Namespace": "IamPasswordRemediator",
        "MetricName": OVERDUE[name],
        "Dimensions": [{"Name": "service", "Value": "iam-password-remediator"}],
    }
    period = attempts["MetricStat"]["Period"]
    retries = stack.properties(timer)["Target"]["RetryPolicy"]["MaximumEventAgeInSeconds"]
    retries += stack.properties(f"{function}EventInvokeConfig")["MaximumEventAgeInSeconds"]
    assert retries + stack.properties(function)["Timeout"] <= LONGEST < period
    assert period * alarm["EvaluationPeriods"] <= 7 * DAY, "CloudWatch looks back no further"


@pytest.mark.parametrize("name", ["HeldAlarm", "OutOfReachAlarm"])
def test_what_each_finding_counts_again_is_told_of_once_a_day_at_most(name: str, stack: Stack) -> None:
    alarm = stack.properties(name)
    for pause in (10 * MINUTE, 5 * HOUR, 23 * HOUR):
        found = [(FIRST + number * pause, 1.0) for number in range(int(10 * DAY / pause))]
        assert len(told(alarm, {alarm["MetricName"]: found}, 0, FIRST + 10 * DAY)) == 1
    found = [(FIRST + number * 25 * HOUR, 1.0) for number in range(5)]
    assert len(told(alarm, {alarm["MetricName"]: found}, 0, FIRST + 6 * DAY)) == 5


def test_a_failed_job_is_told_of_within_minutes(stack: Stack) -> None:
    alarm = stack.properties("FailuresAlarm")
    assert is_alarming(alarm, {"Failures": [(FIRST, 1.0)]}, FIRST + MINUTE, 0)
    assert not is_alarming(alarm, {"Failures": [(FIRST, 0.0)]}, FIRST + MINUTE, 0)


# The dashboard -------------------------------------------------------------------------------------------------------


def test_the_dashboard_shows_the_true_numbers_of_a_pilot(stack: Stack) -> None:
    """Three days of a dry run that finds the same users each day, and three of the real thing."""
    days = {
        "resets": [0, 0, 0, 40, 1, 0],
        "required": [0, 0, 0, 3, 0, 0],
        "held": [0, 0, 0, 0, 0, 0],
        "failures": [0, 0, 0, 2, 0, 0],
        "would": [400, 401, 399, 0, 0, 0],
        "wouldRequire": [7, 7, 7, 0, 0, 0],
    }
    [widget] = [
        widget["properties"]
        for widget in document(stack.properties("Dashboard")["DashboardBody"])["widgets"]
        if widget["properties"]["title"] == "Too old when looked at"
    ]
    known = {metric[-1]["id"]: metric[-1] for metric in widget["metrics"] if "expression" not in metric[-1]}
    assert known.keys() == days.keys()
    assert not any(metric["visible"] for metric in known.values())
    shown = {
        metric[0]["id"]: computed(metric[0]["expression"], {name: Series(days[name]) for name in days}).values[-1]
        for metric in widget["metrics"]
        if "expression" in metric[0]
    }
    assert shown == {"old": 408, "rehearsed": 408, "waiting": 0, "done": 41, "asked": 3}
    # Before anything ran, there is nothing to be seen, and nothing breaks.
    nothing = computed(widget["metrics"][0][0]["expression"], dict.fromkeys(days, MISSING))
    assert nothing.values == [0, 0, 0]
    assert (widget["stat"], widget["period"]) == ("Sum", DAY)
