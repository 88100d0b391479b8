"""Recorded calls, one a line, to arrivals. A line that ingest would refuse is a fault with its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from cli.simulator.engine import Arrival
from services.ingest.enrolments import to_enrolment
from services.ingest.errors import IngestError
from services.ingest.schemas import to_call, to_event
from services.ingest.timestamps import instant
from shared.catalogue.reader import standard
from shared.clock import from_iso
from shared.ids import derived_id
from shared.journeys.faults import Fault, shown
from shared.messages.enrolment import ENROLMENT
from shared.messages.event import Event

EARLIEST, LATEST = 0, from_iso("9000-01-01T00:00:00+00:00")
"""Times of arrival: from 1970 on, and with room before the last year that calendars can count to."""

_BOM = b"\xef\xbb\xbf"
_CONSENT_FIELDS = ("topic", "status", "channel")


class _RefusedError(Exception):
    """This line is no call; the message says why."""


def read_calls(file: str, lines: Iterable[bytes], faults: list[Fault]) -> Iterator[Arrival]:
    """Yield the arrival of each line that is not empty; ``file`` and the line's number stand in the faults."""
    for number, line in enumerate(lines, start=1):
        text = line.removeprefix(_BOM) if number == 1 else line
        if not text.strip():
            continue
        try:
            yield _arrival(_object(text), number)
        except _RefusedError as error:
            faults.append(Fault(file, number, 1, str(error)))


def call_to_event(call: dict[str, object], received_at: int, message_id: str) -> Event:
    """Return the event that ingest would make of ``call``, received at ``received_at``. Raises IngestError.

    ``message_id`` is for a call without its own.
    """
    event = to_event(to_call(call), received_at, lambda: message_id)
    return msgspec.structs.replace(event, name=standard().aliases.get(event.name, event.name))


def _object(text: bytes) -> dict[str, object]:
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _RefusedError(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise _RefusedError('not a call: a line is an object, such as {"type": "track", "event": "Product Added"}')
    return value


def _arrival(call: dict[str, object], number: int) -> Arrival:
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
        return Arrival(at, call_to_event(said, at, derived_id("simulated", str(number))))
    except IngestError as error:
        raise _RefusedError(_told(error)) from error


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
