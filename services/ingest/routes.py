"""The endpoints of the Segment wire format."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import orjson
from fastapi import APIRouter, Request, Response, Security
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer

from services.ingest.enrolments import MAX_KEY_LENGTH, EnrolmentCall
from services.ingest.errors import NotFoundError
from services.ingest.intake import Intake
from services.ingest.plan import Plan
from services.ingest.schemas import Call, ConsentCall
from shared.messages.event import EventType

CALLS: tuple[tuple[EventType, str], ...] = (
    ("identify", "i"),
    ("track", "t"),
    ("page", "p"),
    ("screen", "s"),
    ("group", "g"),
    ("alias", "a"),
)
"""Each call and its short form, which the browser library uses."""

BATCH_PATHS = ("/v1/batch", "/v1/import", "/v1/b", "/beacon/v1/batch")
"""A batch by any name: ``import`` is the old libraries' and Rudder's, ``beacon`` Rudder's on leaving the page."""

_OK = b'{"success": true}'
_SETTINGS_MAX_AGE = 3600

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]


def create_router(intake: Intake) -> APIRouter:
    """Return the routes that write to the log through ``intake``."""
    router = APIRouter(tags=["ingest"])
    for event_type, short in CALLS:
        _post(router, f"/v1/{event_type}", _call_endpoint(intake, event_type), _schema(Call))
        _post(router, f"/v1/{short}", _call_endpoint(intake, event_type), None)
    batch = {"type": "object", "properties": {"batch": {"type": "array", "items": _schema(Call)}}}
    for path in BATCH_PATHS:
        _post(router, path, _batch_endpoint(intake), batch if path == "/v1/batch" else None)
    _post(router, "/v1/consent", _call_endpoint(intake, "consent"), _schema(ConsentCall))
    router.add_api_route(
        "/v1/journeys/{journey}/enrolments",
        _enrolment_endpoint(intake),
        methods=["POST"],
        status_code=202,
        dependencies=[Security(HTTPBearer(scheme_name="admin", auto_error=False))],
        openapi_extra=_enrolment_schema(),
        name="enrolments",
        summary="enrolments",
    )
    router.add_api_route("/v1/projects/{key}/settings", _settings_endpoint(intake), methods=["GET"])
    return router


def _call_endpoint(intake: Intake, event_type: EventType) -> Endpoint:
    async def call(request: Request) -> Response:
        return _answer(await intake.accept_call(request, event_type))

    call.__doc__ = f"Take one {event_type} call. 200 means that it is durable."
    return call


def _batch_endpoint(intake: Intake) -> Endpoint:
    async def batch(request: Request) -> Response:
        """Take many calls. 200 means that the good ones are durable; ``errors`` names the others."""
        return _answer(await intake.accept_batch(request))

    return batch


def _enrolment_endpoint(intake: Intake) -> Callable[[Request, str], Coroutine[Any, Any, Response]]:
    async def enrol(request: Request, journey: str) -> Response:
        """Let a contact enter a journey that has an ``api`` trigger. 202 means that the wish is durable."""
        await intake.accept_enrolment(request, journey)
        return Response(_OK, status_code=202, media_type="application/json")

    return enrol


def _enrolment_schema() -> dict[str, Any]:
    key = {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH}
    return {
        "parameters": [{"name": "Idempotency-Key", "in": "header", "required": True, "schema": key}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": _schema(EnrolmentCall)}}},
    }


def _settings_endpoint(intake: Intake) -> Callable[[str], Coroutine[Any, Any, Response]]:
    async def settings(key: str) -> Response:
        """Return what Segment's browser library asks for first. Without a 200 here it sends nothing at all."""
        if key not in intake.write_keys:
            raise NotFoundError("the write key is not known here")
        return JSONResponse(
            {"integrations": {"Segment.io": {"apiKey": key}}, "plan": {"track": {"__default": {"enabled": True}}}},
            headers={"cache-control": f"public, max-age={_SETTINGS_MAX_AGE}"},
        )

    return settings


def _answer(plan: Plan) -> Response:
    if not plan.rejections:
        return Response(_OK, media_type="application/json")
    errors = [msgspec.to_builtins(rejection) for rejection in plan.rejections]
    return Response(orjson.dumps({"success": True, "errors": errors}), media_type="application/json")


def _post(router: APIRouter, path: str, endpoint: Endpoint, schema: dict[str, Any] | None) -> None:
    """Add a POST route; ``schema`` None leaves it out of the documentation, as another name of one that is in it."""
    extra = {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
    router.add_api_route(
        path,
        endpoint,
        methods=["POST"],
        openapi_extra=extra if schema else None,
        include_in_schema=schema is not None,
        name=path,
        summary=path.rpartition("/")[2],
    )


def _schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the JSON Schema of a flat struct, without references."""
    schema: dict[str, Any] = msgspec.json.schema(kind)["$defs"][kind.__name__]
    return schema
