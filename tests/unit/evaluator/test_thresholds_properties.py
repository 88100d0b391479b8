"""Whatever happens, and however late it is told: a threshold is crossed exactly when a look at everything says so.

The look knows no watches and keeps nothing: it counts the whole history anew at every millisecond that could matter.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.journeys.model import Journey, ThresholdTrigger
from shared.journeys.predicate import Expression, Target
from shared.log import LogRecord
from tests.builders import a_journey, a_record, an_event
from tests.oracle import judge

START = 1_772_409_600_000
DAY = 86_400_000
SPAN, BASELINE = 4, 9
OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
}
JOURNEY = a_journey("""
schema: journey/v1
id: told
version: 1
trigger: {type: threshold, aggregate: count, event: Used, is: "> 1"}
entry: {reentry: {mode: always}}
policy: {purpose: transactional}
steps: [{id: note, update: {add_tags: [told]}}]
""")


class Use(NamedTuple):
    """One event: ``at`` and ``told`` (ms from the start) are when it happened and when the log took it."""

    at: int
    told: int
    value: int
    group: str


def journey_of(trigger: ThresholdTrigger) -> Journey:
    return msgspec.structs.replace(JOURNEY, triggers=(trigger,))


@st.composite
def triggers(draw: st.DrawFn) -> ThresholdTrigger:
    aggregate: Any = draw(st.sampled_from(["count", "sum", "distinct", "rate", "rate"]))
    sign: Any = draw(st.sampled_from(sorted(OPERATORS)))
    number = draw(st.sampled_from([0.5, 1, 1.5, 2.25] if aggregate == "rate" else [0, 1, 2, 3]))
    return ThresholdTrigger(
        aggregate=aggregate,
        event="Used",
        target=Target(sign, number),
        field=Expression("event.properties.value") if aggregate in ("sum", "distinct") else None,
        within=SPAN if aggregate == "rate" or draw(st.booleans()) else None,
        baseline=BASELINE if aggregate == "rate" else None,
        group_by=Expression("event.properties.group") if draw(st.booleans()) else None,
    )


@st.composite
def histories(draw: st.DrawFn) -> list[Use]:
    """Return uses in the order in which they are told; gaps of no or few milliseconds make ties common."""
    told, found = 0, []
    for _ in range(draw(st.integers(1, 14))):
        told += draw(st.sampled_from([0, 1, 1, 2, 3, 4, 6]))
        late = draw(st.sampled_from([0, 0, 0, 1, 3, 6]))
        found.append(Use(told - late, told, draw(st.integers(-2, 3)), draw(st.sampled_from("ab"))))
    return found


def value_at(trigger: ThresholdTrigger, uses: list[Use], now: int) -> float | None:
    def last(span: int | None) -> list[int]:
        return [use.value for use in uses if use.at <= now and (span is None or use.at > now - span)]

    match trigger.aggregate:
        case "count":
            return len(last(trigger.within))
        case "sum":
            return sum(last(trigger.within))
        case "distinct":
            return len(set(last(trigger.within)))
        case "rate":
            usual = len(last(BASELINE)) * SPAN / BASELINE
            known_for = now - min((use.at for use in uses), default=now)
            return len(last(SPAN)) / usual if usual and known_for >= BASELINE else None


def expected(trigger: ThresholdTrigger, uses: list[Use]) -> list[int]:
    """Return the entries of a look at everything, at each event and behind each millisecond."""
    found: list[int] = []

    def meets(known: list[Use], now: int) -> bool:
        value = value_at(trigger, known, now)
        if trigger.aggregate == "rate" and value is not None:
            value = round(value, 9)
        return value is not None and OPERATORS[trigger.target.operator](value, trigger.target.number)

    known: list[Use] = []
    was = meets([], 0)
    for now in range(uses[-1].told + 3 * BASELINE):
        for use in (use for use in uses if use.told == now):
            known.append(use)
            is_now = meets(known, now)
            if is_now and not was:
                found.append(use.at)
            was = is_now
        is_now = meets(known, now)
        if is_now and not was:
            found.append(now)
        was = is_now
    return found


def log_of(uses: list[Use]) -> list[LogRecord]:
    events = [
        an_event(
            "Used",
            START + use.at,
            received=START + use.told,
            message_id=str(number),
            value=use.value,
            group=use.group,
        )
        for number, use in enumerate(uses)
    ]
    return [a_record(number, event) for number, event in enumerate(events)]


def crossings(trigger: ThresholdTrigger, uses: list[Use]) -> list[int]:
    """Return when the engine let the contact in, each once a watch or an event says so."""
    verdict = judge([journey_of(trigger)], log_of(uses), until=START + uses[-1].told + 3 * BASELINE)
    return [record.at - START for record in verdict.journal if record.decision == "entered"]


@settings(max_examples=600, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(triggers(), histories())
def test_crossings_are_those_of_a_look_at_everything_at_every_millisecond(
    trigger: ThresholdTrigger, uses: list[Use]
) -> None:
    groups = ["a", "b"] if trigger.group_by is not None else ["ab"]
    looked = [
        at for group in groups if (of := [use for use in uses if use.group in group]) for at in expected(trigger, of)
    ]
    assert sorted(looked) == sorted(crossings(trigger, uses))
