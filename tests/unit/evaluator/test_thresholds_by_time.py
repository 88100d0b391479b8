"""Triggers by threshold that are met because time passes: `aggregate: rate`, `is: "< 3"`, in groups."""

from __future__ import annotations

from services.evaluator.core.advance import advance
from services.evaluator.core.catalog import Catalog, build_catalog
from services.evaluator.core.occurrence import Adopted
from services.evaluator.core.state import ContactState
from services.evaluator.core.thresholds import GROUPS_AT_MOST
from shared.messages.event import Event
from tests.builders import a_journey, a_record, an_event, at
from tests.oracle import Verdict, judge

TOLD = """
schema: journey/v1
id: told
version: 1
trigger: {type: threshold, event: Used, TRIGGER}
entry: {reentry: {mode: always}}
context: {tool: event.properties.tool}
policy: {purpose: transactional}
steps: [{id: stay, wait: {for: 900d}}]
"""
FEW = 'aggregate: count, within: 7d, is: "< 2"'
DECLINE = 'aggregate: rate, within: 7d, baseline: 28d, is: "< 0.5"'


def used(day: int, clock: str = "10:00", *, received: int | None = None, **properties: object) -> Event:
    name = f"{day} {clock} {sorted(properties.items())}"
    return an_event("Used", at(clock, day=day), received=received, message_id=name, **properties)


def verdict_of(trigger: str, *events: Event, until: int = at("00:00", day=800)) -> Verdict:
    log = [a_record(number, event) for number, event in enumerate(events)]
    return judge([a_journey(TOLD.replace("TRIGGER", trigger))], log, until=until)


def entered(trigger: str, *events: Event) -> list[int]:
    return [record.at for record in verdict_of(trigger, *events).journal if record.decision == "entered"]


def catalog_of(trigger: str) -> Catalog:
    return build_catalog([a_journey(TOLD.replace("TRIGGER", trigger))])


def test_falling_below_is_noticed_at_the_millisecond_at_which_an_event_is_too_old() -> None:
    assert [at("10:00", day=7)] == entered(FEW, used(0), used(3))


def test_what_was_always_below_never_falls() -> None:
    assert [] == entered(FEW, used(0))


def test_each_fall_counts_once_it_was_above_again() -> None:
    days = [at("10:00", day=7), at("10:00", day=37)]
    assert days == entered(FEW, used(0), used(1), used(30), used(31))


def test_an_event_at_the_very_millisecond_keeps_it_up() -> None:
    assert [at("10:00", day=10)] == entered(FEW, used(0), used(3), used(7))


def test_equality_is_met_on_the_way_up_and_on_the_way_down() -> None:
    exactly = 'aggregate: count, within: 7d, is: "== 1"'
    assert [at("10:00"), at("10:00", day=7)] == entered(exactly, used(0), used(1))


def test_a_sum_comes_to_be_met_when_what_was_taken_off_is_too_old() -> None:
    total = 'aggregate: sum, field: event.properties.total, within: 7d, is: ">= 100"'
    events = used(0, total=-50), used(1, total=120)
    assert [at("10:00", day=7)] == entered(total, *events)


def test_distinct_values_fall_too() -> None:
    tools = 'aggregate: distinct, field: event.properties.tool, within: 7d, is: "<= 1"'
    assert [at("10:00", day=8)] == entered(tools, used(0, tool="x"), used(1, tool="y"), used(2, tool="x"))


def test_each_group_falls_for_itself_and_its_run_sees_its_newest_event() -> None:
    grouped = f"{FEW}, group_by: event.properties.tool"
    events = used(0, tool="x"), used(1, tool="y"), used(2, tool="x"), used(3, tool="y")
    verdict = verdict_of(grouped, *events)
    found = {run.entered_at: run.context for state in verdict.states.values() for run in state.runs}
    assert {at("10:00", day=7): {"tool": "x"}, at("10:00", day=8): {"tool": "y"}} == found


def test_rate_below_half_of_what_is_usual() -> None:
    """One a day until day 27. On day 31 there are 3 left by 24 in 28 days: half; on day 32 it is 2 by 23 / 4."""
    assert [at("10:00", day=32)] == entered(DECLINE, *(used(day) for day in range(28)))


def test_a_rate_is_not_judged_before_the_baseline_is_over() -> None:
    """Seven days in a row, then none: that is 0 of what is usual from day 13 on, and known from day 28 on."""
    assert [at("10:00", day=28)] == entered(DECLINE, *(used(day) for day in range(7)))


def test_of_nothing_in_the_whole_baseline_there_is_no_rate() -> None:
    """After a year's silence one event is four times what is usual; a week later it is none of one, and falls."""
    high = 'aggregate: rate, within: 7d, baseline: 28d, is: ">= 4"'
    events = used(0), used(365)
    assert [at("10:00", day=365)] == entered(high, *events)
    assert [at("10:00", day=372)] == entered(DECLINE, *events)


def test_the_baseline_is_four_times_within_unless_it_is_said() -> None:
    events = [used(day) for day in range(28)]
    assert entered(DECLINE, *events) == entered(DECLINE.replace("baseline: 28d, ", ""), *events)


def test_a_rate_rises_by_an_event() -> None:
    twice = 'aggregate: rate, within: 7d, baseline: 28d, is: ">= 2"'
    weekly = [used(day) for day in range(0, 36, 7)]
    assert [at("12:00", day=35)] == entered(twice, *weekly, used(35, "11:00"), used(35, "12:00"))


def test_an_event_that_comes_late_counts_at_its_own_time_and_what_is_too_old_does_not() -> None:
    thrice = 'aggregate: count, within: 7d, is: ">= 3"'
    now = at("10:00", day=20)
    old = [used(day, received=now) for day in (0, 1, 2)]
    assert [] == entered(thrice, *old)
    late = [used(day, received=now) for day in (14, 16)]
    assert [at("09:00", day=20)] == entered(thrice, *late, used(20, "09:00", received=now))


def test_what_a_late_event_crosses_begins_when_it_is_told() -> None:
    """More than a day late: no run starts in the past."""
    lifelong = 'aggregate: count, is: ">= 2"'
    now = at("10:00", day=20)
    assert [now] == entered(lifelong, used(0), used(1, received=now))


def test_one_trigger_keeps_so_many_groups_and_another_one_is_not_pushed_out() -> None:
    grouped = 'aggregate: count, within: 7d, is: "< 1", group_by: event.properties.tool'
    bought = TOLD.replace("TRIGGER", 'aggregate: count, is: ">= 1000"').replace("told", "lifelong")
    journeys = [a_journey(TOLD.replace("TRIGGER", grouped)), a_journey(bought)]
    uses = [an_event("Used", at("10:00") + number, tool=str(number)) for number in range(GROUPS_AT_MOST + 5)]
    log = [a_record(number, event) for number, event in enumerate(uses)]
    [state] = judge(journeys, log).states.values()
    assert {GROUPS_AT_MOST + 1, GROUPS_AT_MOST} == {len(state.samples), len(state.watches)}
    assert {f"threshold:{key}" for key in state.samples if key.startswith("told")} == set(state.watches)
    assert [GROUPS_AT_MOST + 5] == [kept[0].value for key, kept in state.samples.items() if key.startswith("lifelong")]


def state_of(catalog: Catalog, *events: Event) -> ContactState:
    journeys = [plan.journey for plan in catalog.newest.values()]
    [state] = judge(journeys, [a_record(number, event) for number, event in enumerate(events)]).states.values()
    return state


def test_a_new_target_is_watched_for_from_the_moment_of_the_new_catalogue() -> None:
    state = state_of(catalog_of('aggregate: count, within: 7d, is: "< 1"'), used(0), used(1))
    assert [at("10:00", day=8)] == [watch.due for watch in state.watches.values()]
    after = advance(catalog_of(FEW), state, Adopted(at("12:00", day=1))).state
    assert [at("10:00", day=7)] == [watch.due for watch in after.watches.values()]


def test_what_no_trigger_counts_any_more_is_forgotten() -> None:
    state = state_of(catalog_of(FEW), used(0), used(1))
    other = catalog_of('aggregate: distinct, field: event.properties.tool, within: 7d, is: "< 2"')
    after = advance(other, state, Adopted(at("12:00", day=1))).state
    assert (1, {}, {}) == (len(state.watches), after.samples, after.watches)


def test_an_event_that_no_threshold_concerns_touches_nothing() -> None:
    catalog = catalog_of(FEW)
    state = state_of(catalog, used(0), used(1))
    after = state_of(catalog, used(0), used(1), an_event("Other", at("12:00", day=1)))
    assert (state.samples, state.watches) == (after.samples, after.watches)
