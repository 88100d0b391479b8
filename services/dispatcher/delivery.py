"""One message's way: re-check → render → claim → send → settle → report. Its outcome depends on no other message.

Claims are asked for twice: before ``sending`` is written for none in particular, so that no row says so while claims
cannot be had, and after it was acknowledged. The second one is what fences: a new owner first takes the claims over and
then reads ``deliveries`` to its end, so it either sees our ``sending`` or its takeover refuses our claim.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec
import structlog

from services.dispatcher.channels.base import (
    AmbiguousError,
    Lane,
    Message,
    Receipt,
    RefusedError,
    TemporaryError,
)
from services.dispatcher.core.policy import ClockName, Defer, Deliver, Drop, Facts, Verdict, recheck
from services.dispatcher.core.retry import RetryAt, Setback, next_attempt
from services.dispatcher.core.rows import End, Work, ended, row_of, through, with_channels, work_of
from services.dispatcher.ports import Claims, ClaimsUnavailableError, DeliveryOptions, Ledger
from shared.log import LogUnavailableError, Output
from shared.messages.codec import encode
from shared.messages.command import SendCommand
from shared.messages.delivery import Delivery
from shared.messages.outcome import Outcome, OutcomeStatus
from shared.messages.topics import EVENTS
from shared.rendering import TemplateError, render

_LOG = structlog.get_logger(__name__)


class Deliverer:
    """Delivers the commands of one partition. ``cancelling`` holds the cancels that are not durable yet, by id."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        claims: Claims,
        channels: Mapping[str, Lane],
        options: DeliveryOptions,
    ) -> None:
        self.cancelling: dict[str, str] = {}
        self.freshness = options.freshness
        self.clocks = options.clocks
        self.telemetry = options.telemetry
        self._ledger = ledger
        self._claims = claims
        self._channels = channels
        self._options = options

    async def deliver(self, work: Work) -> Delivery | None:
        """Take ``work`` as far as it goes now and return its durable row: ``deferred`` or ``reported``.

        None: claims cannot be had; nothing was written or sent, ask again shortly. Raises FencedError. If this runs
        twice: a final row is returned as it is, a settled one is reported again under the same id, and a deferred one
        is looked at again; the provider is called only past an acknowledged ``sending`` of this call.
        """
        row = self._ledger.get(work.command.command_id)
        if row is not None and row.status == "settled":
            return await self._report(row)
        if row is not None and row.status == "reported":
            return row
        verdict = self._look(work)
        if not isinstance(verdict, Deliver):
            return await self._without_sending(work, verdict)
        name = next((name for name in work.command.channels if self._reachable(work.command, name)), None)
        if name is None:
            return await self._end(work, "skipped", "unreachable")
        return await self._attempt(through(work, name), self._channels[name])

    async def recover(self, row: Delivery) -> Delivery:
        """Settle what a former owner or process left in ``row`` and return the durable row.

        ``sending`` may be with the provider: where it drops repeats it is sent again, else ``on_ambiguous`` says. If
        this runs twice, the second finds the row that the first wrote.
        """
        if row.status == "settled":
            return await self._report(row)
        if row.status != "sending" or row.command is None:
            return row
        work = work_of(row, row.command)
        lane = self._channels.get(row.command.channels[0])
        if lane is not None and lane.channel.idempotent:
            return await self._defer(work)
        return await self._ambiguous(work, "restart")

    async def fail(self, work: Work, dead_letter: Sequence[Output]) -> Delivery:
        """End a command that our own code cannot deliver, with its dead letter. Repeating repeats the same outcome."""
        return await self._end(work, "failed", "internal_error", outputs=dead_letter)

    async def save(self, rows: Sequence[Delivery], outputs: Sequence[Output] = ()) -> None:
        """Return once all is durable, asking the log again for as long as it takes. Repeating is harmless."""
        while True:
            try:
                return await self._ledger.put(rows, outputs)
            except LogUnavailableError as error:
                _LOG.warning("dispatcher.ledger_unavailable", error=str(error))
                await asyncio.sleep(self._options.pause)

    def _look(self, work: Work) -> Verdict:
        """Return what may be done with ``work`` now. Reads only; asked at the start and right before the hand-over."""
        command, now = work.command, self.clocks.machine()
        row = self._ledger.get(command.command_id)
        cancelled = self.cancelling.get(command.command_id)
        if cancelled is None and row is not None and row.status == "cancelled":
            cancelled = row.reason or "exited"
        facts = Facts(cancelled=cancelled, journey_stopped=self._options.stopped(command.journey, command.version))
        verdict = recheck(command, facts, self.clocks.journey())
        if not isinstance(verdict, Deliver):
            return verdict
        oldest = work.recorded_at or work.since
        if self._options.max_age is not None and oldest is not None and now - oldest >= self._options.max_age:
            return Drop("expired", "older than the log keeps commands")
        return verdict if self.freshness.allows(command.decided_at, now) else Defer(now, "machine")

    def _reachable(self, command: SendCommand, name: str) -> bool:
        return name in self._channels and bool(command.addresses.get(name)) and bool(command.content.get(name))

    async def _without_sending(self, work: Work, verdict: Defer | Drop) -> Delivery:
        if isinstance(verdict, Drop):
            return await self._end(work, "skipped", verdict.reason, verdict.detail)
        return await self._defer(work, verdict.until, verdict.clock)

    async def _attempt(self, work: Work, lane: Lane) -> Delivery | None:
        command = work.command
        try:
            parts = render(command.content[lane.channel.name], command.data).parts
        except TemplateError as error:
            return await self._end(work, "skipped", "template_error", str(error))
        async with lane.slot(self._options.patience) as free:
            if not free:
                return await self._defer(work, self.clocks.machine() + int(self._options.pause * 1000))
            # No command in particular: a claim without its row would hold the next owner off for nothing.
            if not await self._claim(None):
                return None
            work = msgspec.structs.replace(work, since=work.since or self.clocks.machine())
            await self.save([row_of(work, "sending", self.clocks.machine())])
            certain = await self._claim(command.command_id) and self._options.owned()
            if not certain or not isinstance(self._look(work), Deliver):
                # Nothing was handed over; the schedule brings it back to the first check at once.
                return await self._defer(work)
            row = await self._hand_over(work, lane, parts)
            await self._claims.release(command.command_id)
            return row

    async def _claim(self, command_id: str | None) -> bool:
        try:
            result = await self._claims.acquire(command_id)
            if result == "rebuild_first":
                await self._claims.rebuild()
                result = await self._claims.acquire(command_id)
        except ClaimsUnavailableError:
            return False
        return result == "granted"

    async def _hand_over(self, work: Work, lane: Lane, parts: Mapping[str, str]) -> Delivery:
        command, name = work.command, lane.channel.name
        message = Message(
            command_id=command.command_id,
            address=command.addresses[name],
            parts=parts,
            at=self.clocks.journey(),
            headers=tuple(self._options.headers(command, name).items()),
        )
        try:
            with self.telemetry.provider(name):
                receipt = await lane.channel.send(message)
        except RefusedError as error:
            return await self._next_channel(work, "refused", str(error))
        except TemporaryError as error:
            return await self._retry(work, error)
        except AmbiguousError as error:
            return await self._ambiguous(work, str(error))
        except Exception as error:  # noqa: BLE001  a channel's bug: whether it had sent by then, nobody knows
            _LOG.exception("dispatcher.channel_raised", channel=name, command=command.command_id)
            return await self._ambiguous(work, type(error).__name__)
        self.telemetry.accepted(command.decided_at, self.clocks.journey())
        return await self._settle(work, "sent", None, receipt=receipt)

    async def _retry(self, work: Work, error: TemporaryError) -> Delivery:
        now = self.clocks.machine()
        attempt = work.attempt + (1 if error.refused else 0)
        since = work.since or now
        setback = Setback(attempt=attempt, since=since, refused=error.refused, retry_after=error.retry_after)
        match next_attempt(setback, now, self._options.jitter(), self._options.retry):
            case RetryAt(at):
                return await self._defer(msgspec.structs.replace(work, attempt=attempt, since=since), at)
            case _:
                return await self._next_channel(work, "gave_up", str(error))

    async def _next_channel(self, work: Work, reason: str, detail: str) -> Delivery:
        """Go on with the next channel as another attempt of the same command, or end it as failed."""
        rest = [name for name in work.command.channels[1:] if self._reachable(work.command, name)]
        if not rest:
            return await self._settle(work, "failed", reason, detail=detail)
        return await self._defer(Work(with_channels(work.command, rest), recorded_at=work.recorded_at))

    async def _ambiguous(self, work: Work, detail: str) -> Delivery:
        self.telemetry.ambiguous(work.command.channels[0])
        _LOG.warning("dispatcher.ambiguous", command=work.command.command_id, policy=work.command.on_ambiguous)
        if work.command.on_ambiguous == "retry":
            now = self.clocks.machine()
            setback = Setback(attempt=work.attempt + 1, since=work.since or now)
            again = next_attempt(setback, now, self._options.jitter(), self._options.retry)
            if isinstance(again, RetryAt):
                tried = msgspec.structs.replace(work, attempt=setback.attempt, since=setback.since)
                return await self._defer(tried, again.at)
        return await self._settle(work, "ambiguous", None, detail=detail)

    async def _defer(self, work: Work, until: int | None = None, clock: ClockName = "machine") -> Delivery:
        now = self.clocks.machine()
        row = row_of(work, "deferred", now, retry_at=now if until is None else until, clock=clock)
        await self.save([row])
        return row

    async def _settle(
        self,
        work: Work,
        status: OutcomeStatus,
        reason: str | None,
        *,
        detail: str | None = None,
        receipt: Receipt | None = None,
    ) -> Delivery:
        end = End(status, reason, receipt.detail if receipt else detail, receipt.provider_id if receipt else None)
        outcome = ended(work.command, end, self.clocks.journey())
        row = Delivery(command_id=outcome.command_id, status="settled", at=self.clocks.machine(), outcome=outcome)
        await self.save([row])
        return await self._report(row)

    async def _report(self, row: Delivery) -> Delivery:
        """Append the outcome to ``events`` and close the row; twice is the same event under the same id."""
        outputs = [] if row.outcome is None else [_event(row.outcome)]
        done = Delivery(command_id=row.command_id, status="reported", at=self.clocks.machine())
        await self.save([done], outputs)
        if row.outcome is not None:
            self.telemetry.ended(row.outcome)
        return done

    async def _end(
        self,
        work: Work,
        status: OutcomeStatus,
        reason: str,
        detail: str | None = None,
        outputs: Sequence[Output] = (),
    ) -> Delivery:
        """End what no provider has seen: outcome and final row in one step, for nothing else could be lost."""
        outcome = ended(work.command, End(status, reason, detail), self.clocks.journey())
        done = Delivery(command_id=work.command.command_id, status="reported", at=self.clocks.machine())
        await self.save([done], [*outputs, _event(outcome)])
        self.telemetry.ended(outcome)
        return done


def _event(outcome: Outcome) -> Output:
    return Output(EVENTS, outcome.contact.encode(), encode(outcome))
