"""``aggregate``: what a contact's events come to, in a window and over the whole life, and what is kept for it."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.evaluator.core.advance import advance
from services.evaluator.core.catalog import Catalog, build_catalog
from services.evaluator.core.conditions import Scope, holds
from services.evaluator.core.measures import SAMPLES_AT_MOST, value_of_samples
from services.evaluator.core.occurrence import EventArrived
from services.evaluator.core.slots import measure_key
from services.evaluator.core.state import ContactState
from shared.clock import DAY, HOUR
from shared.journeys.predicate import Aggregate, Condition, Expression
from shared.messages.event import Event
from tests.builders import an_event, at
from tests.unit.evaluator.playing import journey

TOTAL = Expression("event.properties.total")


def asking(*conditions: str) -> Catalog:
    """Return the catalogue of a journey that asks ``conditions`` and is never entered."""
    asked = "".join(f"\n    - {condition}" for condition in conditions)
    return build_catalog(
        [journey("- {id: end, exit: {reason: done}}", trigger="Never", more=f"entry:\n  where:\n    all:{asked}")]
    )


def parts(catalog: Catalog) -> tuple[Condition, ...]:
    [plan] = catalog.newest.values()
    where: Any = plan.journey.entry.where
    found: tuple[Condition, ...] = where.of
    return found


def state_after(catalog: Catalog, *events: Event) -> ContactState:
    state = ContactState(contact="u:c1")
    for event in events:
        state = advance(catalog, state, EventArrived(event, event.received_at)).state
    return state


def answers(catalog: Catalog, state: ContactState, now: int) -> list[bool]:
    scope = Scope(now=now, catalog=catalog, known=state, runs=(), event={})
    return [holds(part, scope) for part in parts(catalog)]


def bought(when: int, total: object = 1, **more: Any) -> Event:
    return an_event("Bought", when, message_id=f"{total}@{when}{more}", total=total, **more)


ORDERS = (bought(at("10:00"), 30), bought(at("11:00"), 10), bought(at("12:00"), 20))


@pytest.mark.parametrize(
    ("fn", "target", "expected"),
    [
        ("fn: count", "== 3", True),
        ("fn: count", "> 3", False),
        ("fn: sum, field: event.properties.total", "== 60", True),
        ("fn: avg, field: event.properties.total", "== 20", True),
        ("fn: min, field: event.properties.total", "== 10", True),
        ("fn: max, field: event.properties.total", "== 30", True),
        ("fn: last, field: event.properties.total", "== 20", True),
        ("fn: last, field: event.properties.total", "< 20", False),
        ("fn: distinct, field: event.properties.total", ">= 3", True),
    ],
)
@pytest.mark.parametrize("window", ["", ", within: 7d"])
def test_each_function_says_what_the_events_come_to(fn: str, target: str, expected: bool, window: str) -> None:
    catalog = asking(f'{{aggregate: {{event: Bought, {fn}, is: "{target}"{window}}}}}')
    assert [expected] == answers(catalog, state_after(catalog, *ORDERS), at("12:00"))


def test_exactly_as_old_as_the_window_no_longer_counts() -> None:
    catalog = asking('{aggregate: {event: Bought, fn: sum, field: event.properties.total, within: 2h, is: "== 30"}}')
    state = state_after(catalog, *ORDERS)
    assert [True] == answers(catalog, state, at("13:00") - 1)
    assert [False] == answers(catalog, state, at("13:00"))


def test_of_nothing_the_count_is_nothing_and_there_is_no_average() -> None:
    catalog = asking(
        '{aggregate: {event: Bought, fn: count, is: "== 0"}}',
        '{aggregate: {event: Bought, fn: sum, field: event.properties.total, within: 1d, is: "<= 0"}}',
        '{aggregate: {event: Bought, fn: distinct, field: event.properties.total, is: "< 1"}}',
        '{aggregate: {event: Bought, fn: avg, field: event.properties.total, is: "<= 0"}}',
        '{aggregate: {event: Bought, fn: last, field: event.properties.total, within: 1d, is: "<= 0"}}',
    )
    assert [True, True, True, False, False] == answers(catalog, ContactState(contact="u:c1"), at("10:00"))


@pytest.mark.parametrize("total", [None, "much", True, {"value": 1}])
def test_what_is_no_number_is_not_counted_in(total: object) -> None:
    catalog = asking('{aggregate: {event: Bought, fn: min, field: event.properties.total, is: ">= 20"}}')
    assert [True] == answers(
        catalog, state_after(catalog, bought(at("10:00"), 20), bought(at("11:00"), total)), at("12:00")
    )


def test_where_picks_the_events_that_count() -> None:
    catalog = asking(
        "{aggregate: {event: Bought, fn: sum, field: event.properties.total, is: '== 20',"
        " where: event.properties.shop == 'a'}}"
    )
    state = state_after(catalog, bought(at("10:00"), 20, shop="a"), bought(at("11:00"), 5, shop="b"))
    assert [True] == answers(catalog, state, at("12:00"))


def test_the_present_event_counts_and_a_trigger_may_ask() -> None:
    third = journey(
        "- {id: rest, wait: {for: 1d}}",
        trigger="Bought",
        more='entry: {where: {aggregate: {event: Bought, fn: count, is: "== 3"}}}',
    )
    catalog = build_catalog([third])
    state = ContactState(contact="u:c1")
    told: list[str] = []
    for event in ORDERS:
        result = advance(catalog, state, EventArrived(event, event.timestamp))
        state, told = result.state, [*told, *(record.reason or record.decision for record in result.journal)]
    assert ["filter_false", "filter_false", "entered"] == told


def test_an_event_that_comes_late_counts_at_its_own_time() -> None:
    catalog = asking(
        '{aggregate: {event: Bought, fn: last, field: event.properties.total, is: "== 20"}}',
        '{aggregate: {event: Bought, fn: last, field: event.properties.total, within: 1d, is: "== 20"}}',
        '{aggregate: {event: Bought, fn: count, within: 2h, is: "== 2"}}',
    )
    late = an_event("Bought", at("09:00"), received=at("12:30"), total=7)
    assert [True, True, True] == answers(catalog, state_after(catalog, *ORDERS, late), at("12:30"))


def test_nothing_is_kept_that_nobody_asks_for() -> None:
    other = asking('{aggregate: {event: Sold, fn: count, is: "> 0"}}')
    state = state_after(other, *ORDERS)
    assert ({}, {}, {}) == (state.measures, state.totals, state.history)


def test_over_the_whole_life_one_figure_is_kept_and_of_a_window_what_is_in_it() -> None:
    ever, window = (
        asking('{aggregate: {event: Bought, fn: avg, field: event.properties.total, is: "> 0"}}'),
        asking('{aggregate: {event: Bought, fn: avg, field: event.properties.total, within: 1h, is: "> 0"}}'),
    )
    [total] = state_after(ever, *ORDERS).totals.values()
    assert (3, 60, 10, 30, 20, at("12:00")) == (
        *(total.count, total.sum, total.min, total.max, total.last, total.last_at),
    )
    [samples] = state_after(window, *ORDERS).measures.values()
    assert [(at("12:00"), 20)] == [(sample.at, sample.value) for sample in samples]


def test_conditions_that_ask_for_the_same_share_what_is_kept_for_the_longest() -> None:
    catalog = asking(
        '{aggregate: {event: Bought, fn: min, field: event.properties.total, within: 1h, is: "> 0"}}',
        '{aggregate: {event: Bought, fn: avg, field: event.properties.total, within: 7d, is: "> 0"}}',
        '{aggregate: {event: Bought, fn: sum, field: event.properties.total, is: "> 0"}}',
        '{aggregate: {event: Bought, fn: max, field: event.properties.total, is: "> 0"}}',
    )
    assert [7 * DAY, None] == [slot.span for slot in catalog.history["Bought"]]


def test_of_more_than_are_kept_nothing_is_lost_of_a_sum() -> None:
    """The two closest in time are joined: the count stays exact, one moment of it moves."""
    catalog = asking('{aggregate: {event: Bought, fn: count, within: 30d, is: "== 1200"}}')
    events = [bought(at("10:00") + number * 1_000 + number % 2) for number in range(1_200)]
    state = state_after(catalog, *events)
    [samples] = state.measures.values()
    assert SAMPLES_AT_MOST == len(samples)
    assert [True] == answers(catalog, state, at("12:00"))
    assert sorted(samples, key=lambda sample: sample.at) == list(samples)


def test_of_more_than_are_kept_the_oldest_no_longer_counts_elsewhere() -> None:
    catalog = asking('{aggregate: {event: Bought, fn: max, field: event.properties.total, within: 30d, is: "< 5"}}')
    events = [bought(at("10:00"), 5), *(bought(at("10:01") + number, 1) for number in range(SAMPLES_AT_MOST))]
    assert [True] == answers(catalog, state_after(catalog, *events), at("12:00"))


OPERATORS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "==": operator.eq}
NAIVE: dict[str, Callable[[list[int]], float]] = {
    "count": len,
    "sum": sum,
    "distinct": lambda values: len(set(values)),
    "avg": lambda values: sum(values) / len(values),
    "min": min,
    "max": max,
    "last": lambda values: values[-1],
}
HISTORIES = st.lists(
    st.tuples(st.integers(0, 3 * HOUR), st.sampled_from([0, 0, 0, 30 * 60_000]), st.integers(-3, 5)), max_size=25
)


@settings(max_examples=300, deadline=None)
@given(
    HISTORIES,
    st.sampled_from(sorted(NAIVE)),
    st.sampled_from([None, 1, 2, 5]),
    st.sampled_from(sorted(OPERATORS)),
    st.integers(-2, 6),
)
def test_an_aggregate_is_what_a_look_at_the_whole_history_says(
    steps: list[tuple[int, int, int]], fn: str, hours: int | None, sign: str, number: int
) -> None:
    """Twice over, too: a repeat of any event changes nothing."""
    field = "" if fn == "count" else "field: event.properties.total, "
    window = "" if hours is None else f"within: {hours}h, "
    catalog = asking(f'{{aggregate: {{event: Bought, fn: {fn}, {field}{window}is: "{sign} {number}"}}}}')
    now, log = at("10:00"), []
    for place, (gap, late, total) in enumerate(steps):
        now += gap
        log.append(an_event("Bought", now - late, received=now, message_id=f"m{place}", total=total))
    state = state_after(catalog, *log)
    again = state_after(catalog, *log, *log)
    assert (state.measures, state.totals) == (again.measures, again.totals)
    for asked in (now, now + HOUR, now + 5 * HOUR):
        counted = [
            event
            for event in sorted(log, key=lambda event: event.timestamp)
            if hours is None or asked - hours * HOUR < event.timestamp <= asked
        ]
        values = [event.properties["total"] for event in counted]
        of_none = not values and fn not in ("count", "sum", "distinct")
        expected = not of_none and OPERATORS[sign](NAIVE[fn](values), number)
        assert [expected] == answers(catalog, state, asked)


def test_a_filter_and_a_field_make_a_slot_of_their_own() -> None:
    def key(fn: Any, **more: Any) -> str:
        return measure_key(Aggregate(event="Bought", fn=fn, target=None, **more))  # type: ignore[arg-type]  # not asked

    assert key("sum", field=TOTAL) == key("avg", field=TOTAL)
    assert 5 == len(
        {
            key("sum", field=TOTAL),
            key("count"),
            key("sum", field=TOTAL, within=1),
            key("max", field=TOTAL, within=1),
            key("sum", field=TOTAL, where=TOTAL),
        }
    )
    assert value_of_samples("sum", ()) == 0
