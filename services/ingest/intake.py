"""Takes one request from its bytes to the log's acknowledgement. The shell around ``plan``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager

from starlette.requests import ClientDisconnect, Request

from services.ingest.auth import Admin, authorize
from services.ingest.body import MAX_BODY_BYTES, Body
from services.ingest.calls import Client
from services.ingest.errors import CLIENT_GONE, IngestError, OverloadedError, TooLargeError, status_of
from services.ingest.formats.base import Arrived, Decode, Route, from_body
from services.ingest.plan import Limits, Plan, plan_calls, plan_enrolment
from shared.clock import Clock
from shared.errors import KikkakeError
from shared.log import LogUnavailableError, Publisher
from shared.messages.topics import EVENTS
from shared.metrics import Metrics

ClientIp = Callable[[Request], str | None]
"""The address to keep of who sent a request, None for none: the policy behind proxies."""

_FIRST = {"x-retry-count": ("", "0"), "posthog-attempt": ("", "1")}
"""The headers in which Segment's and PostHog's libraries count attempts, and what they say at the first."""


def no_client_ip(_request: Request) -> str | None:
    """Return None: nobody's address is kept."""
    return None


class Intake:
    """Accepts calls and batches; what it returns from is durable."""

    def __init__(
        self,
        *,
        publisher: Publisher,
        write_keys: Collection[str],
        clock: Clock,
        new_message_id: Callable[[], str],
        metrics: Metrics,
        limits: Limits,
        admin_token: str | None = None,
        client_ip: ClientIp = no_client_ip,
    ) -> None:
        self._publisher = publisher
        self._admin = Admin(admin_token)
        self.write_keys = frozenset(write_keys)
        self._clock = clock
        self._new_message_id = new_message_id
        self._metrics = metrics
        self._limits = limits
        self._client_ip = client_ip
        self._in_flight = 0

    async def accept(self, request: Request, route: Route) -> tuple[Arrived, Plan]:
        """Return once every good event and every dead letter is durable. Raises IngestError or LogUnavailableError."""
        async with self._counted(request, route.format), self._received(request, route.decode) as body:
            authorize(request.headers, body.value, request.query_params, self.write_keys)
            arrived = Arrived(body.value, request.headers, request.query_params)
            plan = plan_calls(
                route.read(arrived),
                body.size,
                Client(self._client_ip(request), direct=route.pixel or "origin" in request.headers),
                limits=self._limits,
                received_at=self._clock(),
                new_message_id=self._new_message_id,
            )
            await self._publish(plan)
            return arrived, plan

    async def accept_enrolment(self, request: Request, journey: str) -> Plan:
        """Return once the enrolment is durable. Raises as ``accept`` does; the admin alone may ask for it."""
        key = request.headers.get("idempotency-key", "").strip()
        async with self._received(request, from_body) as body:
            self._admin.check(request.headers)
            plan = plan_enrolment(body, journey, key, limits=self._limits, received_at=self._clock())
            await self._publish(plan)
            return plan

    async def _publish(self, plan: Plan) -> None:
        """Return once the plan is durable, and count it."""
        try:
            if plan.outputs:
                await self._publisher.publish(plan.outputs)
        except LogUnavailableError:
            self._metrics.events_rejected.labels("log_unavailable").inc(len(plan.outputs))
            raise
        self._metrics.events_accepted.inc(plan.accepted)
        for rejection in plan.rejections:
            self._metrics.events_rejected.labels(rejection.code).inc()
            self._metrics.dead_letters.labels(EVENTS, rejection.code).inc()

    @asynccontextmanager
    async def _counted(self, request: Request, format_name: str) -> AsyncIterator[None]:
        """Count the request by how it ends."""
        status = 500
        try:
            yield
            status = 200
        except ClientDisconnect:
            status = CLIENT_GONE
            raise
        except KikkakeError as error:
            status = status_of(error)
            raise
        finally:
            attempt = "retry" if is_retry(request.headers, request.query_params) else "first"
            self._metrics.ingest_requests.labels(format_name, str(status), attempt).inc()

    @asynccontextmanager
    async def _received(self, request: Request, decode: Decode) -> AsyncIterator[Body]:
        """Read and decode the body, which counts as in flight until the block ends. Raises and counts IngestError."""
        reserved = 0
        raw = bytearray()
        try:
            async for chunk in request.stream():
                reserved += self._reserve(len(chunk))
                raw += chunk
                if len(raw) > MAX_BODY_BYTES:
                    raise TooLargeError(f"the body is larger than {MAX_BODY_BYTES} bytes")
            body = decode(bytes(raw), request.query_params)
            reserved += self._reserve(body.size)
            yield body
        except IngestError as error:
            self._metrics.events_rejected.labels(error.code).inc()
            raise
        finally:
            self._in_flight -= reserved

    def _reserve(self, size: int) -> int:
        if self._in_flight + size > self._limits.in_flight_bytes:
            raise OverloadedError
        self._in_flight += size
        return size


def is_retry(headers: Mapping[str, str], query: Mapping[str, str]) -> bool:
    """Return whether the client says that it has sent this request before. Those that do not say count as first."""
    if query.get("retry_count", "0") != "0":
        return True
    return any(headers.get(name, "") not in first for name, first in _FIRST.items())
