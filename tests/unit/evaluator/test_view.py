"""What is told of a contact, field by field."""

from __future__ import annotations

from typing import Any

import msgspec

from services.evaluator.core.recent import recent_of
from services.evaluator.core.state import NEVER, Consent, ContactState, Linked, Message, Run, Timer
from services.evaluator.core.view import view_of
from shared.messages.contact import (
    AsOf,
    ConsentStatement,
    ContactJourney,
    ContactMessage,
    ContactView,
    Identifiers,
    RecentEvent,
)

AS_OF = AsOf(partition=3, offset=70, log_time=9_000, caught_up=True)


def viewed(contact: str = "u:c1", **known: Any) -> ContactView:
    return view_of(msgspec.structs.replace(ContactState(contact), **known), AS_OF)


def a_run(name: str, entered_at: int = 100, *timers: Timer) -> Run:
    return Run(name, "cart", 2, "k1", "m1", entered_at, "settle", entered_at, {"settle": 1}, {}, {}, timers)


def test_a_contact_of_whom_nothing_is_known() -> None:
    expected = ContactView(
        id="c1",
        identifiers=Identifiers("c1", ()),
        traits={},
        consent={},
        recent_events=(),
        journeys=(),
        messages=(),
        as_of=AS_OF,
        suppressed=(),
    )
    assert expected == viewed()


def test_everything_that_is_told() -> None:
    found = viewed(
        traits={"email": "aki@shop.example", "points": 5},
        consent={"news/sms": Consent(granted=False, at=7), "news": Consent(granted=True, at=5)},
        lately=recent_of([("Product Added", 10), ("Order Completed", 20)]),
        runs=(a_run("r1", 100, Timer(500, "step", "settle"), Timer(400, "exit", "0")),),
        messages=(Message("m1", "cart", "remind", "failed", 300, "email", "bounced"),),
    )
    assert {"email": "aki@shop.example", "points": 5} == found.traits
    assert {"news": ConsentStatement("granted", 5), "news/sms": ConsentStatement("revoked", 7)} == found.consent
    assert (RecentEvent("Order Completed", 20), RecentEvent("Product Added", 10)) == found.recent_events
    assert (ContactJourney("cart", 2, "r1", "settle", 100, 400),) == found.journeys
    assert (ContactMessage("m1", "cart", "remind", "email", "failed", "bounced", 300),) == found.messages


def test_the_journey_entered_last_comes_first_and_one_without_a_timer_has_none() -> None:
    runs = (a_run("old", 100), a_run("new", 200), a_run("never", 300, Timer(NEVER, "step", "settle")))
    found = viewed(runs=runs).journeys
    assert [("never", None), ("new", None), ("old", None)] == [(it.run_id, it.next_timer_at) for it in found]


def test_a_user_has_the_anonymous_ids_that_it_was_seen_with_the_last_first() -> None:
    links = {"a:v1": Linked(answered=True), "a:v2": Linked()}
    assert Identifiers("c1", ("v2", "v1")) == viewed(links=links).identifiers
    assert Identifiers("c1", ("v1", "v2")) == viewed(links=links, anonymous_id="v1").identifiers
    assert Identifiers("c1", ("v0",)) == viewed(anonymous_id="v0").identifiers


def test_an_anonymous_contact_has_its_own_id_alone() -> None:
    found = viewed("a:v:1", anonymous_id=None)
    assert ("v:1", Identifiers(None, ("v:1",))) == (found.id, found.identifiers)


def test_a_message_without_a_channel_or_a_reason_says_so() -> None:
    [message] = viewed(messages=(Message("m1", "cart", "remind", "pending", 300),)).messages
    assert (None, None) == (message.channel, message.reason)
