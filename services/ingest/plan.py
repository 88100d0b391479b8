"""What a request's body becomes in the log. Pure: a body in, records and refusals out."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import orjson

from services.ingest.body import Body, encoded_size
from services.ingest.enrolments import to_enrolment
from services.ingest.errors import IngestError, InvalidEventError, TooLargeError
from services.ingest.schemas import to_call, to_event
from shared.ids import contact_key
from shared.log import Output
from shared.messages.codec import encode
from shared.messages.dead_letter import DeadLetter
from shared.messages.event import Event, EventType
from shared.messages.topics import EVENTS, EVENTS_DLQ


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much is taken at once: Segment's limits, and our own for what waits in memory."""

    event_bytes: int = 32 * 1024
    # The clients fill a batch up to 500 KiB of events and put their envelope around it.
    batch_bytes: int = 512 * 1024
    batch_events: int = 2_500
    in_flight_bytes: int = 32 * 1024 * 1024


class Rejection(msgspec.Struct, frozen=True):
    """One event of a batch that was not accepted; its place in the batch and the rule that it breaks."""

    index: int
    code: str
    message: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The records to write, how many of them are accepted events, and what was refused."""

    outputs: tuple[Output, ...]
    accepted: int
    rejections: tuple[Rejection, ...] = ()


def plan_call(
    body: Body, event_type: EventType, *, limits: Limits, received_at: int, new_message_id: Callable[[], str]
) -> Plan:
    """Return the one record of a single call. Raises IngestError."""
    if body.size > limits.event_bytes:
        _check_size(body.value, limits)
    event = to_event(to_call(body.value, event_type), received_at, None, new_message_id)
    return Plan(outputs=(event_output(event),), accepted=1)


def plan_enrolment(body: Body, journey: str, key: str, *, limits: Limits, received_at: int) -> Plan:
    """Return the one record of an enrolment. Raises IngestError."""
    if body.size > limits.event_bytes:
        _check_size(body.value, limits)
    wish = to_enrolment(body.value, journey, key, received_at)
    contact = contact_key(wish.user_id, wish.anonymous_id) or ""
    return Plan(outputs=(Output(topic=EVENTS, key=contact.encode(), value=encode(wish)),), accepted=1)


def plan_batch(body: Body, *, limits: Limits, received_at: int, new_message_id: Callable[[], str]) -> Plan:
    """Return the records of a batch: its good events, and a dead letter for each bad one.

    Raises IngestError when the batch as a whole cannot be taken.
    """
    items = body.value.get("batch")
    if not isinstance(items, list):
        raise InvalidEventError("batch is a list of events", code="invalid_batch")
    if body.size > limits.batch_bytes:
        raise TooLargeError(f"the batch is larger than {limits.batch_bytes} bytes")
    if len(items) > limits.batch_events:
        raise TooLargeError(f"the batch has more than {limits.batch_events} events")
    context = body.value.get("context")
    outer_context = context if isinstance(context, dict) else None
    outputs: list[Output] = []
    rejections: list[Rejection] = []
    for index, item in enumerate(items):
        try:
            if body.size > limits.event_bytes:
                _check_size(item, limits)
            event = to_event(to_call(item), received_at, body.value.get("sentAt"), new_message_id, outer_context)
            outputs.append(event_output(event))
        except IngestError as error:
            rejections.append(Rejection(index, error.code, str(error)))
            outputs.append(_dead_letter(item, error, received_at))
    return Plan(outputs=tuple(outputs), accepted=len(items) - len(rejections), rejections=tuple(rejections))


def event_output(event: Event) -> Output:
    """Return the record of ``event``, under its contact's key."""
    key = contact_key(event.user_id, event.anonymous_id)
    if key is None:
        raise InvalidEventError("the event belongs to nobody", code="no_user_anon_id")
    return Output(topic=EVENTS, key=key.encode(), value=encode(event))


def _check_size(item: object, limits: Limits) -> None:
    if encoded_size(item) > limits.event_bytes:
        raise TooLargeError(f"the event is larger than {limits.event_bytes} bytes", code="event_too_large")


def _dead_letter(item: object, error: IngestError, at: int) -> Output:
    try:
        value = orjson.dumps(item)
    except orjson.JSONEncodeError:
        # Nested deeper than can be written.
        value = None
    letter = DeadLetter(
        topic=EVENTS, partition=-1, offset=-1, reason=error.code, detail=error.detail, at=at, key=None, value=value
    )
    return Output(topic=EVENTS_DLQ, key=None, value=encode(letter))
