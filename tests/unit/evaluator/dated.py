"""Journeys by date, calendar and schedule, and when contacts enter them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import msgspec

from services.evaluator.core.catalog import UTC
from shared.clock import from_iso
from shared.journeys.audiences import parse_audience
from shared.journeys.calendars import parse_calendar
from shared.journeys.model import Journey
from shared.journeys.workspace import Surroundings
from shared.messages.event import Event
from shared.walltime.zones import local
from tests.builders import a_journey, a_record, identified
from tests.oracle import Verdict, judge

CALENDAR = parse_calendar(
    "calendars/shop.yaml",
    """
schema: calendar/v1
id: shop
version: 1
occasions:
  cyber_monday: [2026-11-30, 2027-11-29]
  golden_week: [{from: 2026-04-29, to: 2026-05-06}]
""",
)
AUDIENCE = parse_audience("audiences/vip.yaml", "{schema: audience/v1, id: vip, where: contact.tier == 'gold'}")
AROUND = Surroundings(audiences=frozenset({"vip"}), calendars={"shop": CALENDAR})
_JOURNEY = """
schema: journey/v1
id: ID
version: 1
trigger: {TRIGGER}
entry: {ENTRY}
policy: {purpose: transactional}
steps:
  - id: tell
    send: {channels: [email], template: {email: {subject: "{{ trigger.occurrence }}", text: Hello}}}
"""


def dated(trigger: str, *, entry: str = "", journey: str = "greeting") -> Journey:
    """Return a journey with the trigger."""
    text = _JOURNEY.replace("ID", journey).replace("TRIGGER", trigger).replace("ENTRY", entry)
    return a_journey(text, AROUND)


def told(when: str, **traits: object) -> Event:
    """Return an identify call at an ISO time (UTC); each has an address."""
    at = from_iso(when)
    return msgspec.structs.replace(identified(at, email="a@example.jp", **traits), message_id=f"{when}{traits}")


def decided(trigger: str, *events: Event, until: str, entry: str = "", zone: ZoneInfo = UTC) -> Verdict:
    """Return what is decided when the contact tells us ``events`` and time goes on to ``until``."""
    log = [a_record(number, event) for number, event in enumerate(events)]
    return judge([dated(trigger, entry=entry)], log, until=from_iso(until), zone=zone, audiences=[AUDIENCE])


def entered(trigger: str, *events: Event, until: str, entry: str = "", zone: ZoneInfo = UTC) -> list[str]:
    """Return when the contact entered, as UTC ``2026-05-17T00:00``."""
    return entries(decided(trigger, *events, until=until, entry=entry, zone=zone))


def entries(verdict: Verdict) -> list[str]:
    """Return the times of entries as UTC ``2026-05-17T00:00``."""
    return [shown(record.at) for record in verdict.journal if record.decision == "entered"]


def shown(at: int) -> str:
    """Return a time in UTC to the minute, or as exactly as it needs."""
    text = local(at, UTC).replace(tzinfo=None).isoformat()
    return text.removesuffix(":00")
