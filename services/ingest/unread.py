"""The short way of an event through ingest: the objects in it that nobody here reads are copied byte for byte.

Most calls are plain ones, whose properties, traits and context ingest only passes on, the address of a page's visitor
put in front of the context. What looks into them (a consent, a catalogue), and whatever is not as plain, takes the way
through ``to_call`` and ``to_event``, which also says what is wrong: both make the same event of the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import cast

import msgspec

from services.ingest.body import LARGE
from services.ingest.calls import Calls
from services.ingest.client_address import ClientAddress, kept_of
from services.ingest.errors import InvalidEventError
from services.ingest.keys import Source
from services.ingest.schemas import FIXED_NAMES, MAX_NAME_LENGTH, message_id_of, owner_of, required
from services.ingest.timestamps import corrected_time, instant
from shared.ids import contact_key
from shared.log import Output
from shared.messages.codec import encode
from shared.messages.event import HOPS, HOPS_SINCE, EventType
from shared.messages.topics import EVENTS

Passes = Callable[[str, str | None, str | None], bool]
"""Whether an event of that name, user id and anonymous id is written as it is, whatever is in it but a consent."""

_ABSENT = msgspec.Raw()
_NONE = msgspec.Raw(b"{}")
_LONGEST_GROWTH = 8
"""Compact JSON may be longer than what arrived: 1e15 becomes 1000000000000000.0, and nothing grows more than that."""

# Of numbers, those that not every reader takes: beyond 64 bits, and beyond a double. A text may look like one.
_DIGITS = bytes.maketrans(b"123456789E", b"000000000e")
_LONG, _HUGE = b"0" * 19, b"e000"


_Read = msgspec.defstruct(
    "_Read", [(name, msgspec.Raw, _ABSENT) for name in ("ip", "direct", "consent", HOPS, HOPS_SINCE)], gc=False
)
"""Whatever somebody reads or takes away of a context."""
_ReadOfIdentify = msgspec.defstruct("_ReadOfIdentify", [("traits", msgspec.Raw, _ABSENT)], bases=(_Read,), gc=False)
_NOTHING_READ = (_Read(), _ReadOfIdentify())


class _Named(msgspec.Struct, gc=False):
    """What a page's properties may say themselves, and its call beside them."""

    name: msgspec.Raw = _ABSENT
    category: msgspec.Raw = _ABSENT


class _Call(msgspec.Struct, kw_only=True, rename="camel", gc=False):
    """A call as plain as most are: texts where others are allowed too."""

    type: str | None = None
    event: str | None = None
    name: str | None = None
    category: str | None = None
    message_id: str | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    previous_id: str | None = None
    group_id: str | None = None
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
    previous_id: str | None = None
    group_id: str | None = None
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


_NAMED_KINDS = ("page", "screen")
_CALL = msgspec.json.Decoder(_Call)
_CONTEXTS = (msgspec.json.Decoder(_Read), msgspec.json.Decoder(_ReadOfIdentify))
_NAMED = msgspec.json.Decoder(_Named)
_BATCH = msgspec.json.Decoder(_Batch)


def unread_call(event_type: EventType) -> Callable[[bytes], Calls | None]:
    """Return a reader of one call of ``event_type`` that leaves it as it is; None of it when it takes the other way."""

    def read(raw: bytes) -> Calls | None:
        if not raw.startswith(b"{") or not _is_text(raw):
            return None
        return Calls(items=[msgspec.Raw(raw)], event_type=event_type, alone=True)

    return read


def unread_batch(raw: bytes) -> Calls | None:
    """Return the calls of the batch in ``raw``, not read yet; None when it takes the other way."""
    if not raw.startswith(b"{") or not _is_text(raw):
        return None
    try:
        body = _BATCH.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None
    return Calls(
        items=body.batch,
        sent_at=body.sent_at,
        historical=body.historical,
        # Of a large one, part by part: all at once would take long.
        numbers_kept=len(raw) <= LARGE and _are_numbers_kept(raw),
    )


Shortcut = Callable[[bytes], Output | None]
"""Returns the record of the event in some bytes, valid UTF-8; None when it takes the other way."""


def shortcut(
    calls: Calls,
    source: Source,
    client: ClientAddress,
    *,
    received_at: int,
    new_message_id: Callable[[], str],
    passes: Passes,
) -> Shortcut:
    """Return the short way of one request's calls. One function: at its rate, a call or an attribute more counts."""
    limits, event_type, allow, historical = source.limits, calls.event_type, source.allow, calls.historical
    # An event of so few bytes and brackets keeps every limit for sure.
    small, depth = min(limits.surely_small, limits.event_bytes // _LONGEST_GROWTH), limits.depth
    sent_at, numbers_kept = instant(calls.sent_at), calls.numbers_kept
    kept = kept_of(client.address, client.policy) if client.fill else None
    address = b"" if kept is None else b'"ip":' + msgspec.json.encode(kept)

    def output(raw: bytes) -> Output | None:
        if len(raw) > small or _brackets(raw) > depth:
            return None
        try:
            call = _CALL.decode(raw)
            kind = cast("EventType", event_type or call.type)
            name = (call.event or "").strip() if kind == "track" else FIXED_NAMES.get(kind, "")
            if kind not in allow or not 0 < len(name) <= MAX_NAME_LENGTH:
                return None
            user_id, anonymous_id = owner_of(call.user_id, call.anonymous_id)
            if not passes(name, user_id, anonymous_id):
                return None
            properties, traits, once, context = call.properties, call.traits, call.traits_once, call.context
            for part in (properties, traits, once, context):
                if part is not _NONE and not _is_kept(part, numbers_kept=numbers_kept):
                    return None
            if context is not _NONE:
                of_identify = kind == "identify"
                if _CONTEXTS[of_identify].decode(context) != _NOTHING_READ[of_identify]:
                    return None
            event = _Unread(
                message_id=message_id_of(call.message_id) or new_message_id(),
                type=kind,
                name=name,
                timestamp=corrected_time(
                    call.original_timestamp if call.timestamp is None else call.timestamp,
                    sent_at=_sent(call.sent_at) or sent_at,
                    received_at=received_at,
                ),
                received_at=received_at,
                user_id=user_id,
                anonymous_id=anonymous_id,
                previous_id=required("alias", kind, "previousId", call.previous_id),
                group_id=required("group", kind, "groupId", call.group_id),
                properties=_named(call) if kind in _NAMED_KINDS else properties,
                traits=traits,
                context=_with(address, context) if address else context,
                traits_once=once,
                historical=historical,
            )
        except (msgspec.DecodeError, RecursionError, InvalidEventError):
            return None
        return Output(EVENTS, (contact_key(user_id, anonymous_id) or "").encode(), encode(event))

    return output


def _brackets(raw: bytes) -> int:
    """Return how many brackets ``raw`` opens: it is no deeper than that."""
    # A replacement looks for the few that there are; ``count`` looks at each byte, and takes twice as long.
    return 2 * len(raw) - len(raw.replace(b"{", b"")) - len(raw.replace(b"[", b""))


def _is_kept(part: msgspec.Raw, *, numbers_kept: bool) -> bool:
    """Return whether ``part`` is an object whose numbers every reader takes; ``numbers_kept``: they are known to be."""
    raw = bytes(part)
    # A number that is doubted somewhere in a batch need not be in this part of it.
    return raw.startswith(b"{") and (numbers_kept or _are_numbers_kept(raw))


@lru_cache(maxsize=64)
def _sent(at: str | None) -> int | None:
    """Return the instant, remembered: all calls of a batch were sent at the same."""
    return instant(at)


def _is_text(raw: bytes) -> bool:
    """Return whether ``raw`` is UTF-8, which msgspec does not look at in what it does not read."""
    if raw.isascii():
        return True
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _are_numbers_kept(raw: bytes) -> bool:
    """Return whether every reader takes the numbers in ``raw``."""
    digits = raw.translate(_DIGITS, b"+")
    return _HUGE not in digits and _LONG not in digits


def _named(call: _Call) -> msgspec.Raw:
    """Return the properties of a page's or a screen's call, with what the call says beside them where they do not."""
    if call.name is None and call.category is None:
        return call.properties
    own, found = _NAMED.decode(call.properties), call.properties
    for field, said, value in (("name", own.name, call.name), ("category", own.category, call.category)):
        if value is not None and said == _ABSENT:
            found = _with(msgspec.json.encode(field) + b":" + msgspec.json.encode(value), found)
    return found


def _with(member: bytes, part: msgspec.Raw) -> msgspec.Raw:
    """Return the object ``part`` with one more ``member`` at its head."""
    rest = bytes(part)[1:].lstrip()
    return msgspec.Raw(b"{" + member + (rest if rest.startswith(b"}") else b"," + rest))
