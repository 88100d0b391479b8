"""What RudderStack's libraries send beside Segment's calls (github.com/rudderlabs/rudder-server, gateway).

Its routes merge (joins two users: here nobody ever does), audiencelist (uploads to advertisers) and webhook (of others'
servers) have no meaning here.
"""

from __future__ import annotations

from typing import Any

import msgspec

from services.ingest.formats import segment
from services.ingest.formats.base import Route, Setup, batch_schema, schema_of
from services.ingest.formats.pixels import from_query
from services.ingest.schemas import Call
from services.ingest.unread import unread_batch
from shared.clock import to_iso
from shared.messages.event import EventType

NAME = "rudderstack"


def source_config(key: str) -> bytes:
    """Return what the browser library asks for first: no destinations, and no reports on the library itself."""
    quiet = {"errors": {"enabled": False}, "metrics": {"enabled": False}}
    source: dict[str, Any] = {
        "id": "kikkake",
        "name": "Kikkake",
        "writeKey": key,
        "enabled": True,
        "workspaceId": "kikkake",
        "updatedAt": to_iso(0),
        "config": {"statsCollection": quiet},
        "destinations": [],
        "dataplanes": {},
    }
    return msgspec.json.encode({"source": source, "updatedAt": to_iso(0)})


def _pixel(event_type: EventType) -> Route:
    return Route(
        format=NAME,
        paths=(f"/pixel/v1/{event_type}",),
        methods=("GET",),
        decode=from_query,
        read=segment.read_call(event_type),
        pixel=True,
        parameters=("writeKey", "anonymousId", "userId", "event" if event_type == "track" else "name"),
        about=f"Take one {event_type} call from an image's address.",
    )


ROUTES = (
    Route(
        format=NAME,
        paths=("/beacon/v1/batch",),
        read=segment.read_batch,
        unread=unread_batch,
        schema=batch_schema(schema_of(Call), "sentAt"),
        parameters=("writeKey",),
        about="Take the calls that a page sends as it is left.",
    ),
    _pixel("track"),
    _pixel("page"),
)

SETUPS = (
    Setup(
        format=NAME,
        paths=("/sourceConfig/", "/sourceConfig"),
        answer=source_config,
        about="Return what RudderStack's browser library asks for first.",
    ),
)
