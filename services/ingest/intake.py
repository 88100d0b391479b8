"""Takes one request from its bytes to the log's acknowledgement. The shell around ``plan``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import cache

from starlette.requests import ClientDisconnect, Request

from services.ingest.admission import Admission, Outer, is_retry, outer_of
from services.ingest.auth import Admin
from services.ingest.body import LARGE, Body, decode_in_pieces, require_few
from services.ingest.calls import Calls
from services.ingest.case import Case
from services.ingest.errors import (
    CLIENT_GONE,
    BadBodyError,
    IngestError,
    RateLimitedError,
    TooLargeError,
    TooSlowError,
    status_of,
)
from services.ingest.exchange import exchange_of
from services.ingest.formats.base import Arrived, Decode, Route, from_body
from services.ingest.gate import Gate, Place
from services.ingest.inflow import GZIP, Inflow
from services.ingest.keys import Source
from services.ingest.limits import STANDARD, Limits
from services.ingest.plan import Plan, Sender, dead_letter, plan_calls, plan_enrolment, plan_steps
from services.ingest.screening import Screening
from services.ingest.webhooks.base import Hook, Posted
from services.ingest.webhooks.refusals import Refusals
from shared.clock import Clock
from shared.errors import KikkakeError
from shared.log import LogUnavailableError
from shared.messages.topics import EVENTS
from shared.metrics import Metrics

BODY_SECONDS = 20.0
"""How long a body may take to begin with. Who drips bytes holds a place no longer than that."""
BODY_SPEED = 50_000
"""Bytes that give it a second more: a slow line may bring a large body, at this speed or faster."""


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
        screen: Screening,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self.admission = admission
        self._gate = gate
        self._admin = admin
        self._clock = clock
        self._new_message_id = new_message_id
        self._metrics = metrics
        self._screen = screen
        # prometheus_client looks a label up by a lock and a tuple of texts; there are few of each.
        self._of_source = cache(metrics.source_events.labels)
        self._request = cache(metrics.ingest_requests.labels)
        self._body_seconds = body_seconds

    async def accept(self, request: Request, route: Route) -> tuple[Arrived, Plan]:
        """Return once every good event and every dead letter is durable. Raises IngestError or LogUnavailableError."""
        outer = outer_of(request.scope, pixel=route.pixel)
        case = Case(outer, route)
        with self._counted(outer, route.format):
            try:
                with self._gate.place() as place:
                    case.sender = self.admission.early(outer)
                    raw = await self._receive(request, outer, place, self.limits_of(case).body_bytes)
                    plan = await in_turns(self.steps(case, raw, place))
                    await self._publish(plan)
            except (IngestError, LogUnavailableError) as error:
                raise self.refused(case, error) from error
            self.accepted(case, plan)
            if plan.refusal is not None:
                raise plan.refusal
            return case.arrived, plan

    def limits_of(self, case: Case) -> Limits:
        """Return what may be sent, as far as it is known who sends."""
        return self.admission.keys.most if case.sender is None else case.sender.source.limits

    def steps(self, case: Case, raw: bytes, place: Place) -> Generator[None, None, Plan]:
        """Return the plan of the request whose body is ``raw``, and charge for it. Raises IngestError.

        Yields, in the midst of a large body alone, for others to have their turn.
        """
        limits, outer, route, sender = self.limits_of(case), case.outer, case.route, case.sender
        require_few(raw, limits.batch_events)
        case.arrived, size = Arrived({}, outer.headers, outer.query), len(raw)
        calls = route.unread(raw) if route.unread is not None and sender is not None else None
        if calls is None or sender is None:
            body = (yield from decode_in_pieces(raw)) if len(raw) > LARGE else None
            value, size = body or route.decode(raw, outer.query, limits.body_bytes)
            sender = case.sender = sender or self.admission.late(outer, value)
            case.arrived = case.arrived._replace(body=value)
            calls = route.read(case.arrived)
        place.hold(size)
        plan = yield from plan_steps(
            calls,
            size,
            sender,
            received_at=self._clock(),
            new_message_id=self._new_message_id,
            screen=self._screen,
            silences=self._screen.silences,
            passes=self._screen.passes,
        )
        self.admission.settle(sender.source, plan.items)
        return plan

    def refused(self, case: Case, error: Exception) -> Exception:
        """Count a request as refused; return what its sender is told."""
        if isinstance(error, IngestError):
            self._metrics.events_rejected.labels(error.code).inc()
        self._of_source("" if case.sender is None else case.sender.source.name, "refused").inc()
        return case.route.too_fast(error.wait) if isinstance(error, RateLimitedError) else error

    def accepted(self, case: Case, plan: Plan) -> None:
        """Count the events of a request by their source."""
        name = "" if case.sender is None else case.sender.source.name
        self._of_source(name, "accepted").inc(plan.accepted)
        if plan.rejections:
            self._of_source(name, "rejected").inc(len(plan.rejections))

    async def accept_webhook(self, request: Request, hook: Hook, refusals: Refusals) -> Plan:
        """Return once what the webhook says, or a dead letter of it, is durable. Raises as ``accept`` does."""
        outer, source = outer_of(request.scope), hook.source

        made = 0

        def read(item: object) -> Sequence[object]:
            nonlocal made
            calls = hook.read(Posted(item, outer.headers, outer.query))
            made += len(calls)
            return calls

        with self._counted(outer, "webhook"):
            try:
                with self._gate.place() as place:
                    most = source.limits.body_bytes
                    raw = await self._receive(request, outer, place, most)
                    if hook.prepare is not None:
                        await hook.prepare(raw)
                    hook.admit(raw, outer.headers, outer.query)
                    body = await self._decoded(hook, raw, most)
                    place.hold(body.size)
                    plan = plan_calls(
                        Calls(items=[body.value], read=read),
                        body.size,
                        Sender(source=source),
                        received_at=self._clock(),
                        new_message_id=self._new_message_id,
                        screen=self._screen,
                    )
                    await self._publish(plan)
            except (IngestError, LogUnavailableError) as error:
                if isinstance(error, IngestError):
                    self._metrics.events_rejected.labels(error.code).inc()
                    refusals.note(hook.name, error.code, str(error))
                self._of_source(source.name, "refused").inc()
                raise
            self._of_source(source.name, "accepted").inc(plan.accepted)
            self._of_source(source.name, "rejected").inc(len(plan.rejections))
            for rejection in plan.rejections:
                refusals.note(hook.name, rejection.code)
            if not made and not plan.rejections and hook.nothing:
                refusals.note(hook.name, hook.nothing)
            return plan

    async def _decoded(self, hook: Hook, raw: bytes, most: int) -> Body:
        """Return the body of a webhook that may be believed; one that cannot be read is kept as a dead letter."""
        try:
            return hook.decode(raw, most)
        except BadBodyError as error:
            await self._gate.publish([dead_letter(raw, error, self._clock(), hook.source, None, foreign=True)])
            self._metrics.dead_letters.labels(EVENTS, error.code).inc()
            raise

    async def accept_own(self, request: Request, source: Source, calls: Sequence[object]) -> Plan:
        """Return once ``calls``, which we made of a request ourselves, are durable. Raises as ``accept`` does."""
        with self._counted(outer_of(request.scope), source.name):
            with self._gate.place():
                plan = plan_calls(
                    Calls(items=calls),
                    0,
                    Sender(source=source),
                    received_at=self._clock(),
                    new_message_id=self._new_message_id,
                    screen=self._screen,
                )
                await self._publish(plan)
            self._of_source(source.name, "accepted").inc(plan.accepted)
            return plan

    def count_refused(self, code: str) -> None:
        """Count an event that is not even tried."""
        self._metrics.events_rejected.labels(code).inc()

    async def receive(self, request: Request, most: int) -> bytes:
        """Return a body of at most ``most`` bytes. Raises IngestError."""
        with self._gate.place() as place:
            return await self._receive(request, outer_of(request.scope), place, most)

    async def accept_enrolment(self, request: Request, journey: str) -> Plan:
        """Return once the enrolment is durable. Raises as ``accept`` does; an admin alone may ask for it."""
        outer = outer_of(request.scope)
        key = outer.headers.get("idempotency-key", "").strip()
        try:
            with self._gate.place() as place:
                self._admin.check(outer.headers)
                body = await self._read(request, outer, place, from_body, STANDARD.body_bytes)
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
        except LogUnavailableError as error:
            self.published(plan, error)
            raise
        self.published(plan, None)

    def published(self, plan: Plan, error: Exception | None) -> None:
        """Count what is durable by now, or is not."""
        if isinstance(error, LogUnavailableError):
            self._metrics.events_rejected.labels("log_unavailable").inc(len(plan.outputs))
        if error is not None:
            return
        self._metrics.events_accepted.inc(plan.accepted)
        for rejection in plan.rejections:
            self._metrics.events_rejected.labels(rejection.code).inc()
            self._metrics.dead_letters.labels(EVENTS, rejection.code).inc()

    def answered(self, outer: Outer, format_name: str, error: BaseException | None) -> None:
        """Count a request by what it was answered with."""
        status = 500
        if error is None:
            status = 200
        elif isinstance(error, ClientDisconnect):
            status = CLIENT_GONE
        elif isinstance(error, KikkakeError):
            status = status_of(error)
        attempt = "retry" if is_retry(outer.headers, outer.query) else "first"
        self._request(format_name, str(status), attempt).inc()

    def _counted(self, request: Outer, format_name: str) -> _Counted:
        """Return a block in which the request is: it is counted by how that ends."""
        return _Counted(self, request, format_name)

    async def _read(self, request: Request, outer: Outer, place: Place, decode: Decode, most: int) -> Body:
        """Receive and decode the body, of ``most`` bytes, which then counts as in flight. Raises IngestError."""
        body = decode(await self._receive(request, outer, place, most), outer.query, most)
        place.hold(body.size)
        return body

    async def _receive(self, request: Request, outer: Outer, place: Place, most: int) -> bytes:
        """Receive the body, of ``most`` bytes, which then counts as in flight. Raises IngestError."""
        said = outer.headers.get("content-length", "")
        if said.isdigit():
            require_size(int(said), most)
        exchange = exchange_of(request.scope)
        whole = None if exchange is None else exchange.take()
        if whole is not None and not whole.startswith(GZIP):
            require_size(len(whole), most)
            place.hold(len(whole))
            return whole
        inflow = Inflow(most)
        if whole is not None:
            await _hold(place, inflow.feed(whole))
            return inflow.finish()
        try:
            ends = asyncio.get_running_loop().time() + self._body_seconds
            async with asyncio.timeout_at(ends) as patience:
                more = True
                while more:
                    message = await request.receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    chunk = message.get("body", b"")
                    await _hold(place, inflow.feed(chunk))
                    more = message.get("more_body", False)
                    if more:
                        ends += len(chunk) / BODY_SPEED
                        patience.reschedule(ends)
        except TimeoutError as error:
            raise TooSlowError("the body arrived too slowly") from error
        return inflow.finish()


class _Counted:
    """Counts a request by how the block ends that it is in. A class, for a generator takes longer."""

    __slots__ = ("_format", "_intake", "_request")

    def __init__(self, intake: Intake, request: Outer, format_name: str) -> None:
        self._intake = intake
        self._request = request
        self._format = format_name

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        self._intake.answered(self._request, self._format, error)


async def _hold(place: Place, pieces: Iterator[int]) -> None:
    """Hold what each piece of work adds, and let others have their turn between two."""
    place.hold(next(pieces, 0))
    for grown in pieces:
        await asyncio.sleep(0)
        place.hold(grown)


async def in_turns(steps: Generator[None, None, Plan]) -> Plan:
    """Return the plan, once others have had their turn after each of its ``steps``."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            plan: Plan = end.value
            return plan
        await asyncio.sleep(0)


def require_size(size: int, most: int) -> None:
    """Raise TooLargeError when a body of ``size`` bytes is larger than ``most``."""
    if size > most:
        raise TooLargeError(f"the body is larger than {most} bytes")
