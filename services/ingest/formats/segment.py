"""Segment's tracking API (github.com/segmentio/segment-docs, connections/sources/catalog/libraries/server/http-api).

It is the format that Kikkake's own calls are in; RudderStack's libraries send it too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from services.ingest.calls import Calls
from services.ingest.errors import InvalidEventError
from services.ingest.formats.base import Arrived, Route, Setup, batch_schema, object_of, schema_of
from services.ingest.formats.pixels import from_query
from services.ingest.schemas import Call, ConsentCall
from services.ingest.unread import unread_batch, unread_call
from shared.messages.event import EventType

NAME = "segment"

CALLS: tuple[tuple[EventType, str], ...] = (
    ("identify", "i"),
    ("track", "t"),
    ("page", "p"),
    ("screen", "s"),
    ("group", "g"),
    ("alias", "a"),
)
"""Each call and its short form, which the browser library uses."""


def read_call(event_type: EventType) -> Callable[[Arrived], Calls]:
    """Return a reader of one call of ``event_type``."""

    def read(arrived: Arrived) -> Calls:
        return Calls(items=[object_of(arrived)], event_type=event_type, alone=True)

    return read


def read_batch(arrived: Arrived) -> Calls:
    """Return the calls of a batch. Raises InvalidEventError when it has no list of them."""
    body = object_of(arrived)
    items, context = body.get("batch"), body.get("context")
    if not isinstance(items, list):
        raise InvalidEventError("batch is a list of events", code="invalid_batch")
    return Calls(
        items=items,
        sent_at=body.get("sentAt"),
        context=context if isinstance(context, dict) else None,
        historical=body.get("historical") is True,
    )


_CONSENTS = [
    {"userId": "u1", "topic": "cart_reminders", "status": "granted"},
    {"anonymousId": "3c1f", "topic": "news", "channel": "email", "status": "revoked"},
]


def _call(event_type: EventType, *paths: str, schema: dict[str, Any]) -> Route:
    return Route(
        format=NAME,
        paths=paths,
        read=read_call(event_type),
        unread=None if event_type == "consent" else unread_call(event_type),
        schema=schema,
        about=f"Take one {event_type} call. 200 means that it is durable.",
    )


ROUTES = (
    *(_call(kind, f"/v1/{kind}", f"/v1/{short}", schema=schema_of(Call)) for kind, short in CALLS),
    Route(
        format=NAME,
        paths=("/v1/batch", "/v1/b", "/v1/import"),
        read=read_batch,
        unread=unread_batch,
        schema=batch_schema(schema_of(Call), "sentAt", "writeKey"),
        about="Take many calls. 200 means that the good ones are durable; `errors` names the others.",
    ),
    _call("consent", "/v1/consent", schema={**schema_of(ConsentCall), "examples": _CONSENTS}),
    *(
        Route(
            format=NAME,
            paths=(f"/v1/pixel/{kind}",),
            methods=("GET",),
            decode=from_query,
            read=read_call(kind),
            pixel=True,
            parameters=("data", "writeKey"),
            about=f"Take one {kind} call from an image's address.",
        )
        for kind, _ in CALLS
    ),
)


def settings(key: str) -> bytes:
    """Return what the browser library asks for first. Without a 200 here it sends nothing at all."""
    plan = {"track": {"__default": {"enabled": True}}}
    return msgspec.json.encode({"integrations": {"Segment.io": {"apiKey": key}}, "plan": plan})


SETUPS = (
    Setup(
        format=NAME,
        paths=("/v1/projects/{key}/settings",),
        answer=settings,
        about="Return what Segment's browser library asks for first.",
    ),
)
