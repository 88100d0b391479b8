"""Short literals for the simulator's tests: what arrives, and what was decided in a few words."""

from __future__ import annotations

from typing import Any

import msgspec

from cli.simulator.decisions import effective
from cli.simulator.engine import Arrival, Simulator
from shared.log import LogRecord
from shared.messages import codec
from shared.messages.event import Event
from tests.builders import an_event, at, consented, identified

PATIENT = """
schema: journey/v1
id: patient
version: 3
trigger: {type: event, event: Began}
exit: [{reason: over, event: Ended}]
policy: {purpose: transactional}
steps:
  - {id: wait, wait: {for: 45m}}
  - {id: tell, send: {channels: [email], template: {email: {subject: Hi, text: "{{ contact.email }}"}}}}
  - {id: rest, wait: {for: 1d}}
"""


def arrived(event: Event, *, contact: str = "c1", when: int | None = None) -> Arrival:
    """Return ``event`` of ``contact``; it reaches us when it was received, or at ``when``."""
    return Arrival(event.received_at if when is None else when, msgspec.structs.replace(event, user_id=contact))


def did(name: str, clock: str, /, *, contact: str = "c1", late: str | None = None, **properties: Any) -> Arrival:
    """Return a track event at ``clock`` that arrives then, or at ``late``."""
    received = at(clock if late is None else late)
    message_id = f"{contact}-{name}-{clock}"
    return arrived(an_event(name, at(clock), received=received, message_id=message_id, **properties), contact=contact)


def known(contact: str = "c1", **traits: Any) -> list[Arrival]:
    """Return what makes ``contact`` reachable and willing."""
    who = identified(at("08:00"), **{"email": f"{contact}@example.jp", **traits})
    return [arrived(event, contact=contact) for event in (who, consented(at("08:00"), "cart_reminders"))]


def told(simulator: Simulator) -> list[tuple[str, str | None, int]]:
    """Return each effective decision as (decision, reason or step, at)."""
    records = [found.record for found in effective(simulator.decided)]
    return [(record.decision, record.reason or record.step, record.at) for record in records]


def written(simulator: Simulator) -> list[LogRecord]:
    """Return the log that the simulation made, as a host would have stored it."""
    return [
        LogRecord(offset, entry.at, None if entry.key is None else entry.key.encode(), codec.encode(entry.message))
        for offset, entry in enumerate(simulator.log)
    ]
