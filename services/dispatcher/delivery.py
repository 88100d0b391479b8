"""One command's way on any host, from its record or its row to a durable row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, assert_never

from services.dispatcher.calling import Caller
from services.dispatcher.channels.base import Provider
from services.dispatcher.connectors.base import Connector
from services.dispatcher.core.policy import Defer, Drop
from services.dispatcher.core.rows import End, Work, work_of
from services.dispatcher.handover import Handover
from services.dispatcher.lanes import Lane, choose
from services.dispatcher.ports import Claims, DeliveryOptions, Ledger
from services.dispatcher.sending import Sender
from shared.log import Output
from shared.messages.command import CallCommand, SendCommand
from shared.messages.delivery import Delivery

_ALWAYS = 1_000_000


def _nothing() -> None:
    return None


class Line(NamedTuple):
    """What deferred commands wait for: room in one of ``lanes``; none: nobody is asked for them."""

    lanes: tuple[Lane[Any], ...]
    urgent: bool

    @property
    def room(self) -> int:
        """How many may be tried now, besides those that were called and are on their way."""
        if not self.lanes:
            return _ALWAYS
        lane = choose(self.lanes, urgent=self.urgent)
        return 0 if lane is None else max(0, lane.room(urgent=self.urgent) - lane.called)

    def call(self) -> Lane[Any] | None:
        """Note that one of the line comes to be tried, and return who for: it ends by ``lane.called -= 1``.

        Else each partition would send for as many as there is room for, to be turned away by the others'.
        """
        lane = choose(self.lanes, urgent=self.urgent)
        if lane is not None:
            lane.called += 1
        return lane


class Deliverer:
    """Carries out the commands of one partition. ``cancelling`` holds the cancels that are not durable yet, by id."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        claims: Claims,
        channels: Mapping[str, Sequence[Lane[Provider]]],
        options: DeliveryOptions,
        connectors: Mapping[str, Lane[Connector]] | None = None,
    ) -> None:
        self._handover = Handover(ledger, claims, options)
        self._sender = Sender(self._handover, channels)
        self._caller = Caller(self._handover, connectors or {})
        self.cancelling = self._handover.cancelling
        self.freshness = options.freshness
        self.clocks = options.clocks
        self.telemetry = options.telemetry

    async def deliver(self, work: Work, aside: Callable[[], None] = _nothing) -> Delivery | None:
        """Take ``work`` as far as it goes now and return its durable row: ``deferred`` or ``reported``.

        ``aside`` is called when it begins to wait for its provider, whose lane bounds how many do.

        None: claims cannot be had; nothing was written or sent, ask again shortly. Raises FencedError. If this runs
        twice: a final row is returned as it is, a settled one is reported again under the same id, and a deferred one
        is looked at again; the provider is called only past an acknowledged ``sending`` of this call.
        """
        row = self._handover.row(work.command.command_id)
        if row is not None and row.status == "settled":
            return await self._handover.report(row)
        if row is not None and row.status == "reported":
            return row
        match self._handover.look(work):
            case Drop(reason, detail):
                return await self._handover.end(work, End("skipped", reason, detail))
            case Defer(until, clock):
                return await self._handover.defer(work, until, clock)
            case _:
                pass
        match work.command:
            case SendCommand():
                return await self._sender.send(work, work.command, aside)
            case CallCommand():
                return await self._caller.call(work, work.command, aside)
            case _:
                assert_never(work.command)

    async def recover(self, row: Delivery) -> Delivery:
        """Settle what a former owner or process left in ``row`` and return the durable row.

        ``sending`` may be with the provider: where it drops repeats it is sent again, else ``on_ambiguous`` says. If
        this runs twice, the second finds the row that the first wrote.
        """
        if row.status == "settled":
            return await self._handover.report(row)
        if row.status != "sending" or row.command is None:
            return row
        work = work_of(row, row.command)
        match row.command:
            case SendCommand():
                return await self._sender.recover(work, row.command)
            case CallCommand():
                # The connector has the command id as its idempotency key: asked again, it does nothing twice.
                return await self._handover.defer(work)
            case _:
                assert_never(row.command)

    def line(self, row: Delivery) -> Line:
        """Return what the deferred ``row``, which carries its command, waits for."""
        command = row.command
        urgent = command is not None and command.purpose == "transactional"
        match command:
            case SendCommand():
                return Line(self._sender.lanes(command, row.provider), urgent)
            case CallCommand():
                return Line(self._caller.lanes(command), urgent)
            case _:
                return Line((), urgent)

    def overdue(self, row: Delivery) -> bool:
        """Return whether ``row``, whose line has no room, need not wait for that: it ends, or its wait begins to count.

        Asked of a few now and then, so that an outage hides no expiry.
        """
        if row.command is None:
            return False
        work = work_of(row, row.command)
        match self._handover.look(work):
            case Drop():
                return True
            case Defer():
                # It is not the provider that it waits for.
                return False
            case _:
                return self._sender.is_overdue(work)

    async def fail(self, work: Work, dead_letter: Sequence[Output]) -> Delivery:
        """End a command that our own code cannot deliver, with its dead letter. Repeating repeats the same outcome."""
        return await self._handover.end(work, End("failed", "internal_error"), outputs=dead_letter)

    async def save(self, rows: Sequence[Delivery], outputs: Sequence[Output] = ()) -> None:
        """Return once all is durable, asking the log again for as long as it takes. Repeating is harmless."""
        await self._handover.save(rows, outputs)
