"""Which message an event is about that tells of one: completed from the row, or another row's after a handover."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from services.evaluator.core.advance import advance
from services.evaluator.core.catalog import build_catalog
from services.evaluator.core.occurrence import EventArrived
from services.evaluator.core.state import ContactState, Forward, Message
from tests.builders import an_event, at, consented
from tests.unit.evaluator.playing import GO, happens, journey, told

MAILS = journey("- {id: mail, MAIL}\n- {id: rest, wait: {for: 2h}}")
[SENT] = happens(MAILS, GO, until=at("10:01")).commands
CATALOG = build_catalog([MAILS])


def ends_by(where: str, **properties: Any) -> str | None:
    """Return how the run ends that an opened message ends of which ``where`` is true."""
    rule = f"exit: [{{reason: it_was, event: Message Opened, where: '{where}'}}]"
    steps = "- {id: mail, MAIL}\n- {id: rest, wait: {for: 2h}}"
    opened = an_event("Message Opened", at("10:30"), **properties)
    return happens(journey(steps, more=rule), GO, opened, until=at("13:00"), deliver=True).journal[-1].reason


@pytest.mark.parametrize(
    "where",
    [
        'event.properties.journey == "trip"',
        'event.properties.step == "mail"',
        'event.properties.channel == "email"',
        f'event.properties.command_id == "{SENT.command_id}"',
        f'event.properties.run_id == "{SENT.run_id}"',
    ],
)
def test_the_beginning_of_the_command_names_the_message(where: str) -> None:
    if "channel" not in where:  # the send of late has the run, and no channel
        assert "it_was" == ends_by(where, command_id=SENT.command_id[:18])
    assert "it_was" == ends_by(where, command_id=SENT.command_id, channel="email")
    assert "completed" == ends_by(where, command_id=SENT.command_id[:17])


def test_no_word_of_the_event_is_replaced() -> None:
    assert "it_was" == ends_by('event.properties.step == "other"', command_id=SENT.command_id[:18], step="other")


def test_what_a_machine_scanned_is_delivered_and_not_opened() -> None:
    steps = """
    - {id: mail, MAIL}
    - {id: rest, wait: {for: 1h}}
    - id: way
      branch:
        - if: {message: {step: mail, was: WAS}}
          then: [{id: yes_it_was, exit: {reason: it_was}}]
    """
    scanned = an_event("Message Scanned", at("10:30"), command_id=SENT.command_id, what="opened")
    for was, expected in (("delivered", "it_was"), ("opened", "completed"), ("clicked", "completed")):
        verdict = happens(journey(steps.replace("WAS", was)), GO, scanned, until=at("12:00"))
        assert expected == told(verdict)[-1][1]


def test_what_is_told_of_a_message_before_the_login_follows_it_to_the_user() -> None:
    """The bounce names the visitor's key and no run: all that comes back with the message."""
    told_of = an_event("Message Bounced", at("10:30"), command_id=SENT.command_id[:18], bounce="hard")
    gone = ContactState("a:v", forward=Forward("u:c1"))
    assert (("u:c1", told_of),) == advance(CATALOG, gone, EventArrived(told_of, at("10:30"))).posted


def test_what_is_told_of_a_message_after_it_stays() -> None:
    """Somebody else may be at the device by then."""
    sent = Message(SENT.command_id, "trip", "mail", "sent", at("10:00"), "email")
    told_of = an_event("Message Bounced", at("10:30"), command_id=SENT.command_id[:18], bounce="hard")
    known = ContactState("a:v", forward=Forward("u:c1"), messages=(sent,), traits={"email": "b@example.jp"})
    found = advance(CATALOG, known, EventArrived(told_of, at("10:30")))
    assert () == found.posted
    assert ["bounced"] == [one.reason for one in found.state.suppressed]


def test_what_names_no_message_stays() -> None:
    gone = ContactState("a:v", forward=Forward("u:c1"))
    for event in (an_event("Message Bounced", at("10:30")), an_event("Browsed", at("10:30"), command_id="x" * 20)):
        assert () == advance(CATALOG, gone, EventArrived(event, at("10:30"))).posted


def test_what_is_chosen_by_a_link_follows_the_visitor_to_the_user_too() -> None:
    """A mail of before the login is unsubscribed by weeks later."""
    revoked = consented(at("10:30"), "news", "revoked")
    by_link = msgspec.structs.replace(revoked, properties={**revoked.properties, "command_id": SENT.command_id})
    gone = ContactState("a:v", forward=Forward("u:c1"))
    assert (("u:c1", by_link),) == advance(CATALOG, gone, EventArrived(by_link, at("10:30"))).posted
    assert () == advance(CATALOG, gone, EventArrived(revoked, at("10:30"))).posted
