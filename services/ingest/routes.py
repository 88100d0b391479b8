"""The endpoints: a row of each format's table, and the enrolments."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response, Security
from fastapi.security import HTTPBearer

from services.ingest.describe import describe_enrolment, describe_route, describe_setup
from services.ingest.direct import Endpoint
from services.ingest.errors import IngestError, NotFoundError, status_of
from services.ingest.formats import jitsu, posthog, rudderstack, segment
from services.ingest.formats.base import GIF, OK, Route, Setup
from services.ingest.intake import Intake
from shared.log import LogUnavailableError

FORMATS = (segment, rudderstack, jitsu, posthog)
"""Every wire format, the one with the most traffic first: paths are looked for in this order."""

_SETUP_MAX_AGE = 3600

_TAKEN = Response(OK, media_type="application/json")
"""The answer to almost every request; nothing that sends it changes it."""


def express_routes() -> dict[tuple[str, str], Route]:
    """Return the routes that ``Express`` may answer, by method and path: all that say what became of the events."""
    rows = [route for wire in FORMATS for route in wire.ROUTES if not route.pixel]
    return {(method, path): route for route in rows for method in route.methods for path in route.paths}


def response_of(answer: bytes) -> Response:
    """Return the answer of a request that was taken."""
    return _TAKEN if answer is OK else Response(answer, media_type="application/json")


def create_router(intake: Intake) -> tuple[APIRouter, dict[tuple[str, str], Endpoint]]:
    """Return the routes that write to the log through ``intake``, and of those that take events the short way.

    That is the endpoint of each method and path (``Direct``).
    """
    router = APIRouter()
    direct: dict[tuple[str, str], Endpoint] = {}
    for wire in FORMATS:
        for route in wire.ROUTES:
            endpoint = _pixel(intake, route) if route.pixel else _endpoint(intake, route)
            _add(router, route, endpoint, describe_route(route))
            direct |= {(method, path): endpoint for method in route.methods for path in route.paths}
        for setup in wire.SETUPS:
            _add(router, setup, _setup(intake, setup), describe_setup(setup))
    router.add_api_route(
        "/v1/journeys/{journey}/enrolments",
        _enrolment_endpoint(intake),
        methods=["POST"],
        status_code=202,
        dependencies=[Security(HTTPBearer(scheme_name="admin", auto_error=False))],
        name="enrolments",
        tags=["enrolments"],
        **describe_enrolment(),
    )
    return router, direct


def _add(router: APIRouter, row: Route | Setup, endpoint: Endpoint, description: dict[str, Any]) -> None:
    for path in row.paths:
        for method in row.methods:
            # One by one, for each has an operation id of its own.
            router.add_api_route(
                path, endpoint, methods=[method], name=path, tags=[row.format], summary=row.about, **description
            )


def _endpoint(intake: Intake, route: Route) -> Endpoint:
    async def take(request: Request) -> Response:
        arrived, plan = await intake.accept(request, route)
        return response_of(route.answer(arrived, plan))

    return take


def _pixel(intake: Intake, route: Route) -> Endpoint:
    async def take(request: Request) -> Response:
        try:
            await intake.accept(request, route)
            status = 200
        except (IngestError, LogUnavailableError) as error:
            # A browser shows it all the same; the status is for whoever looks at the network.
            status = status_of(error)
        return Response(GIF, status, {"cache-control": "no-store"}, media_type="image/gif")

    return take


def _setup(intake: Intake, setup: Setup) -> Endpoint:
    async def answer(request: Request) -> Response:
        key: str = request.path_params.get("key", "")
        if key and not intake.admission.counts(key):
            raise NotFoundError("the write key is not known here")
        if not key and setup.keyed:
            key = intake.admission.key_of(request.headers, request.query_params)
        headers = {"cache-control": f"public, max-age={_SETUP_MAX_AGE}"}
        return Response(setup.answer(key), headers=headers, media_type=setup.media_type)

    return answer


def _enrolment_endpoint(intake: Intake) -> Endpoint:
    async def enrol(request: Request) -> Response:
        await intake.accept_enrolment(request, request.path_params["journey"])
        return Response(OK, status_code=202, media_type="application/json")

    return enrol
