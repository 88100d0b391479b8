"""The wire models: one Segment call → one Event. Pure: the time and new ids are arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from services.ingest.calls import Calls
from services.ingest.client_address import UNKNOWN, ClientAddress, stamp
from services.ingest.errors import InvalidEventError
from services.ingest.timestamps import corrected_time, instant
from shared.ids import derived_id
from shared.messages.event import HOPS, HOPS_SINCE, Event, EventType

MAX_ID_LENGTH = 200
MAX_MESSAGE_ID_LENGTH = 100
MAX_NAME_LENGTH = 200

BANNED_IDS = frozenset(
    {
        "0",
        "$posthog_cookieless",
        "-1",
        "00000000-0000-0000-0000-000000000000",
        "[object object]",
        "anonymous",
        "distinct_id",
        "distinctid",
        "email",
        "false",
        "guest",
        "id",
        "nan",
        "nil",
        "none",
        "not_authenticated",
        "null",
        "true",
        "undefined",
    }
)
"""Ids that a broken integration sends for everybody (after PostHog): one contact would be made of all visitors."""

FIXED_NAMES: dict[EventType, str] = {
    "identify": "Identified",
    "page": "Page Viewed",
    "screen": "Screen Viewed",
    "group": "Group Identified",
    "alias": "Alias Created",
}
"""The event name of each type that has no name of its own."""

CONSENT_NAMES = {"granted": "Consent Granted", "revoked": "Consent Revoked"}

_Id = str | int | None
_NO_BATCH = Calls(items=())


class Call(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One call of Segment's tracking API as it arrives. What is not named here is not kept."""

    type: str | None = None
    event: str | None = None
    name: str | None = None
    category: str | None = None
    message_id: _Id = None
    user_id: _Id = None
    anonymous_id: _Id = None
    previous_id: _Id = None
    group_id: _Id = None
    properties: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    traits_once: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    timestamp: str | int | float | None = None
    original_timestamp: str | int | float | None = None
    sent_at: str | int | float | None = None


class ConsentCall(Call, frozen=True, kw_only=True, rename="camel"):
    """A consent given or withdrawn: ``status`` is granted or revoked, ``channel`` none means all of them."""

    topic: str
    status: str
    channel: str | None = None


def to_call(item: object, event_type: EventType | None = None) -> Call:
    """Return ``item`` as a call of ``event_type`` (None: its own ``type`` says). Raises InvalidEventError."""
    if not isinstance(item, dict):
        raise InvalidEventError("an event is a JSON object")
    kind = event_type or item.get("type")
    try:
        return msgspec.convert({**item, "type": kind}, ConsentCall if kind == "consent" else Call)
    except msgspec.ValidationError as error:
        # msgspec names the field and the types, never the value.
        raise InvalidEventError("a field has the wrong type", detail=str(error)) from error


def to_event(
    call: Call,
    received_at: int,
    new_message_id: Callable[[], str],
    *,
    outer: Calls = _NO_BATCH,
    client: ClientAddress = UNKNOWN,
) -> Event:
    """Return the event that ``call`` reports. Raises InvalidEventError with the code of the rule it breaks.

    ``outer`` is the request that it came in, from ``client``. Only an Event can come of it, whatever the call says of
    itself: outcomes, ticks and markers are not to be had from outside.
    """
    user_id, anonymous_id = owner_of(call.user_id, call.anonymous_id)
    kind, name = _type_and_name(call)
    context = {**(outer.context or {}), **(call.context or {})}
    stamp(context, client)
    for ours in (HOPS, HOPS_SINCE):
        # Whoever could say that an event is one of ours would need no consent to tracking for it.
        context.pop(ours, None)
    traits = dict(call.traits or {})
    context_traits = context.get("traits")
    if kind == "identify" and isinstance(context_traits, dict):
        # Rudder's libraries send the traits of identify here.
        traits = {**context_traits, **traits}
        del context["traits"]
    return Event(
        message_id=message_id_of(call.message_id) or new_message_id(),
        type=kind,
        name=name,
        timestamp=corrected_time(
            # Rudder's Node library sets originalTimestamp to the time of the call also where the caller names a time.
            call.original_timestamp if call.timestamp is None else call.timestamp,
            sent_at=instant(call.sent_at) or instant(outer.sent_at),
            received_at=received_at,
        ),
        received_at=received_at,
        user_id=user_id,
        anonymous_id=anonymous_id,
        previous_id=required("alias", kind, "previousId", call.previous_id),
        group_id=required("group", kind, "groupId", call.group_id),
        properties=_properties(call),
        traits=traits,
        context=context,
        traits_once=call.traits_once or {},
        historical=outer.historical,
    )


def owner_of(user_id: _Id, anonymous_id: _Id) -> tuple[str | None, str | None]:
    """Return both ids as texts; at least one is there. Raises InvalidEventError."""
    user, anonymous = _identifier("userId", user_id), _identifier("anonymousId", anonymous_id)
    if user is None and anonymous is None:
        raise InvalidEventError("neither userId nor anonymousId says whose event it is", code="no_user_anon_id")
    return user, anonymous


def _type_and_name(call: Call) -> tuple[EventType, str]:
    match call.type:
        case "identify" | "page" | "screen" | "group" | "alias":
            return call.type, FIXED_NAMES[call.type]
        case "track":
            name = (call.event or "").strip()
            if not name:
                raise InvalidEventError("a track call needs its event's name", code="no_event_name")
            if len(name) > MAX_NAME_LENGTH:
                raise InvalidEventError(f"the event's name is longer than {MAX_NAME_LENGTH}", code="name_too_long")
            return "track", name
        case "consent" if isinstance(call, ConsentCall):
            if call.status not in CONSENT_NAMES:
                raise InvalidEventError("status is granted or revoked", code="invalid_status")
            if not 0 < len(call.topic) <= MAX_NAME_LENGTH:
                raise InvalidEventError(f"topic has 1 to {MAX_NAME_LENGTH} characters", code="invalid_topic")
            return "consent", CONSENT_NAMES[call.status]
        case _:
            raise InvalidEventError(
                "type is identify, track, page, screen, group, alias or consent", code="invalid_type"
            )


def _properties(call: Call) -> dict[str, Any]:
    properties = dict(call.properties or {})
    if isinstance(call, ConsentCall):
        properties |= {"topic": call.topic, "channel": call.channel, "status": call.status}
    elif call.type in ("page", "screen"):
        for field, value in (("name", call.name), ("category", call.category)):
            if value is not None:
                properties.setdefault(field, value)
    return properties


def required(event_type: str, kind: str, field: str, value: _Id) -> str | None:
    """Return an id that calls of ``event_type`` must have. Raises InvalidEventError."""
    found = _identifier(field, value)
    if kind == event_type and found is None:
        raise InvalidEventError(f"a call of type {kind} needs {field}", code=f"no_{field[:-2]}_id")
    return found


def _identifier(field: str, value: _Id) -> str | None:
    """Return an id as text, None for an empty one. Raises InvalidEventError for one that nobody can have."""
    if value is None:
        return None
    text = str(value)
    bare = text.strip()
    if not bare:
        return None
    if len(text) > MAX_ID_LENGTH:
        raise InvalidEventError(f"{field} is longer than {MAX_ID_LENGTH} characters", code="id_too_long")
    # Of what is printable nothing is a control character; the rest is looked at one by one.
    control = not text.isprintable() and any(character < " " for character in text)
    if control or bare.lower() in BANNED_IDS:
        raise InvalidEventError(f"{field} is a value that no contact can have", code="illegal_distinct_id")
    return text


def message_id_of(value: _Id) -> str | None:
    """Return a call's id as text, None for none. One too long is replaced by its hash, so that a repeat is known."""
    text = "" if value is None else str(value)
    return derived_id("message", text) if len(text) > MAX_MESSAGE_ID_LENGTH else text or None
