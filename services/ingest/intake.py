"""Takes one request from its bytes to the log's acknowledgement. The shell around ``plan``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

from starlette.requests import Request

from services.ingest.auth import Admin, authorize
from services.ingest.body import MAX_BODY_BYTES, Body, decode_body
from services.ingest.errors import IngestError, OverloadedError, TooLargeError
from services.ingest.plan import Limits, Plan, plan_batch, plan_call, plan_enrolment
from shared.clock import Clock
from shared.log import LogUnavailableError, Publisher
from shared.messages.event import EventType
from shared.messages.topics import EVENTS
from shared.metrics import Metrics


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
    ) -> None:
        self._publisher = publisher
        self._admin = Admin(admin_token)
        self.write_keys = frozenset(write_keys)
        self._clock = clock
        self._new_message_id = new_message_id
        self._metrics = metrics
        self._limits = limits
        self._in_flight = 0

    async def accept_call(self, request: Request, event_type: EventType) -> Plan:
        """Return once the call is durable. Raises IngestError or LogUnavailableError."""
        return await self._accept(
            request,
            lambda body: plan_call(
                body,
                event_type,
                limits=self._limits,
                received_at=self._clock(),
                new_message_id=self._new_message_id,
            ),
        )

    async def accept_batch(self, request: Request) -> Plan:
        """Return once every good event and every dead letter is durable. Raises as ``accept_call`` does."""
        return await self._accept(
            request,
            lambda body: plan_batch(
                body, limits=self._limits, received_at=self._clock(), new_message_id=self._new_message_id
            ),
        )

    async def accept_enrolment(self, request: Request, journey: str) -> Plan:
        """Return once the enrolment is durable. Raises as ``accept_call`` does; the admin alone may ask for it."""
        key = request.headers.get("idempotency-key", "").strip()
        return await self._accept(
            request,
            lambda body: plan_enrolment(body, journey, key, limits=self._limits, received_at=self._clock()),
            authorized=lambda _body: self._admin.check(request.headers),
        )

    async def _accept(
        self,
        request: Request,
        plan_of: Callable[[Body], Plan],
        authorized: Callable[[Body], object] | None = None,
    ) -> Plan:
        """Return once it is durable. ``authorized`` raises for who may not ask; by default, who has no write key."""

        def has_key(body: Body) -> object:
            return authorize(request.headers, body.value, request.query_params, self.write_keys)

        try:
            async with self._body(request) as body:
                (authorized or has_key)(body)
                plan = plan_of(body)
                if plan.outputs:
                    await self._publish(plan)
        except IngestError as error:
            self._metrics.events_rejected.labels(error.code).inc()
            raise
        self._metrics.events_accepted.inc(plan.accepted)
        for rejection in plan.rejections:
            self._metrics.events_rejected.labels(rejection.code).inc()
            self._metrics.dead_letters.labels(EVENTS, rejection.code).inc()
        return plan

    async def _publish(self, plan: Plan) -> None:
        try:
            await self._publisher.publish(plan.outputs)
        except LogUnavailableError:
            self._metrics.events_rejected.labels("log_unavailable").inc(len(plan.outputs))
            raise

    @asynccontextmanager
    async def _body(self, request: Request) -> AsyncIterator[Body]:
        """Read and decode the body, which counts as in flight until the block ends. Raises IngestError."""
        reserved = 0
        raw = bytearray()
        try:
            async for chunk in request.stream():
                reserved += self._reserve(len(chunk))
                raw += chunk
                if len(raw) > MAX_BODY_BYTES:
                    raise TooLargeError(f"the body is larger than {MAX_BODY_BYTES} bytes")
            body = decode_body(bytes(raw))
            reserved += self._reserve(body.size)
            yield body
        finally:
            self._in_flight -= reserved

    def _reserve(self, size: int) -> int:
        if self._in_flight + size > self._limits.in_flight_bytes:
            raise OverloadedError
        self._in_flight += size
        return size
