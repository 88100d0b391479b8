"""Short literals for tests: times of one day, events, journeys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shared.clock import from_iso
from shared.journeys.faults import Fault
from shared.journeys.model import Journey
from shared.journeys.parse import NOTHING, parse_journey
from shared.journeys.workspace import Surroundings
from shared.log import LogRecord
from shared.messages import codec
from shared.messages.answer import Answer, answer_of
from shared.messages.command import CallCommand
from shared.messages.enrolment import Enrolment
from shared.messages.event import Event, EventRecord
from shared.messages.outcome import Outcome, OutcomeStatus

DAY_START = from_iso("2026-03-02T00:00:00+00:00")
ROOT = Path(__file__).parent.parent
JOURNEYS = ROOT / "journeys"


def lined(fault: Fault) -> str:
    """Return ``fault`` with its file and line: its column is the rule of tests/unit/shared/journeys/test_faults.py."""
    return f"{fault.file}:{fault.line}: {fault.message}"


def at(clock: str, *, day: int = 0) -> int:
    """Return the milliseconds of ``clock`` (``09:30``, ``09:30:05``) on the test's first day, or ``day`` days later."""
    hours, minutes, *seconds = (int(part) for part in clock.split(":"))
    return DAY_START + ((day * 24 + hours) * 60 + minutes) * 60_000 + (seconds[0] if seconds else 0) * 1000


def an_event(name: str, when: int, /, *, received: int | None = None, message_id: str = "", **properties: Any) -> Event:
    """Return a track event that reached us at once, or at ``received``."""
    return Event(
        message_id=message_id or f"{name}@{when}",
        type="track",
        name=name,
        timestamp=when,
        received_at=when if received is None else received,
        user_id="c1",
        properties=properties,
    )


def identified(when: int, **traits: Any) -> Event:
    """Return an identify event with ``traits``."""
    return Event(
        message_id=f"identify@{when}",
        type="identify",
        name="Identified",
        timestamp=when,
        received_at=when,
        user_id="c1",
        traits=traits,
    )


def consented(when: int, topic: str, status: str = "granted") -> Event:
    """Return the event of consent being granted or revoked."""
    return Event(
        message_id=f"consent-{status}@{when}",
        type="consent",
        name="Consent Granted" if status == "granted" else "Consent Revoked",
        timestamp=when,
        received_at=when,
        user_id="c1",
        properties={"topic": topic, "status": status},
    )


def an_outcome(command: Any, status: OutcomeStatus, when: int, reason: str | None = None) -> Outcome:
    """Return the outcome of ``command`` (a SendCommand)."""
    return Outcome(
        message_id=f"outcome-{command.command_id}",
        contact=command.contact,
        command_id=command.command_id,
        run_id=command.run_id,
        journey=command.journey,
        version=command.version,
        step=command.step,
        channel=command.channels[0],
        status=status,
        at=when,
        reason=reason,
        to_staff=command.to_staff,
    )


def an_answer(call: CallCommand, when: int, **said: Any) -> Answer:
    """Return the answer to ``call``: its ``data``, or an ``error``."""
    return answer_of(call, when, **said)


def an_enrolment(journey: str, when: int, /, *, key: str = "", **context: Any) -> Enrolment:
    """Return the wish that the contact enters ``journey``."""
    return Enrolment(
        message_id=key or f"{journey}@{when}",
        journey=journey,
        timestamp=when,
        received_at=when,
        user_id="c1",
        context=context,
    )


CART = """
schema: journey/v1
id: cart
version: 1
trigger: {type: event, event: Product Added, max_age: 30m}
entry:
  where: {not: {performed: {event: Order Completed, within: 60m}}}
  on_retrigger: update_context
  reentry: {cooldown: 3d}
context: {product: event.properties.name}
goals:
  - {id: recovered, event: Order Completed, window: 7d, value: event.properties.total}
exit:
  - {reason: converted, event: Order Completed}
  - {reason: max_duration, after: 10d}
policy: {topic: cart_reminders, max_sends: 2}
steps:
  - {id: settle, wait: {for: 45m, reset_by: [Product Added, Product Viewed]}}
  - id: remind_1
    send: {channels: [email], expires: 12h, template: {email: {subject: "{{ context.product }}", text: "Hello"}}}
  - {id: pause_1, wait: {for: 24h}}
  - id: remind_2
    send: {channels: [email], template: {email: {subject: "Last call", text: "Hello"}}}
  - {id: observe, wait: {for: 7d}}
  - {id: end, exit: {reason: no_response}}
"""


def a_journey(text: str = CART, around: Surroundings = NOTHING) -> Journey:
    """Return the journey in ``text``; the cart journey by default."""
    return parse_journey("journey.yaml", text, around)


def a_record(offset: int, message: EventRecord, *, key: str | None = "u:c1", timestamp: int | None = None) -> LogRecord:
    """Return ``message`` as the log holds it; appended when it was received."""
    appended = (
        timestamp if timestamp is not None else message.received_at if isinstance(message, Event | Enrolment) else 0
    )
    return LogRecord(offset, appended, None if key is None else key.encode(), codec.encode(message))
