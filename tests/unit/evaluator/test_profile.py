"""What is remembered of a contact, for how long, and how much of it."""

from __future__ import annotations

import msgspec

from services.evaluator.core.advance import advance
from services.evaluator.core.catalog import build_catalog
from services.evaluator.core.history import HISTORY_AT_MOST
from services.evaluator.core.occurrence import EventArrived
from services.evaluator.core.recent import events_of
from services.evaluator.core.state import ContactState
from shared.messages.event import Event
from shared.messages.outcome import Outcome
from tests.builders import a_journey, an_event, at, identified

CATALOG = build_catalog([a_journey()])
NEW = ContactState(contact="u:c1")


def applied(state: ContactState, *events: Event | Outcome, log_time: int | None = None) -> ContactState:
    for event in events:
        when = log_time if log_time is not None else event.received_at if isinstance(event, Event) else event.at
        state = advance(CATALOG, state, EventArrived(event, when)).state
    return state


def test_only_events_that_a_condition_asks_for_are_kept_and_only_as_long_as_asked_for() -> None:
    """The cart journey asks for orders of the last hour."""
    state = applied(
        NEW,
        an_event("Browsed", at("09:00")),
        an_event("Order Completed", at("09:00")),
        an_event("Order Completed", at("09:30")),
        an_event("Order Completed", at("10:00")),
    )
    assert {"Order Completed": (at("09:30"), at("10:00"))} == state.history


def test_history_is_sorted_however_events_arrive() -> None:
    state = applied(
        NEW, an_event("Order Completed", at("10:00")), an_event("Order Completed", at("09:50")), log_time=at("10:10")
    )
    assert (at("09:50"), at("10:00")) == state.history["Order Completed"]


def test_history_is_bounded() -> None:
    events = [an_event("Order Completed", at("10:00") + number) for number in range(HISTORY_AT_MOST + 5)]
    times = applied(NEW, *events).history["Order Completed"]
    assert (HISTORY_AT_MOST, at("10:00") + 5) == (len(times), times[0])


def test_the_last_twenty_events_are_shown() -> None:
    state = applied(NEW, *(an_event("Browsed", at("10:00") + number) for number in range(25)))
    assert [("Browsed", at("10:00") + number) for number in range(5, 25)] == [*events_of(state.lately)]


def test_a_trait_to_set_once_is_set_where_there_is_none() -> None:
    state = applied(NEW, identified(at("08:00"), plan="pro", age=None))
    once = msgspec.structs.replace(
        identified(at("08:01"), first="/home"), traits_once={"plan": "free", "age": 6, "first": "/", "found": "mail"}
    )
    assert {"plan": "pro", "age": 6, "first": "/home", "found": "mail"} == applied(state, once).traits


def test_traits_are_merged_and_only_by_an_identify_call() -> None:
    state = applied(NEW, identified(at("08:00"), email="a@example.jp", age=5), identified(at("08:01"), age=6))
    assert {"email": "a@example.jp", "age": 6} == state.traits
    track = msgspec.structs.replace(an_event("Browsed", at("08:02")), traits={"age": 7})
    assert 6 == applied(state, track).traits["age"]


def test_the_anonymous_id_of_a_user_is_kept() -> None:
    event = msgspec.structs.replace(an_event("Browsed", at("08:00")), anonymous_id="device")
    assert "device" == applied(NEW, event).anonymous_id
    nameless = msgspec.structs.replace(event, user_id=None)
    assert applied(NEW, nameless).anonymous_id is None
