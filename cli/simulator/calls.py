"""Recorded calls, one a line, to arrivals. A line that ingest would refuse is a fault with its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

import msgspec

from cli.simulator.engine import Arrival
from services.ingest.calls import Calls
from services.ingest.enrolments import to_enrolment
from services.ingest.errors import IngestError
from services.ingest.schemas import to_call, to_event
from services.ingest.screening import Screen, Screening, Standards, load_standards
from services.ingest.timestamps import instant
from shared.clock import from_iso
from shared.ids import derived_id
from shared.journeys.faults import Fault, shown
from shared.messages.enrolment import ENROLMENT
from shared.messages.event import Event
from shared.metrics import Metrics

EARLIEST, LATEST = 0, from_iso("9000-01-01T00:00:00+00:00")
"""Times of arrival: from 1970 on, and with room before the last year that calendars can count to."""

_BOM = b"\xef\xbb\xbf"
_CONSENT_FIELDS = ("topic", "status", "channel")


class _RefusedError(Exception):
    """This line is no call; the message says why."""


def read_calls(
    file: str, lines: Iterable[bytes], faults: list[Fault], screen: Screen | None = None
) -> Iterator[Arrival]:
    """Yield the arrival of each line that becomes a record; ``file`` and the line's number stand in the faults.

    ``screen`` is that of the workspace (``screen_of``), None: what everybody has.
    """
    for number, line in enumerate(lines, start=1):
        text = line.removeprefix(_BOM) if number == 1 else line
        if not text.strip():
            continue
        try:
            arrival = _arrival(_object(text), number, screen)
        except _RefusedError as error:
            faults.append(Fault(file, number, 1, str(error)))
        else:
            if arrival is not None:
                yield arrival


def screen_of(standards: Standards) -> Screen:
    """Return what ingest holds events to in a workspace with these ``standards``."""
    return Screening(standards, Metrics(), lambda: "nobody")


@cache
def _everybodys() -> Screen:
    return screen_of(load_standards(None))


def call_to_event(
    call: dict[str, object], received_at: int, message_id: str, screen: Screen | None = None
) -> Event | None:
    """Return the event that ingest would make of ``call``, received at ``received_at``. Raises IngestError.

    None: without consent to tracking it would be nobody's. ``message_id`` is for a call without its own. ``historical``
    beside its fields says of a call what a batch says of all of its own.
    """
    outer = Calls(items=(), historical=call.get("historical") is True)
    found = (screen or _everybodys())(to_event(to_call(call), received_at, lambda: message_id, outer=outer))
    return found if isinstance(found, Event) else None


def _object(text: bytes) -> dict[str, object]:
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _RefusedError(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise _RefusedError('not a call: a line is an object, such as {"type": "track", "event": "Product Added"}')
    return value


def _arrival(call: dict[str, object], number: int, screen: Screen | None) -> Arrival | None:
    """Return when ``call`` arrived and its event: ``timestamp`` is taken as said, for records of it are corrected."""
    at = _time(call, "receivedAt")
    if at is None:
        at = _time(call, "timestamp")
    if at is None:
        raise _RefusedError("`timestamp` is missing, and so is `receivedAt`: when did it happen?")
    if not EARLIEST <= at < LATEST:
        raise _RefusedError("it arrives before 1970 or after 8999")
    if call.get("type") == ENROLMENT:
        return _enrolled(call, at, number)
    said: dict[str, object] = {**call, "sentAt": None, "originalTimestamp": None}
    properties = call.get("properties")
    if call.get("type") == "consent" and isinstance(properties, dict):
        said = {**{field: properties[field] for field in _CONSENT_FIELDS if field in properties}, **said}
    try:
        event = call_to_event(said, at, derived_id("simulated", str(number)), screen)
    except IngestError as error:
        raise _RefusedError(_told(error)) from error
    return None if event is None else Arrival(at, event)


def _enrolled(call: dict[str, object], at: int, number: int) -> Arrival:
    """Return the enrolment that ``call`` is: what the API was asked, with ``journey`` and ``messageId`` beside it."""
    said = {name: call[name] for name in ("userId", "anonymousId", "context", "timestamp") if name in call}
    key = call.get("messageId")
    try:
        wish = to_enrolment(said, str(call.get("journey") or ""), str(key or f"simulated-{number}"), at)
    except IngestError as error:
        raise _RefusedError(_told(error)) from error
    return Arrival(at, wish)


def _told(error: IngestError) -> str:
    message = str(error)
    return message if error.detail == message else f"{message}: {error.detail}"


def _time(call: dict[str, object], field: str) -> int | None:
    said = call.get(field)
    if said is None or said == "":
        return None
    at = instant(said)
    if at is None:
        raise _RefusedError(f"`{field}`: {shown(said)} is not an ISO 8601 time")
    return at
