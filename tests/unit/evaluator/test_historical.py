"""Imported history and late events: what they are known for, and what they start."""

from __future__ import annotations

from typing import Any

import msgspec

from services.evaluator.core.advance import advance
from services.evaluator.core.catalog import build_catalog, catalog_of
from services.evaluator.core.effects import Advance
from services.evaluator.core.occurrence import EventArrived
from services.evaluator.core.state import ContactState
from shared.journeys.audiences import parse_audience
from shared.journeys.model import Audience, Definitions
from shared.journeys.workspace import Surroundings
from shared.messages.event import Event
from tests.builders import a_journey, an_event, at, consented

NEW = ContactState(contact="u:c1")
NOW = at("10:00", day=400)


def a_plain(name: str, trigger: str, more: str = "") -> str:
    return f"""
schema: journey/v1
id: {name}
version: 1
trigger: {trigger}
policy: {{purpose: transactional}}
{more}
steps: [{{id: pause, wait: {{for: 30d}}}}]
"""


ORDERED = a_plain("ordered", "{type: event, event: Order Completed}")


def history(name: str, when: int, **properties: Any) -> Event:
    """Return an event of the past that is imported now."""
    event = an_event(name, when, received=NOW, **properties)
    return msgspec.structs.replace(event, historical=True)


def played(*events: Event, journeys: tuple[str, ...] = (ORDERED,), audiences: tuple[Audience, ...] = ()) -> Advance:
    """Return the last advance."""
    around = Surroundings(audiences=frozenset(audience.id for audience in audiences))
    made = tuple(a_journey(text, around) for text in journeys)
    catalog, state = catalog_of(Definitions(journeys=made, audiences=audiences)), NEW
    for event in events:
        found = advance(catalog, state, EventArrived(event, max(event.received_at, NOW)))
        state = found.state
    return found


def told(result: Advance) -> list[tuple[str, str]]:
    return [(record.decision, record.journey) for record in result.journal]


def test_an_old_event_starts_a_journey_and_imported_history_does_not() -> None:
    old = an_event("Order Completed", at("10:00"), received=NOW)
    assert [("entered", "ordered")] == told(played(old))
    assert [] == told(played(history("Order Completed", at("10:00"))))


def test_history_is_known_from_then_on() -> None:
    again = a_plain(
        "again", "{type: event, event: Visited}", "entry: {where: {performed: {event: Order Completed, within: 500d}}}"
    )
    visited = an_event("Visited", NOW)
    assert [("entered", "again")] == told(played(history("Order Completed", at("10:00")), visited, journeys=(again,)))
    assert [("not_entered", "again")] == told(played(visited, journeys=(again,)))


def test_what_history_makes_true_of_the_contact_starts_nothing() -> None:
    where = "{performed: {event: Order Completed, count: 2, within: 500d}}"
    vip = parse_audience("vip.yaml", f"schema: audience/v1\nid: vip\nwhere: {where}\n")
    welcome = a_plain("welcome", "{type: audience, audience: vip, edge: entered}")
    twice = history("Order Completed", at("10:00")), history("Order Completed", at("10:00", day=1))
    result = played(*twice, journeys=(welcome,), audiences=(vip,))
    assert ([], {"vip": True}) == (told(result), result.state.audiences)
    third = an_event("Order Completed", NOW)
    assert [] == told(played(*twice, third, journeys=(welcome,), audiences=(vip,)))


def test_a_threshold_that_history_has_crossed_is_not_crossed_again() -> None:
    trigger = '{type: threshold, aggregate: count, event: Order Completed, is: ">= 2"}'
    thanks = a_plain("thanks", trigger)
    once = history("Order Completed", at("10:00"))
    twice = history("Order Completed", at("10:00", day=1))
    now = an_event("Order Completed", NOW)
    assert [("entered", "thanks")] == told(played(once, now, journeys=(thanks,)))
    assert [] == told(played(once, twice, journeys=(thanks,)))
    assert [] == told(played(once, twice, now, journeys=(thanks,)))


def test_an_inactivity_that_is_over_is_not_waited_for_and_one_to_come_is() -> None:
    back = a_plain("back", "{type: inactivity, events: [Order Completed], for: 90d}")
    over = played(history("Order Completed", NOW - 100 * 86_400_000), journeys=(back,))
    coming = played(history("Order Completed", NOW - 80 * 86_400_000), journeys=(back,))
    assert ([], [NOW + 10 * 86_400_000]) == (
        [watch.due for watch in over.state.watches.values()],
        [watch.due for watch in coming.state.watches.values()],
    )


def test_history_changes_no_context_and_ends_a_run_that_was_there_then() -> None:
    """The order of an hour ago comes with tonight's import: the cart's reminder is off."""
    began = an_event("Product Added", NOW - 7_200_000, name="Kettle")
    cart = (msgspec.structs.replace(began, received_at=NOW - 7_200_000),)
    events = (consented(at("09:00"), "cart_reminders"), *cart, history("Order Completed", NOW - 3_600_000))
    catalog, state = build_catalog([a_journey()]), NEW
    for event in events:
        found = advance(catalog, state, EventArrived(event, event.received_at))
        state = found.state
    assert [("exited", "cart")] == told(found)


def test_an_event_is_late_when_it_took_more_than_a_day_to_arrive() -> None:
    day = 86_400_000
    where = a_plain("prompt", '{type: event, event: Visited, where: "!(event.late == true)"}')
    late, prompt = (an_event("Visited", NOW - day - more, received=NOW) for more in (1, 0))
    assert ((), ("late",)) == (played(prompt).remarks, played(late).remarks)
    assert ([("entered", "prompt")], []) == (
        told(played(prompt, journeys=(where,))),
        told(played(late, journeys=(where,))),
    )
