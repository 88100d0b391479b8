"""Takes one request from its bytes to the log's acknowledgement. The shell around ``plan``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from starlette.requests import ClientDisconnect, Request

from services.ingest.admission import Admission, Outer
from services.ingest.auth import Admin
from services.ingest.body import Body
from services.ingest.errors import CLIENT_GONE, IngestError, TooLargeError, TooSlowError, status_of
from services.ingest.formats.base import Arrived, Decode, Route, from_body
from services.ingest.gate import Gate, Place
from services.ingest.inflow import Inflow
from services.ingest.limits import STANDARD
from services.ingest.plan import Plan, Sender, plan_calls, plan_enrolment
from services.ingest.screening import Screen
from shared.clock import Clock
from shared.errors import KikkakeError
from shared.log import LogUnavailableError
from shared.messages.topics import EVENTS
from shared.metrics import Metrics

_FIRST = {"x-retry-count": ("", "0"), "posthog-attempt": ("", "1")}
"""The headers in which Segment's and PostHog's libraries count attempts, and what they say at the first."""


BODY_SECONDS = 20.0
"""How long a body may take to arrive: 1 MB at 50 kB/s. Who drips bytes holds a place no longer than that."""


class Intake:
    """Accepts calls and batches; what it returns from is durable."""

    def __init__(
        self,
        *,
        gate: Gate,
        admission: Admission,
        admin: Admin,
        clock: Clock,
        new_message_id: Callable[[], str],
        metrics: Metrics,
        screen: Screen,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self.admission = admission
        self._gate = gate
        self._admin = admin
        self._clock = clock
        self._new_message_id = new_message_id
        self._metrics = metrics
        self._screen = screen
        self._body_seconds = body_seconds

    async def accept(self, request: Request, route: Route) -> tuple[Arrived, Plan]:
        """Return once every good event and every dead letter is durable. Raises IngestError or LogUnavailableError."""
        peer = request.client.host if request.client else None
        outer = Outer(request.headers, request.query_params, peer, route.pixel or "origin" in request.headers)
        sender: Sender | None = None
        async with self._counted(request, route.format):
            try:
                with self._gate.place() as place:
                    sender = self.admission.early(outer)
                    most = self.admission.keys.body_bytes if sender is None else sender.source.limits.body_bytes
                    body = await self._read(request, place, route.decode, most)
                    sender = sender or self.admission.late(outer, body.value)
                    arrived = Arrived(body.value, request.headers, request.query_params)
                    plan = plan_calls(
                        route.read(arrived),
                        body.size,
                        sender,
                        received_at=self._clock(),
                        new_message_id=self._new_message_id,
                        screen=self._screen,
                    )
                    self.admission.settle(sender.source, plan.items)
                    await self._publish(plan)
            except (IngestError, LogUnavailableError) as error:
                if isinstance(error, IngestError):
                    self._metrics.events_rejected.labels(error.code).inc()
                self._metrics.source_events.labels("" if sender is None else sender.source.name, "refused").inc()
                raise
            self._metrics.source_events.labels(sender.source.name, "accepted").inc(plan.accepted)
            self._metrics.source_events.labels(sender.source.name, "rejected").inc(len(plan.rejections))
            return arrived, plan

    async def accept_enrolment(self, request: Request, journey: str) -> Plan:
        """Return once the enrolment is durable. Raises as ``accept`` does; an admin alone may ask for it."""
        key = request.headers.get("idempotency-key", "").strip()
        try:
            with self._gate.place() as place:
                self._admin.check(request.headers)
                body = await self._read(request, place, from_body, STANDARD.body_bytes)
                plan = plan_enrolment(body, journey, key, received_at=self._clock())
                await self._publish(plan)
                return plan
        except IngestError as error:
            self._metrics.events_rejected.labels(error.code).inc()
            raise

    async def _publish(self, plan: Plan) -> None:
        """Return once the plan is durable, and count it."""
        try:
            if plan.outputs:
                await self._gate.publish(plan.outputs)
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

    async def _read(self, request: Request, place: Place, decode: Decode, most: int) -> Body:
        """Read and decode the body, of ``most`` bytes, which then counts as in flight. Raises IngestError."""
        said = request.headers.get("content-length", "")
        if said.isdigit() and int(said) > most:
            raise TooLargeError(f"the body is larger than {most} bytes")
        inflow = Inflow(most)
        try:
            async with asyncio.timeout(self._body_seconds):
                async for chunk in request.stream():
                    place.hold(inflow.feed(chunk))
        except TimeoutError as error:
            raise TooSlowError(f"the body did not arrive within {self._body_seconds:g} s") from error
        body = decode(inflow.finish(), request.query_params, most)
        place.hold(body.size)
        return body


def is_retry(headers: Mapping[str, str], query: Mapping[str, str]) -> bool:
    """Return whether the client says that it has sent this request before. Those that do not say count as first."""
    if query.get("retry_count", "0") != "0":
        return True
    return any(headers.get(name, "") not in first for name, first in _FIRST.items())
