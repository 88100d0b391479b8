"""The OpenAPI description of each route, as it is and not as FastAPI would guess it."""

from __future__ import annotations

from typing import Any

from services.ingest.enrolments import MAX_KEY_LENGTH, EnrolmentCall
from services.ingest.formats.base import Route, Setup, schema_of

_ERROR = {
    "type": "object",
    "required": ["success", "code", "message", "detail"],
    "properties": {
        "success": {"const": False},
        "code": {"type": "string"},
        "message": {"type": "string"},
        "detail": {"type": "string"},
    },
}
_SUCCESS = {
    "type": "object",
    "required": ["success"],
    "properties": {
        "success": {"const": True},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["index", "code", "message"],
                "properties": {
                    "index": {"type": "integer"},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}
_REFUSALS = {
    400: "Correct the call: it will be refused again",
    401: "No write key that is known here",
    403: "Not for this write key, or not from a page of this site",
    413: "Too large",
    429: "Too fast: send it again after Retry-After",
    503: "Not taken: send it again after Retry-After",
}

_ENROLMENT = """Whether the contact enters is decided where its events are, and stands in the journal.

`Idempotency-Key` names the enrolment within its journey: the same key again within 48 hours changes nothing. The run
begins with `context`; `timestamp` says when the cause happened, now if it is left out."""
_ENROLMENTS = [
    {"userId": "u1", "context": {"order": "A-7", "delay_days": 3}, "timestamp": "2026-03-02T01:55:00Z"},
    {"anonymousId": "3c1f"},
]


def describe_route(route: Route) -> dict[str, Any]:
    """Return what FastAPI is told of a route that takes events."""
    answer = route.answer_schema or _SUCCESS
    media = {"image/gif": {}} if route.pixel else {"application/json": {"schema": answer}}
    refusal = media if route.pixel else _json(_ERROR)
    responses: dict[int | str, Any] = {200: {"description": "Durable", "content": media}}
    responses |= {status: {"description": text, "content": refusal} for status, text in _REFUSALS.items()}
    extra: dict[str, Any] = {"parameters": [_parameter(name) for name in route.parameters]}
    if route.schema is not None:
        extra["requestBody"] = {"required": True, "content": _json(route.schema)}
    return {"responses": responses, "openapi_extra": extra}


def describe_setup(setup: Setup) -> dict[str, Any]:
    """Return what FastAPI is told of a route that a library asks before it sends."""
    responses: dict[int | str, Any] = {200: {"description": "As it expects", "content": {setup.media_type: {}}}}
    by_path = "{key}" in setup.paths[0]
    if by_path or setup.keyed:
        refusal = {"description": "The write key is not known here", "content": _json(_ERROR)}
        responses[404 if by_path else 401] = refusal
    return {"responses": responses, "openapi_extra": {"parameters": [_parameter("key", "path")] if by_path else []}}


def describe_enrolment() -> dict[str, Any]:
    """Return what FastAPI is told of the route of enrolments."""
    key = {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH}
    responses: dict[int | str, Any] = {202: {"description": "The wish is durable", "content": _json(_SUCCESS)}}
    texts = {**_REFUSALS, 401: "Only the admin may ask for it"}
    responses |= {status: {"description": text, "content": _json(_ERROR)} for status, text in texts.items()}
    parameters = [
        _parameter("journey", "path"),
        {"name": "Idempotency-Key", "in": "header", "required": True, "schema": key},
    ]
    body = {"required": True, "content": _json({**schema_of(EnrolmentCall), "examples": _ENROLMENTS})}
    return {
        "summary": "Let a contact enter a journey that has an `api` trigger. 202 means that the wish is durable.",
        "description": _ENROLMENT,
        "responses": responses,
        "openapi_extra": {"parameters": parameters, "requestBody": body},
    }


def describe_webhook() -> dict[str, Any]:
    """Return what FastAPI is told of the route of webhooks."""
    responses: dict[int | str, Any] = {200: {"description": "Durable", "content": _json(_SUCCESS)}}
    texts = {**_REFUSALS, 401: "The signature or token is missing or wrong", 404: "There is no such source"}
    responses |= {status: {"description": text, "content": _json(_ERROR)} for status, text in texts.items()}
    content = {**_json({}), "application/x-www-form-urlencoded": {"schema": {"type": "object"}}}
    extra = {"parameters": [_parameter("source", "path")], "requestBody": {"required": True, "content": content}}
    return {"responses": responses, "openapi_extra": extra}


def _parameter(name: str, place: str = "query") -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": {"type": "string"}}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
