"""Repeats: known by messageId for 48 hours of log time, noted, and told apart from ids that are used twice."""

from __future__ import annotations

import msgspec

from services.evaluator.core.advance import advance
from services.evaluator.core.applied_ids import each_id, with_id
from services.evaluator.core.catalog import build_catalog
from services.evaluator.core.duplicates import applied_at
from services.evaluator.core.effects import Advance
from services.evaluator.core.occurrence import EventArrived
from services.evaluator.core.state import ContactState
from shared.ids import short_hash
from shared.messages.event import Event
from tests.builders import a_journey, an_event, at

CATALOG = build_catalog([a_journey()])
NEW = ContactState(contact="u:c1")
CART = an_event("Product Added", at("10:00"), name="Kettle", price=5)


def applied(state: ContactState, *events: Event) -> ContactState:
    for event in events:
        state = again(state, event, event.received_at).state
    return state


def again(state: ContactState, event: Event, log_time: int) -> Advance:
    return advance(CATALOG, state, EventArrived(event, log_time))


def repeated(state: ContactState, event: Event, log_time: int) -> bool:
    return again(state, event, log_time).duplicate


def test_a_message_id_is_remembered_for_48_hours_of_log_time() -> None:
    """To the millisecond at which something else is applied."""
    first = an_event("Browsed", at("10:00"))
    state = applied(NEW, first)
    assert repeated(applied(state, an_event("Browsed", at("10:00", day=2) - 1)), first, at("10:00", day=2))
    assert not repeated(applied(state, an_event("Browsed", at("10:00", day=2))), first, at("10:00", day=2))


def test_what_was_remembered_last_is_not_forgotten_with_the_rest() -> None:
    state = applied(NEW, *(an_event("Browsed", at("10:00", day=day)) for day in range(4)))
    assert [at("10:00", day=2), at("10:00", day=3)] == [applied_at(kept) for _, kept in each_id(state.ids)]


def test_at_most_a_thousand_message_ids_are_remembered_and_the_oldest_go_first() -> None:
    events = [an_event("Browsed", at("10:00") + number) for number in range(1_001)]
    state = applied(NEW, *events)
    assert 1_000 == len([*each_id(state.ids)])
    assert not repeated(state, events[0], at("11:00"))
    assert repeated(state, events[1], at("11:00"))


def test_an_old_event_that_arrives_now_is_remembered_from_now() -> None:
    late = an_event("Browsed", at("10:00"), received=at("10:00", day=30))
    [(hashed, kept)] = each_id(applied(NEW, late).ids)
    assert (short_hash(late.message_id), at("10:00", day=30)) == (hashed, applied_at(kept))


def test_a_repeat_changes_nothing_and_the_journal_says_what_it_did_not_start() -> None:
    state = applied(NEW, CART)
    twice = again(state, CART, at("10:05"))
    assert [("not_entered", "cart", "duplicate_event")] == [
        (record.decision, record.journey, record.reason) for record in twice.journal
    ]
    assert ((), (), ("duplicate",)) == (twice.commands, twice.events, twice.remarks)
    assert state == twice.state


def test_a_repeat_that_triggers_nothing_leaves_no_trace() -> None:
    browsed = an_event("Browsed", at("10:00"))
    state = applied(NEW, browsed)
    assert (state, ()) == (again(state, browsed, at("10:05")).state, again(state, browsed, at("10:05")).journal)


def test_the_same_id_with_another_body_has_no_effect_and_is_counted() -> None:
    state = applied(NEW, CART)
    other = msgspec.structs.replace(CART, properties={"name": "Kettle", "price": 6})
    found = again(state, other, at("10:05"))
    assert (True, ("duplicate", "conflict")) == (found.duplicate, found.remarks)


def test_a_try_that_differs_in_its_times_context_and_order_of_properties_is_the_same() -> None:
    state = applied(NEW, CART)
    tried = msgspec.structs.replace(
        CART, timestamp=CART.timestamp + 7, context={"ip": "x"}, properties={"price": 5, "name": "Kettle"}
    )
    assert ("duplicate",) == again(state, tried, at("10:05")).remarks


def test_an_id_that_goes_out_of_memory_before_its_time_is_counted() -> None:
    """A thousand are remembered; who sends more within 48 hours may have a repeat taken for new."""
    state = applied(NEW, *(an_event("Browsed", at("10:00") + number) for number in range(1_000)))
    assert () == again(applied(NEW, CART), an_event("Browsed", at("10:01")), at("10:01")).remarks
    assert ("forgotten_id",) == again(state, CART, at("10:02")).remarks


def test_a_row_of_an_older_release_still_knows_its_repeats() -> None:
    """It holds the bare log time, and nothing of the body."""
    state = msgspec.structs.replace(NEW, ids=with_id(b"", short_hash(CART.message_id), at("10:00")))
    other = msgspec.structs.replace(CART, properties={})
    assert ("duplicate",) == again(state, other, at("10:05")).remarks
    assert repeated(applied(state, an_event("Browsed", at("11:00"))), CART, at("12:00"))
