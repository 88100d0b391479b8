"""What a request's body becomes in the log. Pure: a body in, records and refusals out."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

import msgspec
import orjson

from services.ingest.body import Body, decode_item, encoded
from services.ingest.calls import Calls
from services.ingest.client_address import UNKNOWN, ClientAddress
from services.ingest.enrolments import to_enrolment
from services.ingest.errors import ForbiddenError, IngestError, InvalidEventError, TooLargeError
from services.ingest.keys import EVERY_TYPE, Source
from services.ingest.limits import STANDARD, Limits, check_shape
from services.ingest.schemas import Call, to_call, to_event
from services.ingest.screening import Screen
from services.ingest.unread import Passes, shortcut
from shared.ids import contact_key
from shared.log import Output, fits
from shared.messages.codec import encode
from shared.messages.dead_letter import DeadLetter
from shared.messages.event import Anonymised, Event, EventType
from shared.messages.topics import EVENTS, EVENTS_DLQ

Silences = Callable[[object, Mapping[str, Any] | None], bool]

STEP = 100
"""Events that are planned at once: some milliseconds, if each of them is read."""


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """Whose request it is: the source that its write key belongs to, and the client behind it."""

    source: Source
    client: ClientAddress = UNKNOWN


class Rejection(msgspec.Struct, frozen=True):
    """One event of a batch that was not accepted; its place in the batch and the rule that it breaks."""

    index: int
    code: str
    message: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The records to write, how many of them are accepted events, how many ``items`` came, and what was refused.

    ``refusal``: the request is one call, and this is what is wrong with it.
    """

    outputs: tuple[Output, ...]
    accepted: int
    items: int = 1
    rejections: tuple[Rejection, ...] = ()
    refusal: IngestError | None = None


def _none(_item: object, _shared: Mapping[str, Any] | None) -> bool:
    return False


def _none_passes(_name: str, _user_id: str | None, _anonymous_id: str | None) -> bool:
    return False


def plan_calls(
    calls: Calls,
    size: int,
    sender: Sender,
    *,
    received_at: int,
    new_message_id: Callable[[], str],
    screen: Screen,
    silences: Silences = _none,
    passes: Passes = _none_passes,
) -> Plan:
    """Return what ``plan_steps`` comes to."""
    steps = plan_steps(
        calls,
        size,
        sender,
        received_at=received_at,
        new_message_id=new_message_id,
        screen=screen,
        silences=silences,
        passes=passes,
    )
    while True:
        try:
            next(steps)
        except StopIteration as end:
            plan: Plan = end.value
            return plan


def plan_steps(
    calls: Calls,
    size: int,
    sender: Sender,
    *,
    received_at: int,
    new_message_id: Callable[[], str],
    screen: Screen,
    silences: Silences = _none,
    passes: Passes = _none_passes,
) -> Generator[None, None, Plan]:
    """Return the records of a request of ``size`` bytes: what ``screen`` returns of its good events, and dead letters.

    Nothing is kept of a bad one that ``silences`` (with the context of its batch) says must leave nothing. Of an event
    that ``passes`` the screen would return the same, unless the event says something of a consent. Yields after each
    ``STEP`` events: whoever has others to see to does it then.

    Raises IngestError when the request as a whole cannot be taken.
    """
    limits = sender.source.limits
    if len(calls.items) > limits.batch_events:
        raise TooLargeError(f"the batch has more than {limits.batch_events} events")
    shared = encoded(calls.context) if calls.context else b""
    # Each event is written with it, so that a small request would make a large one of a long list.
    whole = size + len(shared) * max(0, len(calls.items) - 1)
    if not calls.alone and whole > limits.batch_bytes:
        raise TooLargeError(f"the batch, its context in each event, is larger than {limits.batch_bytes} bytes")
    if calls.context:
        _check(calls.context, limits)
    outputs: list[Output] = []
    rejections: list[Rejection] = []
    accepted = 0
    refusal: IngestError | None = None
    short_way = shortcut(
        calls,
        sender.source,
        sender.client,
        received_at=received_at,
        new_message_id=new_message_id,
        passes=passes,
    )
    for index, arrived in enumerate(calls.items):
        if index and not index % STEP:
            yield
        item = arrived
        if isinstance(arrived, msgspec.Raw):
            raw = bytes(arrived)
            output = short_way(raw)
            if output is not None:
                outputs.append(output)
                accepted += 1
                continue
            item = decode_item(raw)
        try:
            _check(item, limits, len(shared))
            made = [
                _screened(
                    screen,
                    sender.source,
                    to_event(
                        _allowed(to_call(call, calls.event_type), sender.source),
                        received_at,
                        new_message_id,
                        outer=calls,
                        client=sender.client,
                    ),
                )
                for call in (calls.read(item) if calls.read else (item,))
            ]
            written = [event_output(event) for event in made if event is not None]
        except IngestError as error:
            if calls.alone:
                refusal = error
            if silences(item, calls.context):
                continue
            rejections.append(Rejection(index, error.code, str(error)))
            foreign = calls.read is not None
            outputs.append(
                dead_letter(_as_json(item), error, received_at, sender.source, calls.event_type, foreign=foreign)
            )
        else:
            outputs += written
            accepted += len(written)
    return Plan(
        outputs=tuple(outputs),
        accepted=accepted,
        items=len(calls.items),
        rejections=tuple(rejections),
        refusal=refusal,
    )


def plan_enrolment(body: Body, journey: str, key: str, *, received_at: int) -> Plan:
    """Return the one record of an enrolment. Raises IngestError."""
    _check(body.value, STANDARD)
    wish = to_enrolment(body.value, journey, key, received_at)
    contact = contact_key(wish.user_id, wish.anonymous_id) or ""
    return Plan(outputs=(Output(topic=EVENTS, key=contact.encode(), value=encode(wish)),), accepted=1)


def event_output(event: Event | Anonymised) -> Output:
    """Return the record of ``event``, under its contact's key; that of nobody's event under its own id."""
    key = event.id if isinstance(event, Anonymised) else contact_key(event.user_id, event.anonymous_id)
    if key is None:
        raise InvalidEventError("the event belongs to nobody", code="no_user_anon_id")
    output = Output(topic=EVENTS, key=key.encode(), value=encode(event))
    if not fits(output):
        raise TooLargeError("the event's record is larger than the log takes", code="event_too_large")
    return output


def _allowed(call: Call, source: Source) -> Call:
    """Return ``call``. Raises ForbiddenError when ``source`` may not send such events."""
    # A type that is none at all is for ``to_event`` to refuse.
    if call.type in EVERY_TYPE and call.type not in source.allow:
        raise ForbiddenError(f"the write key may not send events of type {call.type}")
    return call


def _screened(screen: Screen, source: Source, event: Event) -> Event | Anonymised | None:
    """Return what ``screen`` does of ``event``. Raises ForbiddenError when that is one that ``source`` may not send."""
    found = screen(event)
    # Segment's consent tools tell of a consent by a track call.
    if isinstance(found, Event) and found.type not in source.allow:
        raise ForbiddenError(f"the write key may not send events of type {found.type}")
    return found


def _check(item: object, limits: Limits, more: int = 0) -> None:
    """Raise IngestError when ``item``, and ``more`` bytes beside it, is larger than an event may be, or misshapen."""
    text = encoded(item)
    if len(text) + more > limits.event_bytes:
        raise TooLargeError(f"the event is larger than {limits.event_bytes} bytes", code="event_too_large")
    check_shape(item, text, limits)


def dead_letter(
    value: bytes | None, error: IngestError, at: int, source: Source, event_type: EventType | None, *, foreign: bool
) -> Output:
    """Return what sets aside ``value``, which ``error`` refuses; without it where it is larger than the log takes."""
    letter = DeadLetter(
        topic=EVENTS,
        partition=-1,
        offset=-1,
        reason=error.code,
        detail=error.detail,
        at=at,
        key=None,
        value=value,
        source=source.name,
        event_type=event_type,
        foreign=foreign,
    )
    output = Output(topic=EVENTS_DLQ, key=None, value=encode(letter))
    if fits(output):
        return output
    # Written all the same, for the other events of the batch must not wait for it for ever.
    detail = f"{error.detail}; of {len(value or b'')} bytes, too many to be kept"
    bare = msgspec.structs.replace(letter, value=None, detail=detail)
    return Output(topic=EVENTS_DLQ, key=None, value=encode(bare))


def _as_json(item: object) -> bytes | None:
    try:
        return orjson.dumps(item)
    except orjson.JSONEncodeError:
        # Nested deeper than can be written.
        return None
