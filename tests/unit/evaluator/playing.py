"""Short literals for the engine's tests: a journey around its steps, what happens to one contact, what was decided."""

from __future__ import annotations

from textwrap import dedent, indent

import msgspec

from services.evaluator.core.catalog import UTC
from shared.clock import from_iso
from shared.journeys.model import Journey
from shared.messages.answer import Answer
from shared.messages.enrolment import Enrolment
from shared.messages.event import Event
from shared.messages.outcome import Outcome
from shared.walltime.zones import load_zone
from tests.builders import a_journey, a_record, an_event, at, consented, identified
from tests.oracle import Verdict, play

KNOWN = (identified(at("08:00"), email="a@example.jp", phone="+8190"), consented(at("08:00"), "news"))
MARKETING = "{topic: news}"
MAIL = "send: {channels: [email], template: {email: {subject: Hi, text: Hello}}}"
GO = an_event("Go", at("10:00"))
"""What starts the journeys here, at 10:00 on Monday 2 March 2026."""


def journey(
    steps: str,
    *,
    name: str = "trip",
    version: int = 1,
    policy: str = "{purpose: transactional}",
    trigger: str = "Go",
    more: str = "",
) -> Journey:
    """Return the journey of ``steps``; ``more`` are further lines of the top. ``MAIL`` in them stands for a send."""
    lines = indent(dedent(steps).strip("\n").replace("MAIL", MAIL), "  ")
    return a_journey(
        f"schema: journey/v1\nid: {name}\nversion: {version}\ntrigger: {{type: event, event: {trigger}}}\n"
        f"policy: {policy}\n{dedent(more)}\nsteps:\n{lines}\n"
    )


def happens(
    journeys: Journey | tuple[Journey, ...],
    *messages: Event | Outcome | Answer | Enrolment,
    until: int,
    known: tuple[Event, ...] = KNOWN,
    zone: str | None = None,
    contact: str = "u:c1",
    deliver: bool = False,
) -> Verdict:
    """Return what is decided when ``messages`` reach the contact, and nothing more until ``until``."""
    log = [
        a_record(number, it, key=contact, timestamp=it.received_at if isinstance(it, Event | Enrolment) else it.at)
        for number, it in enumerate((*known, *messages))
    ]
    given = (journeys,) if isinstance(journeys, Journey) else journeys
    where = UTC if zone is None else load_zone(zone)
    return play(given, log, until=until, zone=where, deliver=deliver)


def revoked(when: int, topic: str, channel: str | None = None) -> Event:
    """Return the event of consent being revoked, for all channels or for one."""
    event = consented(when, topic, "revoked")
    if channel is None:
        return event
    return msgspec.structs.replace(event, properties={**event.properties, "channel": channel})


def told(verdict: Verdict) -> list[tuple[str, str | None, int]]:
    """Return each decision with its reason, or else its step, and its time."""
    return [(record.decision, record.reason or record.step, record.at) for record in verdict.journal]


def sends(verdict: Verdict) -> list[tuple[str | None, int]]:
    """Return the steps that sent, and when."""
    return [(record.step, record.at) for record in verdict.journal if record.decision == "send"]


def iso(text: str) -> int:
    """Return the instant of an ISO time with a zone."""
    return from_iso(text)


def mailing(policy: str, *, expires: str = "", name: str = "trip", more: str = "", topic: str = "news") -> Journey:
    send = f"send: {{channels: [email], {expires}template: {{email: {{subject: Hi, text: Hello}}}}}}"
    always = "entry: {reentry: {mode: always}}\n"
    return journey(
        f"- {{id: mail, {send}}}\n- {{id: rest, wait: {{for: 1h}}}}",
        name=name,
        policy=f"{{topic: {topic}, {policy}}}",
        more=always + more,
    )


def decided(verdict: Verdict) -> list[tuple[str, str | None, int]]:
    """Return what became of messages: sends, skips, deferrals and exits with a reason that is not the journey's end."""
    return [it for it in told(verdict) if it[0] not in ("entered", "not_entered") and it[1] != "completed"]
