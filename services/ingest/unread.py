"""The short way of an event through ingest: the objects in it that nobody here reads are copied byte for byte.

Most calls are plain ``track`` calls, whose properties, traits and context ingest only passes on. What looks into them
(an address, a consent, a catalogue), and whatever is not as plain, takes the way through ``to_call`` and ``to_event``,
which also says what is wrong: both ways make the same event of the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from services.ingest.calls import Calls
from services.ingest.client_address import ClientAddress
from services.ingest.errors import InvalidEventError
from services.ingest.keys import Source
from services.ingest.limits import Limits
from services.ingest.schemas import MAX_NAME_LENGTH, message_id_of, owner_of
from services.ingest.timestamps import corrected_time, instant
from shared.ids import contact_key
from shared.log import Output
from shared.messages.codec import encode
from shared.messages.event import HOPS, HOPS_SINCE, EventType
from shared.messages.topics import EVENTS

Passes = Callable[[str, str | None, str | None], bool]
"""Whether an event of that name, user id and anonymous id is written as it is, whatever is in it but a consent."""

_NONE = msgspec.Raw(b"{}")
_NO_BRACKETS = bytes(sorted(set(range(256)) - set(b"{[")))
_LONGEST_GROWTH = 8
"""Compact JSON may be longer than what arrived: 1e15 becomes 1000000000000000.0, and nothing grows more than that."""

# Of numbers, those that not every reader takes: beyond 64 bits, and beyond a double. A text may look like one.
_DIGITS = bytes.maketrans(b"123456789E", b"000000000e")
_LONG, _HUGE = b"0" * 19, b"e000"


_Read = msgspec.defstruct(
    "_Read", [(name, msgspec.Raw, msgspec.Raw()) for name in ("ip", "direct", "consent", HOPS, HOPS_SINCE)], gc=False
)
"""Whatever somebody reads or takes away of a context."""
_NOTHING_READ = _Read()


class _Track(msgspec.Struct, kw_only=True, rename="camel", gc=False):
    """A call as plain as most are: texts where others are allowed too, and nothing that another type of call has."""

    event: str
    type: str | None = None
    name: str | None = None
    category: str | None = None
    message_id: str | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    previous_id: None = None
    group_id: None = None
    properties: msgspec.Raw = _NONE
    traits: msgspec.Raw = _NONE
    traits_once: msgspec.Raw = _NONE
    context: msgspec.Raw = _NONE
    timestamp: str | None = None
    original_timestamp: str | None = None
    sent_at: str | None = None


class _Unread(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False, tag_field="kind", tag="event"):
    """An ``Event`` (shared/messages/event.py) whose objects are JSON."""

    message_id: str
    type: EventType
    name: str
    timestamp: int
    received_at: int
    user_id: str | None
    anonymous_id: str | None
    properties: msgspec.Raw = _NONE
    traits: msgspec.Raw = _NONE
    context: msgspec.Raw = _NONE
    traits_once: msgspec.Raw = _NONE
    historical: bool = False


class _Batch(msgspec.Struct, kw_only=True, rename="camel", gc=False):
    """A batch whose items nobody has read."""

    batch: list[msgspec.Raw]
    sent_at: str | None = None
    context: None = None
    historical: bool = False


_TRACK = msgspec.json.Decoder(_Track)
_CONTEXT = msgspec.json.Decoder(_Read)
_BATCH = msgspec.json.Decoder(_Batch)


def unread_call(raw: bytes) -> Calls | None:
    """Return the one track call in ``raw``, not read yet; None when it takes the other way."""
    if not raw.startswith(b"{") or not _is_text(raw):
        return None
    return Calls(items=[msgspec.Raw(raw)], event_type="track", alone=True)


def unread_batch(raw: bytes) -> Calls | None:
    """Return the calls of the batch in ``raw``, not read yet; None when it takes the other way."""
    if not raw.startswith(b"{") or not _is_text(raw):
        return None
    try:
        body = _BATCH.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None
    return Calls(items=body.batch, sent_at=body.sent_at, historical=body.historical)


def unread_output(
    raw: bytes,
    calls: Calls,
    source: Source,
    client: ClientAddress,
    *,
    received_at: int,
    new_message_id: Callable[[], str],
    passes: Passes,
) -> Output | None:
    """Return the record of the event in ``raw``, valid UTF-8; None when it takes the other way."""
    if not _is_small(raw, source.limits):
        return None
    try:
        call = _TRACK.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None
    name = call.event.strip()
    if (
        (calls.event_type or call.type) != "track"
        or "track" not in source.allow
        or not 0 < len(name) <= MAX_NAME_LENGTH
    ):
        return None
    if not (_is_kept(call.properties) and _is_kept(call.traits) and _is_kept(call.traits_once)):
        return None
    if not _is_own(call.context, client):
        return None
    try:
        user_id, anonymous_id = owner_of(call.user_id, call.anonymous_id)
        if not passes(name, user_id, anonymous_id):
            return None
        timestamp = corrected_time(
            call.original_timestamp if call.timestamp is None else call.timestamp,
            sent_at=instant(call.sent_at) or instant(calls.sent_at),
            received_at=received_at,
        )
    except InvalidEventError:
        return None
    event = _Unread(
        message_id=message_id_of(call.message_id) or new_message_id(),
        type="track",
        name=name,
        timestamp=timestamp,
        received_at=received_at,
        user_id=user_id,
        anonymous_id=anonymous_id,
        properties=call.properties,
        traits=call.traits,
        context=call.context,
        traits_once=call.traits_once,
        historical=calls.historical,
    )
    return Output(topic=EVENTS, key=(contact_key(user_id, anonymous_id) or "").encode(), value=encode(event))


def _is_text(raw: bytes) -> bool:
    """Return whether ``raw`` is UTF-8, which msgspec does not look at in what it does not read."""
    if raw.isascii():
        return True
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_small(raw: bytes, limits: Limits) -> bool:
    """Return whether the event keeps every limit for sure, by its bytes alone."""
    return (
        len(raw) <= limits.surely_small
        and len(raw) * _LONGEST_GROWTH <= limits.event_bytes
        and len(raw.translate(None, _NO_BRACKETS)) <= limits.depth
    )


def _is_kept(part: msgspec.Raw) -> bool:
    """Return whether ``part`` is an object whose numbers every reader takes."""
    if part is _NONE:
        return True
    raw = bytes(part)
    if not raw.startswith(b"{"):
        return False
    digits = raw.translate(_DIGITS, b"+")
    return _HUGE not in digits and _LONG not in digits


def _is_own(context: msgspec.Raw, client: ClientAddress) -> bool:
    """Return whether ``context`` stays as it is, and gets no address."""
    if client.address is not None and client.fill:
        return False
    if context is _NONE:
        return True
    return _is_kept(context) and _CONTEXT.decode(context) == _NOTHING_READ
