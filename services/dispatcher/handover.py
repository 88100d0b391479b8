"""What every command goes through, whoever carries it out: look → claim → hand over → settle → report.

Claims are asked for twice: before ``sending`` is written for none in particular, so that no row says so while claims
cannot be had, and after it was acknowledged. The second one is what fences: a new owner first takes the claims over and
then reads ``deliveries`` to its end, so it either sees our ``sending`` or its takeover refuses our claim.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import structlog

from services.dispatcher.core.policy import ClockName, Defer, Deliver, Drop, Facts, Verdict, recheck
from services.dispatcher.core.retry import RetryAt, RetryPolicy, Setback, next_attempt
from services.dispatcher.core.rows import End, Work, ended, in_hand, row_of
from services.dispatcher.errors import TemporaryError
from services.dispatcher.lanes import Lane, Place
from services.dispatcher.ports import ClaimResult, Claims, ClaimsUnavailableError, DeliveryOptions, Ledger
from shared.clock import SECOND
from shared.log import LogUnavailableError, Output
from shared.messages.answer import Answer
from shared.messages.codec import encode
from shared.messages.delivery import Delivery
from shared.messages.outcome import Outcome
from shared.messages.topics import EVENTS

_LOG = structlog.get_logger(__name__)
_HELD_ELSEWHERE = 5 * SECOND
"""Between two tries for a claim that somebody else holds: a small part of the shortest lease."""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """By whom and where to. ``aside`` is called once it is the provider's place that a message takes, no more ours."""

    lane: Lane[Any]
    address: str = ""
    aside: Callable[[], None]


class Untaken(msgspec.Struct, frozen=True):
    """The provider does not have ``work``: it said so by ``error``, or (None) it was not asked, for it had no room."""

    work: Work
    error: TemporaryError | None = None


class Handover:
    """The steps that leave something behind. ``cancelling`` holds the cancels that are not durable yet, by id."""

    def __init__(self, ledger: Ledger, claims: Claims, options: DeliveryOptions) -> None:
        self.cancelling: dict[str, str] = {}
        self.options = options
        self._ledger = ledger
        self._claims = claims

    def row(self, command_id: str) -> Delivery | None:
        """Return the durable row of ``command_id``."""
        return self._ledger.get(command_id)

    async def save(self, rows: Sequence[Delivery], outputs: Sequence[Output] = ()) -> None:
        """Return once all is durable, asking the log again for as long as it takes. Repeating is harmless."""
        while True:
            try:
                return await self._ledger.put(rows, outputs)
            except LogUnavailableError as error:
                _LOG.warning("dispatcher.ledger_unavailable", error=str(error))
                await asyncio.sleep(self.options.pause)

    def look(self, work: Work) -> Verdict:
        """Return what may be done with ``work`` now. Reads only; asked at the start and right before the hand-over."""
        command, now = work.command, self.options.clocks.machine()
        row = self._ledger.get(command.command_id)
        cancelled = self.cancelling.get(command.command_id)
        if cancelled is None and row is not None and row.status == "cancelled":
            cancelled = row.reason or "exited"
        facts = Facts(cancelled=cancelled, journey_stopped=self.options.stopped(command))
        verdict = recheck(command, facts, self.options.clocks.journey())
        if not isinstance(verdict, Deliver):
            return verdict
        oldest = work.recorded_at or work.since
        if self.options.max_age is not None and oldest is not None and now - oldest >= self.options.max_age:
            return Drop("expired", "older than the log keeps commands")
        return verdict if self.options.freshness.allows(command.decided_at, now) else Defer(now, "machine")

    async def attempt(
        self, work: Work, way: Way, hand_over: Callable[[Work, Place[Any]], Awaitable[Delivery | Untaken]]
    ) -> Delivery | Untaken | None:
        """Hand ``work`` over by ``way``, past an acknowledged ``sending`` and under a claim; None: no claims now."""
        place = way.lane.enter(way.address, urgent=work.command.purpose == "transactional")
        if place is None:
            return Untaken(work)
        try:
            # No command in particular: a claim without its row would hold the next owner off for nothing.
            if await self._ask_for(None) != "granted":
                return None
            way.aside()
            if not await place.connect(self.options.patience):
                return Untaken(work)
            now = self.options.clocks.machine()
            work = msgspec.structs.replace(work, since=work.since or now)
            await self.save([row_of(in_hand(work, way.lane.name, now), "sending", now)])
            claim = await self._ask_for(work.command.command_id)
            if claim == "held_elsewhere":
                # A former owner's, until its lease ends: each try is two rows.
                return await self.defer(work, now + _HELD_ELSEWHERE)
            certain = claim == "granted" and self.options.owned()
            if not certain or not isinstance(self.look(work), Deliver):
                # Nothing was handed over; the schedule brings it back to the first check at once.
                return await self.defer(work)
            row = await hand_over(work, place)
            await self._claims.release(work.command.command_id)
        finally:
            # Not before the end is durable: no more can be in doubt after a crash than the provider has connections.
            place.leave()
        # Nobody's connection waits while it is told.
        return await self.report(row) if isinstance(row, Delivery) and row.status == "settled" else row

    async def wait(self, work: Work) -> Delivery:
        """Let ``work`` wait in ``deliveries`` until somebody has room for it; where it does so already, it goes on."""
        row = self._ledger.get(work.command.command_id)
        if row is not None and row.command is None:
            row = msgspec.structs.replace(work.row, status=row.status) if work.row is not None else None
        waits = row is not None and row.status == "deferred" and row.since == work.since
        return row if row is not None and waits else await self.defer(work)

    def again(
        self, work: Work, error: TemporaryError, policy: RetryPolicy, *, refused: bool
    ) -> tuple[Work, int] | None:
        """Return ``work``, with an attempt more if ``refused``, and when to try it; None: ``policy`` gives up."""
        now = self.options.clocks.machine()
        attempt, since = work.attempt + (1 if refused else 0), work.since or now
        setback = Setback(attempt=attempt, since=since, refused=refused, retry_after=error.retry_after)
        match next_attempt(setback, now, self.options.jitter(), policy):
            case RetryAt(at):
                return msgspec.structs.replace(work, attempt=attempt, since=since), at
            case _:
                return None

    async def _ask_for(self, command_id: str | None) -> ClaimResult | None:
        """Ask for a claim; None: there are none to be had now."""
        try:
            result = await self._claims.acquire(command_id)
            if result == "rebuild_first":
                await self._claims.rebuild()
                result = await self._claims.acquire(command_id)
        except ClaimsUnavailableError:
            return None
        return result

    async def defer(self, work: Work, until: int | None = None, clock: ClockName = "machine") -> Delivery:
        """Put ``work`` off until ``until`` (None: the schedule's next look)."""
        now = self.options.clocks.machine()
        row = row_of(work, "deferred", now, retry_at=now if until is None else until, clock=clock)
        await self.save([row])
        return row

    async def settle(self, work: Work, end: End) -> Delivery:
        """Close what was in a provider's hands: first that it is so, then the report."""
        return await self.report(await self.close(work, end))

    async def close(self, work: Work, end: End) -> Delivery:
        """Note durably how ``work`` ended, which is still to be reported."""
        report = ended(work.command, end, self.options.clocks.journey())
        row = Delivery(command_id=report.command_id, status="settled", at=self.options.clocks.machine(), outcome=report)
        await self.save([row])
        return row

    async def report(self, row: Delivery) -> Delivery:
        """Append the outcome to ``events`` and close the row; twice is the same event under the same id."""
        outputs = [] if row.outcome is None else [_event(row.outcome)]
        done = Delivery(command_id=row.command_id, status="reported", at=self.options.clocks.machine())
        await self.save([done], outputs)
        if row.outcome is not None:
            self.options.telemetry.ended(row.outcome)
        return done

    async def end(self, work: Work, end: End, outputs: Sequence[Output] = ()) -> Delivery:
        """End what no provider has seen: outcome and final row in one step, for nothing else could be lost."""
        report = ended(work.command, end, self.options.clocks.journey())
        done = Delivery(command_id=work.command.command_id, status="reported", at=self.options.clocks.machine())
        await self.save([done], [*outputs, _event(report)])
        self.options.telemetry.ended(report)
        return done


def _event(report: Outcome | Answer) -> Output:
    return Output(EVENTS, report.contact.encode(), encode(report))
