"""Composition root: the application, its CORS rules and how errors become answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import uuid4  # noqa: TID251 - the id of an event that came without one is the sender's loss

import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect

from services.ingest.admission import AddressRule, Admission
from services.ingest.auth import Admin
from services.ingest.direct import Application
from services.ingest.errors import CLIENT_GONE, IngestError, error_body, retry_headers, status_of
from services.ingest.express import Express
from services.ingest.gate import Bounds, Gate
from services.ingest.intake import BODY_SECONDS, Intake
from services.ingest.keys import KeyRing
from services.ingest.link_routes import Links, create_link_router
from services.ingest.origins import Origins
from services.ingest.routes import create_router, express_routes, response_of
from services.ingest.screening import Screening, Standards, load_standards
from services.ingest.webhook_routes import create_webhook_router
from services.ingest.webhooks.base import Hook
from services.ingest.webhooks.refusals import Refusals
from shared.clock import Clock, monotonic_clock, system_clock
from shared.errors import KikkakeError
from shared.health import Ready, health_routes
from shared.log import LogUnavailableError, Publisher
from shared.metrics import Metrics

_LOG = structlog.get_logger(__name__)

# Chrome's cap. With a short one, events sent on leaving the page wait for a preflight and are lost.
_PREFLIGHT_SECONDS = 7200

BOUNDS = Bounds()
ADDRESSES = AddressRule()
NO_HOOKS: Mapping[str, Hook] = {}

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def random_id() -> str:
    """Return the id of an event that came without one."""
    return str(uuid4())


def create_app(  # noqa: PLR0913 - the seams of the composition root, all by name
    *,
    publisher: Publisher,
    keys: KeyRing,
    ready: Ready,
    admin_token: str | None = None,
    clock: Clock = system_clock,
    metrics: Metrics | None = None,
    new_message_id: Callable[[], str] = random_id,
    bounds: Bounds = BOUNDS,
    origins: Origins | None = None,
    addresses: AddressRule = ADDRESSES,
    standards: Standards | None = None,
    hooks: Mapping[str, Hook] = NO_HOOKS,
    links: Links | None = None,
    machine_clock: Clock = system_clock,
    ticks: Clock = monotonic_clock,
    body_seconds: float = BODY_SECONDS,
    extra_routers: Iterable[APIRouter] = (),
    lifespan: Lifespan | None = None,
) -> FastAPI:
    """Return the ingest application over ``publisher``, which its host (or ``lifespan``) starts and stops.

    ``ready`` is asked for /readyz while the log has not failed of late. ``admin_token`` None: only the admins of the
    keys file may enrol contacts. ``origins`` None: pages of any site may send; ``standards`` None: events are held to
    those that everybody has; ``hooks`` are the webhooks that are taken, by name; ``links`` None: no message has
    links that lead here. ``clock`` is journey time; ``machine_clock`` decides whether a key counts, ``ticks``
    (monotonic) how fast a source sends. ``extra_routers`` are mounted beside ours, under the same rules for errors and
    CORS.
    """
    metrics = metrics or Metrics()
    gate = Gate(publisher, bounds, ticks)
    metrics.in_flight_bytes.set_function(lambda: gate.in_flight_bytes)
    intake = Intake(
        gate=gate,
        admission=Admission(keys, addresses, clock=machine_clock, ticks=ticks),
        admin=Admin(admin_token, lambda: keys.keys.admins, machine_clock),
        clock=clock,
        new_message_id=new_message_id,
        metrics=metrics,
        body_seconds=body_seconds,
        screen=Screening(standards or load_standards(None), metrics, new_message_id),
    )

    async def answers() -> bool:
        return gate.is_open() and await ready()

    app = Application(title="Kikkake", lifespan=lifespan, redoc_url=None)
    router, endpoints = create_router(intake)
    app.include_router(router)
    app.include_router(create_webhook_router(intake, hooks, Refusals(metrics, ticks)))
    if links is not None:
        app.include_router(create_link_router(intake, links, clock))
    for router in extra_routers:
        app.include_router(router)
    app.router.routes.extend(health_routes(answers, metrics.registry))
    cors: dict[str, Any] = {
        # Reflected, not "*": the events carry Authorization. There are no cookies, so no credentials either.
        "allow_origin_regex": ".*" if origins is None else origins.regex,
        "allow_methods": ["GET", "POST", "OPTIONS"],
        "allow_headers": ["*"],
        "expose_headers": ["Retry-After", "X-RateLimit-Reset"],
        "max_age": _PREFLIGHT_SECONDS,
    }
    app.add_middleware(CORSMiddleware, **cors)
    app.shorten(endpoints, around=lambda short: CORSMiddleware(short, **cors), answer_to=answer_to)
    app.express = Express(intake, gate, express_routes(), response_of=response_of, answer_to=answer_to).take
    _add_error_answers(app)
    return app


def _add_error_answers(app: FastAPI) -> None:
    async def answer(_request: Request, error: Exception) -> Response:
        return answer_to(error)

    for kind in (KikkakeError, ClientDisconnect, Exception):
        app.add_exception_handler(kind, answer)

    @app.exception_handler(HTTPException)
    async def no_route(_request: Request, error: HTTPException) -> Response:
        body = error_body(f"http_{error.status_code}", str(error.detail))
        return JSONResponse(body, error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> Response:
        faults = [f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()]
        return JSONResponse(error_body("invalid_request", "the request is not valid", "; ".join(faults)), 422)


def answer_to(error: Exception) -> Response:
    """Return the answer to a request that raised ``error``; one that nobody foresaw is logged."""
    if isinstance(error, ClientDisconnect):
        return Response(status_code=CLIENT_GONE)
    status = status_of(error) if isinstance(error, KikkakeError) else 500
    if status == 500:
        _LOG.error("ingest.failed", error=type(error).__name__, exc_info=error)
    return JSONResponse(_describe(error), status, retry_headers(error, status))


def _describe(error: Exception) -> dict[str, Any]:
    if isinstance(error, IngestError):
        return error_body(error.code, str(error), error.detail)
    if isinstance(error, LogUnavailableError):
        return error_body("log_unavailable", "the log cannot take the events now: send them again")
    return error_body("internal_error", "the server failed")
