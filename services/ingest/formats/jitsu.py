"""Jitsu's API (github.com/jitsucom/bulker, ingest): Segment's calls under its own paths, with its own answer."""

from __future__ import annotations

from typing import Any

import msgspec

from services.ingest.formats import segment
from services.ingest.formats.base import Arrived, Route, Setup, batch_schema, schema_of
from services.ingest.formats.pixels import from_query
from services.ingest.plan import Plan
from services.ingest.schemas import Call
from services.ingest.unread import unread_batch, unread_call
from shared.messages.event import EventType

NAME = "jitsu"


def answer(_arrived: Arrived, plan: Plan) -> bytes:
    """Return what its libraries look for, and what every format of ours has."""
    refused = len(plan.rejections)
    body: dict[str, Any] = {
        "success": True,
        "ok": refused == 0,
        "receivedEvents": plan.items,
        "okEvents": plan.items - refused,
    }
    if refused:
        body["errors"] = plan.rejections
    return msgspec.json.encode(body)


_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
_ANSWER: dict[str, Any] = {
    "type": "object",
    "required": ["success", "ok", "receivedEvents", "okEvents"],
    "properties": {
        "success": {"const": True},
        "ok": {"type": "boolean"},
        "receivedEvents": _COUNT,
        "okEvents": _COUNT,
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}


def _call(event_type: EventType) -> Route:
    return Route(
        format=NAME,
        paths=(f"/api/s/{event_type}", f"/api/s/s2s/{event_type}"),
        read=segment.read_call(event_type),
        unread=unread_call(event_type),
        answer=answer,
        schema=schema_of(Call),
        answer_schema=_ANSWER,
        about=f"Take one {event_type} call.",
    )


def _pixel(event_type: EventType) -> Route:
    return Route(
        format=NAME,
        paths=(f"/api/px/{event_type}",),
        methods=("GET",),
        decode=from_query,
        read=segment.read_call(event_type),
        pixel=True,
        parameters=("data", "writeKey", "anonymousId", "userId"),
        about=f"Take one {event_type} call from an image's address.",
    )


_TYPES = tuple(event_type for event_type, _ in segment.CALLS)

ROUTES = (
    *(_call(event_type) for event_type in _TYPES),
    Route(
        format=NAME,
        paths=("/api/s/s2s/batch",),
        read=segment.read_batch,
        unread=unread_batch,
        answer=answer,
        schema=batch_schema(schema_of(Call), "sentAt"),
        answer_schema=_ANSWER,
        about="Take many calls of a server.",
    ),
    *(_pixel(event_type) for event_type in _TYPES),
)

SETUPS: tuple[Setup, ...] = ()
