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
_NO_BRACKETS = bytes(sorted(set(range(256)) - set(b"{[")))
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


class Shortcut:
    """The short way of one request's calls."""

    def __init__(
        self,
        calls: Calls,
        source: Source,
        client: ClientAddress,
        *,
        received_at: int,
        new_message_id: Callable[[], str],
        passes: Passes,
    ) -> None:
        limits = source.limits
        self._calls = calls
        self._allow = source.allow
        self._numbers_kept = calls.numbers_kept
        self._passes = passes
        self._received_at = received_at
        self._new_message_id = new_message_id
        self._sent_at = instant(calls.sent_at)
        # An event of so few bytes and brackets keeps every limit for sure.
        self._small = min(limits.surely_small, limits.event_bytes // _LONGEST_GROWTH)
        self._depth = limits.depth
        kept = kept_of(client.address, client.policy) if client.fill else None
        self._address = b"" if kept is None else b'"ip":' + msgspec.json.encode(kept)

    def output(self, raw: bytes) -> Output | None:
        """Return the record of the event in ``raw``, valid UTF-8; None when it takes the other way."""
        if len(raw) > self._small or len(raw.translate(None, _NO_BRACKETS)) > self._depth:
            return None
        try:
            call = _CALL.decode(raw)
            return self._output(call)
        except (msgspec.DecodeError, RecursionError, InvalidEventError):
            return None

    def _output(self, call: _Call) -> Output | None:
        """Return the record of ``call``. Raises InvalidEventError."""
        kind = cast("EventType", self._calls.event_type or call.type)
        name = (call.event or "").strip() if kind == "track" else FIXED_NAMES.get(kind, "")
        if kind not in self._allow or not 0 < len(name) <= MAX_NAME_LENGTH:
            return None
        user_id, anonymous_id = owner_of(call.user_id, call.anonymous_id)
        if not self._passes(name, user_id, anonymous_id):
            return None
        if not self._are_kept(call.properties, call.traits, call.traits_once, call.context):
            return None
        context = self._stamped(call.context, of_identify=kind == "identify")
        if context is None:
            return None
        event = _Unread(
            message_id=message_id_of(call.message_id) or self._new_message_id(),
            type=kind,
            name=name,
            timestamp=corrected_time(
                call.original_timestamp if call.timestamp is None else call.timestamp,
                sent_at=_sent(call.sent_at) or self._sent_at,
                received_at=self._received_at,
            ),
            received_at=self._received_at,
            user_id=user_id,
            anonymous_id=anonymous_id,
            previous_id=required("alias", kind, "previousId", call.previous_id),
            group_id=required("group", kind, "groupId", call.group_id),
            properties=_named(call) if kind in _NAMED_KINDS else call.properties,
            traits=call.traits,
            context=context,
            traits_once=call.traits_once,
            historical=self._calls.historical,
        )
        return Output(EVENTS, (contact_key(user_id, anonymous_id) or "").encode(), encode(event))

    def _are_kept(self, *parts: msgspec.Raw) -> bool:
        """Return whether ``parts`` are objects whose numbers every reader takes."""
        for part in parts:
            if part is not _NONE:
                raw = bytes(part)
                # A number that is doubted somewhere in a batch need not be in this part of it.
                if not raw.startswith(b"{") or not (self._numbers_kept or _are_numbers_kept(raw)):
                    return False
        return True

    def _stamped(self, context: msgspec.Raw, *, of_identify: bool) -> msgspec.Raw | None:
        """Return ``context`` with the client's address, if it is wanted; None when somebody reads what is in it."""
        if context is not _NONE and _CONTEXTS[of_identify].decode(context) != _NOTHING_READ[of_identify]:
            return None
        return _with(self._address, context) if self._address else context


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
