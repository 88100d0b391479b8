"""PostHog's routes: where its libraries send, what they ask for first, and what they expect to hear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from services.ingest.body import Body, decode_body, decode_data
from services.ingest.calls import Calls
from services.ingest.errors import HeldBackError, InvalidEventError
from services.ingest.formats.base import Arrived, Route, Setup, schema_of
from services.ingest.formats.posthog_events import PostHogEvent, to_calls
from services.ingest.plan import Plan

NAME = "posthog"

_DIGITS = 20
"""Milliseconds have 13; Python refuses to read a number of thousands."""


def from_body_or_query(raw: bytes, query: Mapping[str, str], limit: int) -> Body:
    """Return the JSON of a POST's body, or of a GET's field ``data``. Raises as ``decode_body`` does."""
    if not raw and "data" in query:
        return decode_data(query["data"].encode(), limit=limit)
    return decode_body(raw, limit=limit)


def read(arrived: Arrived) -> Calls:
    """Return the calls of a request: a ``batch``, a list, or one event alone. Raises InvalidEventError."""
    sent_at = _sent_at(arrived)
    library, _, _ = arrived.headers.get("posthog-sdk-info", "").partition("/")
    return Calls(
        items=_items(arrived.body),
        read=lambda item: to_calls(item, sent_at=sent_at, library=library or None),
        alone=isinstance(arrived.body, dict) and "batch" not in arrived.body,
    )


def read_engage(arrived: Arrived) -> Calls:
    """Return the calls of /engage/, where an event has no name and changes traits."""
    calls = read(arrived)
    named = [{"event": "$identify", **item} if isinstance(item, dict) else item for item in calls.items]
    return msgspec.structs.replace(calls, items=named)


def answer(_arrived: Arrived, plan: Plan) -> bytes:
    """Return PostHog's answer and ours in one."""
    body: dict[str, Any] = {"success": True, "status": 1}
    if plan.rejections:
        body["errors"] = plan.rejections
    return msgspec.json.encode(body)


def answer_each(arrived: Arrived, plan: Plan) -> bytes:
    """Return the verdict on each event by its uuid: taken, or never to be sent again."""
    results: dict[str, Any] = {}
    refused = {rejection.index: rejection for rejection in plan.rejections}
    for index, item in enumerate(_items(arrived.body)):
        uuid = item.get("uuid") if isinstance(item, dict) else None
        if not isinstance(uuid, str):
            continue
        rejection = refused.get(index)
        results[uuid] = {"result": "ok"} if rejection is None else {"result": "drop", "details": rejection.message}
    return msgspec.json.encode({"success": True, "results": results})


def config(key: str) -> dict[str, Any]:
    """Return the remote configuration: events are taken, and nothing else is to be loaded.

    Feature flags count as there, or the library never tells a page that waits for them that all are off.
    """
    return {
        "token": key,
        "supportedCompression": ["gzip-js"],
        "hasFeatureFlags": True,
        "autocapture_opt_out": True,
        "capturePerformance": False,
        "captureDeadClicks": False,
        "elementsChainAsString": True,
        "heatmaps": False,
        "sessionRecording": False,
        "surveys": False,
        "productTours": False,
        "conversations": False,
        "siteApps": [],
        "isAuthenticated": False,
        "toolbarParams": {},
        "defaultIdentifiedOnly": True,
        "errorTracking": {"autocaptureExceptions": False, "suppressionRules": []},
    }


def config_script(key: str) -> bytes:
    """Return the same as the script by which the browser library asks for it first."""
    token, found = msgspec.json.encode(key).decode(), msgspec.json.encode(config(key)).decode()
    place = "window._POSTHOG_REMOTE_CONFIG"
    return f"({place} = {place} || {{}})[{token}] = {{config: {found}, siteApps: []}};".encode()


def flags(_key: str) -> bytes:
    """Return that there are no feature flags."""
    empty: dict[str, Any] = {"flags": {}, "featureFlags": {}, "featureFlagPayloads": {}}
    return msgspec.json.encode({**empty, "errorsWhileComputingFlags": False, "quotaLimited": []})


def _items(body: object) -> list[object]:
    items = body.get("batch", [body]) if isinstance(body, dict) else body
    if not isinstance(items, list):
        raise InvalidEventError("batch is a list of events", code="invalid_batch")
    return items


def _sent_at(arrived: Arrived) -> object:
    """Return when the request was sent, in the body or in one of the other places where the libraries say it."""
    if isinstance(arrived.body, dict) and (said := arrived.body.get("sent_at")):
        return said
    query = (arrived.query.get(name, "") for name in ("sent_at", "_"))
    numbers = (int(said) for said in query if len(said) < _DIGITS and said.isascii() and said.isdigit())
    return next(numbers, None) or arrived.headers.get("posthog-request-timestamp")


_EVENT = schema_of(PostHogEvent)
_BODY: dict[str, Any] = {
    "anyOf": [
        {
            "type": "object",
            "required": ["batch"],
            "properties": {
                "api_key": {"type": "string"},
                "sent_at": {"type": "string"},
                "batch": {"type": "array", "items": _EVENT},
            },
        },
        {"type": "array", "items": _EVENT},
        _EVENT,
    ]
}
_ANSWER: dict[str, Any] = {
    "type": "object",
    "required": ["success", "status"],
    "properties": {"success": {"const": True}, "status": {"const": 1}, "errors": {"type": "array"}},
}
_VERDICTS: dict[str, Any] = {
    "type": "object",
    "required": ["success", "results"],
    "properties": {
        "success": {"const": True},
        "results": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["result"],
                "properties": {"result": {"enum": ["ok", "drop"]}, "details": {"type": "string"}},
            },
        },
    },
}


def _paths(*names: str) -> tuple[str, ...]:
    """Return each path with and without its last slash: the libraries have both."""
    return tuple(f"/{name}{slash}" for name in names for slash in ("/", ""))


def _capture(*names: str, engage: bool = False) -> Route:
    return Route(
        format=NAME,
        paths=_paths(*names),
        methods=("POST", "GET"),
        decode=from_body_or_query,
        read=read_engage if engage else read,
        answer=answer,
        # posthog-js sends again after a 5xx alone.
        too_fast=HeldBackError,
        schema=_BODY,
        answer_schema=_ANSWER,
        parameters=("data", "api_key"),
        about="Change what is known of a person." if engage else "Take one event or many.",
    )


ROUTES = (
    _capture("batch", "e", "i/v0/e", "capture", "track"),
    _capture("engage", engage=True),
    Route(
        format=NAME,
        paths=_paths("i/v1/analytics/events"),
        read=read,
        answer=answer_each,
        schema=_BODY,
        answer_schema=_VERDICTS,
        about="Take many events; the answer says of each what became of it.",
    ),
)

SETUPS = (
    Setup(
        format=NAME,
        paths=("/array/{key}/config.js",),
        answer=config_script,
        media_type="text/javascript",
        about="Return what the browser library asks for first.",
    ),
    Setup(
        format=NAME,
        paths=("/array/{key}/config",),
        answer=lambda key: msgspec.json.encode(config(key)),
        about="Return the same as data.",
    ),
    Setup(
        format=NAME,
        paths=_paths("flags", "decide"),
        methods=("POST", "GET"),
        answer=flags,
        keyed=False,
        about="Return that there are no feature flags.",
    ),
)
