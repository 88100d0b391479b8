"""Events that nothing follows from take a short way; it must lead to where the long one does."""

from __future__ import annotations

from unittest.mock import patch

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from services.evaluator.core import advance as module
from services.evaluator.core.advance import advance
from services.evaluator.core.catalog import Catalog, build_catalog
from services.evaluator.core.effects import Advance
from services.evaluator.core.occurrence import EventArrived, Occurrence
from services.evaluator.core.quiet import is_quiet
from services.evaluator.core.state import ContactState
from shared.journeys.model import Tracking
from shared.messages.event import Event
from tests import oracle
from tests.builders import a_journey, a_record, an_event, at, consented, identified
from tests.unit.evaluator.histories import JOURNEYS, STEPS, Step
from tests.unit.evaluator.replays import played

CATALOG = build_catalog([a_journey()])
KNOWN = (identified(at("08:00"), email="a@example.jp"), consented(at("08:00"), "cart_reminders"))
BROWSED = an_event("Browsed", at("12:00"))


def state_after(*events: Event) -> ContactState:
    return oracle.judge([a_journey()], [a_record(place, it) for place, it in enumerate(events)]).states["u:c1"]


def quiet(state: ContactState, event: Event, catalog: Catalog = CATALOG) -> bool:
    return is_quiet(catalog, state, event, event.received_at)


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(STEPS)
def test_the_short_way_leads_to_where_the_long_way_does(steps: list[Step]) -> None:
    def both_ways(catalog: Catalog, state: ContactState, occurrence: Occurrence) -> Advance:
        found = advance(catalog, state, occurrence)
        with patch.object(module, "is_quiet", lambda *_: False):
            assert advance(catalog, state, occurrence) == found
        return found

    log = played(steps).log
    browsed = [
        msgspec.structs.replace(BROWSED, message_id=f"b{n}", received_at=it.timestamp, timestamp=it.timestamp)
        for n, it in enumerate(log)
    ]
    with patch.object(oracle, "advance", both_ways):
        records = [
            each
            for place, record in enumerate(log)
            for each in (record, a_record(place, browsed[place], key="u:1", timestamp=record.timestamp))
        ]
        oracle.judge(JOURNEYS, records)


def test_an_event_that_nobody_asks_for_is_quiet_and_remembered() -> None:
    state = state_after(*KNOWN)
    assert quiet(state, BROWSED)
    once = advance(CATALOG, state, EventArrived(BROWSED, at("12:00")))
    assert advance(CATALOG, once.state, EventArrived(BROWSED, at("12:01"))).duplicate


def test_a_run_that_the_event_does_not_concern_leaves_it_quiet() -> None:
    state = state_after(*KNOWN, an_event("Product Added", at("11:50"), name="Kettle"))
    assert 1 == len(state.runs)
    assert quiet(state, BROWSED)


@pytest.mark.parametrize(
    "event",
    [
        an_event("Product Added", at("12:00")),
        an_event("Order Completed", at("12:00")),
        an_event("Unsubscribed", at("12:00")),
        an_event("Message Opened", at("12:00")),
        an_event("Browsed", at("12:00"), received=at("12:01", day=1)),
        identified(at("12:00")),
        consented(at("12:00"), "news"),
        msgspec.structs.replace(BROWSED, anonymous_id="v1"),
        msgspec.structs.replace(BROWSED, type="alias", previous_id="v1"),
        msgspec.structs.replace(BROWSED, context={"consent": {"categoryPreferences": {"tracking": False}}}),
    ],
    ids=str,
)
def test_what_somebody_asks_for_or_what_says_something_is_not(event: Event) -> None:
    assert not quiet(state_after(*KNOWN), event)


def test_what_ends_or_resets_a_run_is_not() -> None:
    state = state_after(*KNOWN, an_event("Product Added", at("11:50"), name="Kettle"))
    assert not quiet(state, an_event("Product Viewed", at("12:00")))


def test_the_first_event_is_not() -> None:
    assert not quiet(ContactState("u:c1"), BROWSED)


def test_one_of_who_may_not_be_tracked_is_not() -> None:
    asking = build_catalog([a_journey()], tracking=Tracking(required=True))
    granted = state_after(*KNOWN, consented(at("09:00"), "tracking"))
    assert quiet(granted, BROWSED)
    assert quiet(granted, BROWSED, asking)
    assert not quiet(state_after(*KNOWN), BROWSED, asking)
    assert not quiet(state_after(*KNOWN, consented(at("09:00"), "tracking", "revoked")), BROWSED)


def test_one_behind_which_a_message_is_forgotten_is_not() -> None:
    """How long a message may be credited ends with an event, whichever it is."""
    state = state_after(*KNOWN, an_event("Product Added", at("09:00"), name="Kettle"), an_event("Browsed", at("10:00")))
    [touch] = state.touches
    assert quiet(state, an_event("Browsed", touch.until - 1))
    assert not quiet(state, an_event("Browsed", touch.until))
