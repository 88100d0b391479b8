"""``Journey Entered``, ``Journey Exited`` and ``type: journey``: written only where somebody listens."""

from __future__ import annotations

import pytest

from services.evaluator.core.own_events import MOST_HOPS
from shared.journeys.model import Journey
from shared.messages.event import Event
from tests.builders import a_journey, an_event, at
from tests.oracle import Verdict
from tests.unit.evaluator.playing import GO, happens, journey, told

TEN = at("10:00")
REST = "- {id: rest, wait: {for: 1h}}"
TRIP = journey("- {id: done, exit: {reason: won}}")


def chained(trigger: str, name: str = "next", steps: str = REST) -> Journey:
    head = f"schema: journey/v1\nid: {name}\nversion: 1\npolicy: {{purpose: transactional}}\n"
    return a_journey(f"{head}trigger: {{type: journey, {trigger}}}\nsteps:\n  {steps}\n")


def entered(verdict: Verdict) -> list[str]:
    return [record.journey for record in verdict.journal if record.decision == "entered"]


def test_nothing_is_written_while_nobody_listens() -> None:
    assert [] == happens(TRIP, GO, until=at("12:00")).events


@pytest.mark.parametrize(
    "listener",
    [
        journey(REST, name="other", trigger="Journey Exited"),
        journey(REST, name="other", more="exit: [{reason: gone, event: Journey Exited}]"),
        journey(REST, name="other", more="goals: [{id: g, event: Journey Exited}]"),
        journey("- {id: w, wait_for: {any: [{id: e, event: Journey Exited}]}}", name="other"),
        journey("- {id: w, wait: {for: 1h, reset_by: [Journey Exited]}}", name="other"),
        journey("- {id: c, collect: {event: Journey Exited, for: 1h, save_as: ends}}", name="other"),
        journey(REST, name="other", more="entry: {where: {performed: {event: Journey Exited, within: 1d}}}"),
        chained("journey: trip", name="other"),
    ],
)
def test_whoever_listens_is_heard(listener: Journey) -> None:
    verdict = happens((TRIP, listener), GO, until=at("10:30"))
    assert "Journey Exited" in [event.name for event in verdict.events]


def test_the_events_say_which_run_and_why() -> None:
    both = journey(REST, name="other", trigger="Journey Entered")
    verdict = happens((TRIP, both, chained("journey: trip")), GO, until=TEN)
    began, ended = (event for event in verdict.events[:2] if isinstance(event, Event))
    run = verdict.journal[0].run
    known = {"journey": "trip", "version": 1, "run_id": run, "key": ""}
    assert ("Journey Entered", known) == (began.name, began.properties)
    assert ("Journey Exited", {**known, "reason": "won"}) == (ended.name, ended.properties)


def test_a_journey_starts_at_the_end_of_another() -> None:
    verdict = happens((TRIP, chained("journey: trip, outcome: won")), GO, until=at("10:30"))
    assert ["trip", "next"] == entered(verdict)
    assert ("entered", None, TEN) == told(verdict)[-1]


def test_another_end_or_another_journey_starts_nothing() -> None:
    assert ["trip"] == entered(happens((TRIP, chained("journey: trip, outcome: lost")), GO, until=at("10:30")))
    assert ["trip"] == entered(happens((TRIP, chained("journey: tour")), GO, until=at("10:30")))
    assert ["trip", "next"] == entered(happens((TRIP, chained("journey: trip")), GO, until=at("10:30")))


def test_an_exit_by_an_event_and_a_completed_run_are_ends_too() -> None:
    left = journey(REST, more="exit: [{reason: bought, event: Order Completed}]")
    order = an_event("Order Completed", at("10:10"))
    assert ["trip", "next"] == entered(
        happens((left, chained("journey: trip, outcome: bought")), GO, order, until=at("10:30"))
    )
    assert ["trip", "next"] == entered(
        happens((left, chained("journey: trip, outcome: completed")), GO, until=at("12:00"))
    )


def test_journeys_that_start_each_other_stop() -> None:
    ring = (
        TRIP,
        a_journey(
            "schema: journey/v1\nid: a\nversion: 1\npolicy: {purpose: transactional}\n"
            "triggers: [{type: journey, journey: trip}, {type: journey, journey: b}]\n"
            "steps: [{id: z, exit: {reason: over}}]\n"
        ),
        chained("journey: a", "b", "- {id: done, exit: {reason: over}}"),
    )
    verdict = happens(ring, GO, until=at("23:00"))
    assert MOST_HOPS == len(verdict.events)
    assert "emit_loop" == verdict.journal[-1].reason
