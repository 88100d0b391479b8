"""Consent to tracking: without it nothing of an event enters, and the journal says what it did not start."""

from __future__ import annotations

import msgspec
import pytest

from services.evaluator.core.advance import advance
from services.evaluator.core.catalog import Catalog, build_catalog
from services.evaluator.core.effects import Advance
from services.evaluator.core.occurrence import EventArrived
from services.evaluator.core.recent import events_of
from services.evaluator.core.state import ContactState
from shared.journeys.model import Tracking
from shared.messages.event import HOPS, HOPS_SINCE, Event
from tests.builders import CART, a_journey, an_event, at, consented, identified

NEW = ContactState(contact="u:c1")
ADDED = an_event("Product Added", at("11:00"), name="Kettle")
BOUGHT = """
schema: journey/v1
id: bought
version: 1
trigger: {type: event, event: Order Completed}
policy: {purpose: transactional}
steps: [{id: pause, wait: {for: 1h}}, {id: end, exit: {reason: done}}]
"""


def catalog(**tracking: object) -> Catalog:
    return build_catalog([a_journey(), a_journey(BOUGHT)], tracking=msgspec.convert(tracking, Tracking))


def played(*events: Event, **tracking: object) -> Advance:
    """Return what follows from the last of ``events``."""
    state, known = NEW, catalog(**tracking)
    for event in events:
        found = advance(known, state, EventArrived(event, event.received_at))
        state = found.state
    return found


def told(result: Advance) -> list[tuple[str, str, str | None]]:
    return [(record.decision, record.journey, record.reason) for record in result.journal]


def saying(event: Event, *, allowed: bool, category: str = "tracking") -> Event:
    consent = {"categoryPreferences": {category: allowed}}
    return msgspec.structs.replace(event, message_id=f"{event.message_id}-{allowed}", context={"consent": consent})


def test_an_event_of_a_contact_who_has_revoked_tracking_is_not_applied() -> None:
    result = played(consented(at("10:00"), "tracking", "revoked"), ADDED)
    assert [("not_entered", "cart", "tracking_not_permitted")] == told(result)
    assert ("untracked",) == result.remarks
    assert ((), ((),)) == (result.state.runs, (result.state.history.get("Product Added", ()),))
    assert [("Consent Revoked", at("10:00"))] == [*events_of(result.state.lately)]


def test_nothing_is_learned_of_the_contact_and_no_visitor_is_linked() -> None:
    refused = msgspec.structs.replace(identified(at("11:00"), email="a@shop.example"), anonymous_id="device")
    result = played(consented(at("10:00"), "tracking", "revoked"), refused)
    assert ({}, None, {}, ()) == (
        result.state.traits,
        result.state.anonymous_id,
        result.state.links,
        result.posted,
    )


def test_the_same_event_again_is_a_duplicate() -> None:
    result = played(consented(at("10:00"), "tracking", "revoked"), ADDED, ADDED)
    assert (True, [("not_entered", "cart", "duplicate_event")]) == (result.duplicate, told(result))


def test_tracking_granted_anew_lets_later_events_in() -> None:
    result = played(consented(at("10:00"), "tracking", "revoked"), consented(at("10:30"), "tracking", "granted"), ADDED)
    assert [("entered", "cart", None)] == told(result)


@pytest.mark.parametrize(("required", "expected"), [(False, "entered"), (True, "not_entered")])
def test_what_was_never_said_is_yes_unless_consent_is_required(required: bool, expected: str) -> None:
    assert [expected] == [decision for decision, _, _ in told(played(ADDED, required=required))]


def test_an_event_that_allows_itself_needs_no_other_consent() -> None:
    assert [("entered", "cart", None)] == told(played(saying(ADDED, allowed=True), required=True))
    named = saying(ADDED, allowed=True, category="Analytics")
    assert [("entered", "cart", None)] == told(played(named, required=True, category="Analytics"))
    assert [("not_entered", "cart", "tracking_not_permitted")] == told(played(named, required=True))


@pytest.mark.parametrize(
    ("said_at", "status", "allowed", "decision"),
    [
        ("10:00", "revoked", True, "entered"),
        ("11:10", "revoked", True, "not_entered"),
        ("10:00", "granted", False, "not_entered"),
        ("11:10", "granted", False, "entered"),
    ],
)
def test_of_the_events_word_and_the_contacts_the_newer_counts(
    said_at: str, status: str, allowed: bool, decision: str
) -> None:
    """The event happened at 11:00 and arrives at 11:20."""
    event = saying(an_event("Product Added", at("11:00"), received=at("11:20"), name="Kettle"), allowed=allowed)
    assert [decision] == [found for found, _, _ in told(played(consented(at(said_at), "tracking", status), event))]


@pytest.mark.parametrize("name", ["Message Delivered", "Message Bounced", "Message Complained", "Unsubscribed"])
def test_what_is_said_of_messages_is_no_tracking(name: str) -> None:
    assert () == played(an_event(name, at("11:00")), required=True).remarks


def test_opens_and_clicks_are_tracking() -> None:
    assert ("untracked",) == played(an_event("Message Opened", at("11:00")), required=True).remarks


def test_our_own_events_and_those_that_are_needed_come_through() -> None:
    ours = msgspec.structs.replace(ADDED, context={HOPS: 1, HOPS_SINCE: at("10:00")})
    assert [("entered", "cart", None)] == told(played(ours, required=True))
    order = an_event("Order Completed", at("11:00"))
    assert [("entered", "bought", None)] == told(played(order, required=True, exempt=["Order Completed"]))


def test_revoking_tracking_ends_marketing_runs_and_no_others() -> None:
    """The reminder waits for a purchase that it would not see any more; the order goes on."""
    order = an_event("Order Completed", at("09:30"))
    cart = an_event("Product Added", at("10:45"), name="Kettle")
    result = played(order, cart, consented(at("11:00"), "tracking", "revoked"))
    assert [("exited", "cart", "consent_revoked")] == told(result)
    assert ["bought"] == [run.journey for run in result.state.runs]


def test_an_older_revocation_that_comes_late_ends_nothing() -> None:
    cart = an_event("Product Added", at("10:45"), name="Kettle")
    late = msgspec.structs.replace(consented(at("10:00"), "tracking", "revoked"), received_at=at("11:00"))
    result = played(consented(at("10:30"), "tracking", "granted"), cart, late)
    assert [] == told(result)
    assert ["cart"] == [run.journey for run in result.state.runs]


def test_consent_to_be_sent_to_is_another_matter() -> None:
    assert "topic: cart_reminders" in CART
    result = played(consented(at("10:00"), "cart_reminders", "revoked"), ADDED)
    assert [("entered", "cart", None)] == told(result)
