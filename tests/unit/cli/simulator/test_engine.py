"""The simulator's rules of time, and that it decides what the pure core decides over the log that it wrote."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cli.simulator.engine as module
from cli.simulator.decisions import effective, line_of
from cli.simulator.engine import AT_MOST, Arrival, EndlessJourneyError, Simulator, simulate
from services.evaluator.core.advance import advance
from services.evaluator.core.effects import Advance
from services.evaluator.core.occurrence import EventArrived
from shared.clock import MINUTE
from shared.journeys.model import Definitions, Send, Template
from shared.messages.event import Event, Tick
from shared.messages.outcome import Outcome
from tests.builders import CART, a_journey, an_event, at
from tests.oracle import judge
from tests.unit.cli.simulator.worlds import PATIENT, arrived, did, known, told, written

JOURNEYS = [a_journey(), a_journey(PATIENT)]


def test_a_timer_fires_at_its_due_time_with_nothing_else_happening() -> None:
    simulated = simulate([a_journey(PATIENT)], [*known(), did("Began", "09:00")])
    assert [
        ("entered", None, at("09:00")),
        ("send", "tell", at("09:45")),
        ("exited", "completed", at("09:45", day=1)),
    ] == told(simulated)


@pytest.mark.parametrize(
    ("clock", "sends"), [("09:44:59", []), ("09:45", []), ("09:45:01", ["tell"])], ids=["before", "at", "after"]
)
def test_at_equal_time_the_record_goes_first(clock: str, sends: list[str]) -> None:
    simulated = simulate([a_journey(PATIENT)], [*known(), did("Began", "09:00"), did("Ended", clock)])
    assert sends == [step for decision, step, _ in told(simulated) if decision == "send"]
    assert ("exited", "over", at(clock)) == told(simulated)[-1]


def test_what_a_record_arms_overdue_fires_right_after_it_and_before_the_next() -> None:
    late = did("Began", "08:05", late="10:00")
    simulated = simulate([a_journey(PATIENT)], [*known(), late, did("Ended", "10:00")], until=at("10:00"))
    assert [
        ("entered", None, at("08:05")),
        ("send", "tell", at("08:50")),
        ("exited", "over", at("10:00")),
    ] == told(simulated)


def test_timers_of_all_contacts_fire_in_the_order_of_their_due_times() -> None:
    arrivals = [*known("b"), *known("a"), did("Began", "09:00", contact="b"), did("Began", "09:01", contact="a")]
    simulated = simulate([a_journey(PATIENT)], [*arrivals, did("Began", "09:01", contact="b0")], until=at("12:00"))
    sends = [found.record for found in simulated.decided if found.record.decision in ("send", "skip")]
    assert [("u:b", at("09:45")), ("u:a", at("09:46")), ("u:b0", at("09:46"))] == [(r.contact, r.at) for r in sends]


def test_until_is_the_last_instant_and_what_arrives_later_does_not_come() -> None:
    arrivals = [*known(), did("Began", "09:00"), did("Ended", "09:46")]
    assert ("send", "tell", at("09:45")) == told(simulate([a_journey(PATIENT)], arrivals, until=at("09:45")))[-1]
    assert ("entered", None, at("09:00")) == told(simulate([a_journey(PATIENT)], arrivals, until=at("09:44:59")))[-1]


def test_without_until_the_clock_stops_after_400_days() -> None:
    def of(wait: str) -> list[str]:
        text = PATIENT.replace("45m", wait)
        return [said[0] for said in told(simulate([a_journey(text)], [*known(), did("Began", "09:00")]))]

    assert 400 == AT_MOST // (24 * 60 * MINUTE)
    assert ["entered", "send"] == of("400d")
    assert ["entered"] == of("401d")


def test_a_message_is_settled_in_the_log_at_the_time_of_its_decision() -> None:
    simulated = simulate([a_journey(PATIENT)], [*known(), did("Began", "09:00")], until=at("10:00"))
    [outcome] = [entry.message for entry in simulated.log if isinstance(entry.message, Outcome)]
    assert ("sent", "email", at("09:45")) == (outcome.status, outcome.channel, outcome.at)
    assert () == simulated.states["u:c1"].pending
    assert isinstance(simulated.log[-2].message, Tick)
    assert at("09:45") + 1 == simulated.log[-1].at


def test_texts_that_cannot_be_filled_in_are_no_send() -> None:
    text = PATIENT.replace("contact.email", "contact.first_name")
    simulated = simulate([a_journey(text)], [*known(), did("Began", "09:00")], until=at("10:00"))
    assert [("entered", None, at("09:00")), ("skip", "template_error", at("09:45"))] == told(simulated)
    [message] = simulated.messages.values()
    assert message.parts is None


def test_a_message_whose_run_ends_before_it_can_leave_is_no_send() -> None:
    """Both timers were overdue when the event arrived: the command is called back before anybody could deliver it."""
    text = PATIENT.replace("event: Ended}", "after: 1h}").replace("event: Began", "event: Began, max_age: 1d")
    simulated = simulate([a_journey(text)], [*known(), did("Began", "08:00", late="12:00")])
    assert ("skip", "exited", at("08:45")) in told(simulated)
    assert "send" not in [decision for decision, _, _ in told(simulated)]


def test_a_repeated_event_changes_nothing_and_is_noted() -> None:
    once = [*known(), did("Began", "09:00")]
    twice = [*once, Arrival(at("09:10"), once[-1].event)]
    decided = told(simulate([a_journey(PATIENT)], twice))
    assert ("not_entered", "duplicate_event", at("09:00")) == decided.pop(1)
    assert told(simulate([a_journey(PATIENT)], once)) == decided


class Emitting(Advance, frozen=True):
    """What the core returns once journeys can let events happen."""

    events: tuple[Event, ...] = ()


def emitting(name: str, made: str) -> Callable[..., Advance]:
    """Return a core that lets ``made`` happen at each ``name``."""

    def wrapped(catalog: Any, state: Any, occurrence: Any) -> Advance:
        result = advance(catalog, state, occurrence)
        if not isinstance(occurrence, EventArrived) or getattr(occurrence.record, "name", None) != name:
            return result
        event = msgspec.structs.replace(an_event(made, occurrence.at, message_id=f"{made}-{state.seq}-{id(result)}"))
        return Emitting(result.state, result.commands, result.cancels, result.journal, events=(event,))

    return wrapped


def test_own_events_are_appended_at_once_and_start_journeys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "advance", emitting("Hello", "Began"))
    simulated = simulate([a_journey(PATIENT)], [*known(), did("Hello", "09:00")], until=at("09:00"))
    assert [("entered", None, at("09:00"))] == told(simulated)
    assert ("u:c1", "Began") == (simulated.log[-1].key, getattr(simulated.log[-1].message, "name", None))


def test_events_that_cause_each_other_for_ever_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "advance", emitting("Began", "Began"))
    with pytest.raises(EndlessJourneyError, match="without end"):
        simulate([a_journey(PATIENT)], [did("Began", "09:00")])


def test_what_raises_is_noted_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(catalog: Any, state: Any, occurrence: Any) -> Advance:
        if state.contact == "u:bad" or not isinstance(occurrence, EventArrived):
            raise ZeroDivisionError
        return advance(catalog, state, occurrence)

    monkeypatch.setattr(module, "advance", raising)
    simulated = simulate([a_journey(PATIENT)], [did("Began", "09:00", contact="bad"), did("Began", "09:01")])
    assert [("entered", None, at("09:01")), ("exited", "error", at("09:46"))] == told(simulated)
    assert [("u:bad", "event bad-Began-09:00"), ("u:c1", "journey patient")] == [
        (failure.contact, failure.what) for failure in simulated.failures
    ]


NAMES = ("Product Added", "Product Viewed", "Order Completed", "Began", "Ended")
moments = st.tuples(
    st.sampled_from(("a", "b", "c")),
    st.sampled_from(NAMES),
    # Steps of whole waits, so that records and timers often meet at one instant; and a millisecond beside it.
    st.sampled_from((0, 1, 5 * MINUTE, 45 * MINUTE, 45 * MINUTE + 1, 24 * 60 * MINUTE)),
    st.sampled_from((0, 0, 0, 10 * MINUTE, 45 * MINUTE, 25 * 60 * MINUTE)),
    st.integers(0, 12),
)


def arrivals_of(drawn: list[tuple[str, str, int, int, int]]) -> list[Arrival]:
    arrivals = [*known("a", timezone="Asia/Tokyo"), *known("b")]
    now = at("09:00")
    for contact, name, gap, age, number in drawn:
        now += gap
        event = an_event(name, now - age, received=now, message_id=f"m{number}", name="Kettle", total=1)
        arrivals.append(arrived(event, contact=contact))
    return arrivals


def lines(simulator: Simulator) -> list[str]:
    return [line_of(found, explain=True) for found in effective(simulator.decided)]


@settings(deadline=None)
@given(st.lists(moments, max_size=25))
def test_it_decides_what_the_core_decides_over_its_log_and_the_same_each_time(
    drawn: list[tuple[str, str, int, int, int]],
) -> None:
    journeys = [a_journey(CART.replace("max_age: 30m", "max_age: 12h")), a_journey(PATIENT)]
    simulated = simulate(journeys, arrivals_of(drawn), until=at("09:00", day=20))
    verdict = judge(journeys, written(simulated))
    order = attrgetter("contact", "seq")
    assert sorted(verdict.journal, key=order) == sorted((found.record for found in simulated.decided), key=order)
    assert verdict.states == simulated.states
    assert {command.command_id for command in verdict.commands} == simulated.messages.keys()
    times = [entry.at for entry in simulated.log]
    assert sorted(times) == times
    assert lines(simulated) == lines(simulate(journeys, arrivals_of(drawn), until=at("09:00", day=20)))


@pytest.mark.parametrize(("workspace", "expected"), [("ja-JP", "こんにちは"), (None, "Hello")])
def test_a_contact_without_a_locale_is_written_to_in_the_workspaces(workspace: str | None, expected: str) -> None:
    texts = {
        "en": {"email": {"subject": "a", "text": "Hello"}},
        "ja": {"email": {"subject": "a", "text": "こんにちは"}},
    }
    send = Send(id="tell", channels=("email",), template=Template(id="t", locales=texts))
    journey = msgspec.structs.replace(a_journey(PATIENT), steps=(send,))
    simulated = simulate(Definitions(journeys=(journey,), locale=workspace), [*known(), did("Began", "09:00")])
    [message] = simulated.messages.values()
    assert {"subject": "a", "text": expected} == message.parts


def test_an_emitted_event_is_applied_as_a_log_gives_it_back() -> None:
    """A log keeps JSON: a time is a text in it, on every host."""
    telling = PATIENT.replace(
        "id: wait, wait: {for: 45m}", "id: cry, emit: {event: Cried, properties: {at: {expr: now}}}"
    )
    hearing = PATIENT.replace("id: patient", "id: hearing").replace("event: Began", "event: Cried, where: REF")
    hearing = hearing.replace("REF", "\"event.properties.at == '2026-03-02T09:00:00Z'\"")
    simulated = simulate([a_journey(telling), a_journey(hearing)], [*known(), did("Began", "09:00")], until=at("09:00"))
    [cried] = [it.message for it in simulated.log if getattr(it.message, "name", "") == "Cried"]
    assert isinstance(cried, Event)
    assert {"at": "2026-03-02T09:00:00Z"} == cried.properties
    assert ["patient", "hearing"] == [it.record.journey for it in simulated.decided if it.record.decision == "entered"]
