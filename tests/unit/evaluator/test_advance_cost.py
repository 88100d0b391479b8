"""What an event costs depends on the journeys that it concerns, not on how many there are."""

from __future__ import annotations

import sys
from types import FrameType

import pytest

from benchmarks.thirty import thirty
from services.evaluator.core.advance import advance
from services.evaluator.core.catalog import Catalog, build_catalog
from services.evaluator.core.occurrence import EventArrived
from services.evaluator.core.state import ContactState
from shared.messages.event import Event
from tests.builders import a_journey, an_event, at

OTHER = """
schema: journey/v1
id: other_{number}
version: 1
trigger: {{type: event, event: Other {number}}}
entry: {{where: {{performed: {{event: Asked {number}, within: 30d}}}}}}
goals: [{{id: done, event: Done {number}, window: 7d}}]
exit: [{{reason: gone, event: Gone {number}}}]
policy: {{topic: news}}
steps: [{{id: settle, wait: {{for: 2h}}}}]
"""
EVENTS = [
    an_event("Product Added", at("10:00"), name="Kettle"),
    an_event("Product Viewed", at("10:05")),
    an_event("Order Completed", at("10:10"), total=3),
]


def calls(catalog: Catalog, events: list[Event]) -> int:
    """Return how many calls, of Python and of C, the events take one after the other."""
    counted = 0

    def count(_frame: FrameType, kind: str, _called: object) -> None:
        nonlocal counted
        counted += kind in ("call", "c_call")

    state = ContactState(contact="u:c1")
    for event in events:
        before = sys.getprofile()
        sys.setprofile(count)
        try:
            state = advance(catalog, state, EventArrived(event, event.timestamp)).state
        finally:
            sys.setprofile(before)
    return counted


def test_a_journey_that_an_event_does_not_concern_costs_nothing() -> None:
    one = build_catalog([a_journey()])
    many = build_catalog([a_journey(), *(a_journey(OTHER.format(number=number)) for number in range(200))])
    calls(one, EVENTS)  # expressions are compiled when they are first asked
    assert calls(one, EVENTS) == calls(many, EVENTS) > 100


@pytest.mark.parametrize("name", ["Product Viewed", "Product Added", "Order Completed"])
def test_the_thirty_journeys_of_the_benchmark_mostly_do_not_concern_an_event(name: str) -> None:
    catalog = build_catalog(thirty())
    entered = [plan.journey.id for plan, _, _ in catalog.triggered_by.get(name, ())]
    watched = [watcher.plan.journey.id for watcher in catalog.watched_by.get(name, ())]
    assert 30 == len(catalog.newest)
    assert 2 <= len({*entered, *watched}) <= 3
