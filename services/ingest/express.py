"""Small requests that are here whole, past tasks and coroutines: planned at once, answered when the log has them.

They come to what ``Intake.accept`` makes of them, by the same steps; whatever has to be waited for beside the log's
acknowledgement, and whatever is large, is left to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping
from typing import Any

from starlette.responses import Response
from starlette.types import Scope

from services.ingest.admission import outer_of
from services.ingest.body import LARGE
from services.ingest.case import Case
from services.ingest.errors import IngestError
from services.ingest.formats.base import Route
from services.ingest.gate import Gate, Place
from services.ingest.inflow import GZIP
from services.ingest.intake import Intake, in_turns, require_size
from services.ingest.plan import Plan
from shared.log import LogUnavailableError

Reply = Callable[[int, Iterable[tuple[bytes, bytes]], bytes], None]
"""Answers a request with a status, headers and a body."""


class Express:
    """The requests under way."""

    def __init__(
        self,
        intake: Intake,
        gate: Gate,
        routes: Mapping[tuple[str, str], Route],
        *,
        response_of: Callable[[bytes], Response],
        answer_to: Callable[[Exception], Response],
    ) -> None:
        """``routes`` by method and path. ``response_of`` has the answer of a route, ``answer_to`` of an error."""
        self.intake = intake
        self.gate = gate
        self.response_of = response_of
        self.answer_to = answer_to
        self._routes = routes
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, scope: Scope, body: bytes | bytearray, reply: Reply) -> bool:
        """Take a request whose ``body`` is here, and ``reply`` to it once; return False if it is not for here."""
        route = self._routes.get((scope["method"], scope["path"]))
        if route is None or len(body) > LARGE or body.startswith(GZIP):
            return False
        outer = outer_of(scope)
        # Pages are answered with what CORS wants of it.
        if outer.from_device:
            return False
        _Passage(self, Case(outer, route), reply).begin(bytes(body))
        return True

    def spawn(self, rest: Coroutine[Any, Any, None]) -> None:
        """Let the rest of a request wait."""
        task = asyncio.get_running_loop().create_task(rest)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Passage:
    """One request's way."""

    __slots__ = ("_case", "_express", "_intake", "_place", "_plan", "_reply")

    _plan: Plan

    def __init__(self, express: Express, case: Case, reply: Reply) -> None:
        self._express = express
        self._intake = express.intake
        self._case = case
        self._reply = reply
        self._place: Place | None = None

    def begin(self, raw: bytes) -> None:
        """Go as far as the log."""
        intake, case = self._intake, self._case
        try:
            place = self._place = self._express.gate.place().enter()
            case.sender = intake.admission.early(case.outer)
            require_size(len(raw), intake.limits_of(case).body_bytes)
            place.hold(len(raw))
            steps = intake.steps(case, raw, place)
            try:
                next(steps)
            except StopIteration as end:
                self._publish(end.value)
            else:
                self._express.spawn(self._go_on(steps))
        except Exception as error:  # noqa: BLE001 - this is where errors become answers
            self._end(error)

    def _publish(self, plan: Plan) -> None:
        self._plan = plan
        if not plan.outputs:
            self._published(None)
            return
        try:
            begun = self._express.gate.offer(plan.outputs, self._published)
        except LogUnavailableError as error:
            self._published(error)
            return
        if not begun:
            self._express.spawn(self._wait())

    async def _go_on(self, steps: Generator[None, None, Plan]) -> None:
        try:
            self._publish(await in_turns(steps))
        except Exception as error:  # noqa: BLE001 - as above
            self._end(error)

    async def _wait(self) -> None:
        try:
            await self._express.gate.publish(self._plan.outputs)
        except Exception as error:  # noqa: BLE001 - as above
            self._published(error)
        else:
            self._published(None)

    def _published(self, error: Exception | None) -> None:
        self._intake.published(self._plan, error)
        self._end(error)

    def _end(self, error: Exception | None) -> None:
        """Answer, and count it."""
        # Once: an error in what follows comes here again.
        place, self._place = self._place, None
        if place is not None:
            place.leave()
        intake, express, case = self._intake, self._express, self._case
        if isinstance(error, IngestError | LogUnavailableError):
            error = intake.refused(case, error)
        elif error is None:
            intake.accepted(case, self._plan)
            error = self._plan.refusal
        intake.answered(case.outer, case.route.format, error)
        if error is None:
            response = express.response_of(case.route.answer(case.arrived, self._plan))
        else:
            response = express.answer_to(error)
        self._reply(response.status_code, response.raw_headers, bytes(response.body))
