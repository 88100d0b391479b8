"""A dispatcher of one partition in memory, for unit tests: set the clocks, feed it, look at what came out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from services.dispatcher.channels.base import Provider
from services.dispatcher.connectors.base import Connector
from services.dispatcher.core.rows import Work
from services.dispatcher.delivery import Deliverer
from services.dispatcher.lanes import Lane, LaneOptions
from services.dispatcher.ports import AlwaysFresh, Claims, Clocks, DeliveryOptions, Freshness, Ledger
from services.dispatcher.worker import PartitionWorker, WorkerLimits
from shared.log import LogRecord, Output
from shared.messages import codec
from shared.messages.answer import Answer
from shared.messages.command import CallCommand, Cancel, CommandRecord, Mark, SendCommand
from shared.messages.outcome import Outcome
from tests.builders import at
from tests.fakes import MemoryLedger, RecordingProvider, ScriptedClaims

NOON = at("12:00")


def a_command(number: int = 1, **changes: Any) -> SendCommand:
    """Return an e-mail command decided at noon."""
    command = SendCommand(
        command_id=f"00000000-0000-5000-8000-{number:012d}",
        contact=f"u:c{number}",
        run_id=f"run-{number}",
        journey="cart",
        version=1,
        step="remind",
        channels=("email",),
        addresses={"email": f"c{number}@example.com", "sms": "+815012345678"},
        content={
            "email": {"subject": "Hi {{ contact.name }}", "text": "Hello {{ contact.name }}"},
            "sms": {"text": "Hi"},
        },
        data={"contact": {"name": "Ann"}},
        purpose="marketing",
        on_ambiguous="hold",
        decided_at=NOON,
    )
    return msgspec.structs.replace(command, **changes)


def a_call(number: int = 1, **changes: Any) -> CallCommand:
    """Return the call of a coupon decided at noon, waited for until a minute later."""
    command = CallCommand(
        command_id=f"00000000-0000-5000-8000-{number:012d}",
        contact=f"u:c{number}",
        run_id=f"run-{number}",
        journey="cart",
        version=1,
        step="coupon",
        connector="coupons.issue",
        arguments={"percent": 10},
        purpose="marketing",
        decided_at=NOON,
        expires_at=NOON + 60_000,
    )
    return msgspec.structs.replace(command, **changes)


def a_cancel(number: int = 1, reason: str = "converted") -> Cancel:
    """Return the cancel of ``a_command(number)``."""
    command = a_command(number)
    return Cancel(command_id=command.command_id, contact=command.contact, reason=reason, at=NOON)


def a_record(offset: int, message: CommandRecord | Cancel | Mark | bytes, when: int = NOON) -> LogRecord:
    """Return ``message`` as read from the log."""
    value = message if isinstance(message, bytes) else codec.encode(message)
    return LogRecord(offset, when, b"u:c", value)


def outcomes(outputs: Sequence[Output]) -> list[Outcome]:
    """Return the outcomes among ``outputs``."""
    found = [codec.EVENTS.decode(output.value) for output in outputs if output.topic == "events"]
    return [outcome for outcome in found if isinstance(outcome, Outcome)]


class Bench:
    """One partition's dispatcher on fakes; ``journey`` and ``machine`` are its clocks."""

    def __init__(
        self,
        *channels: Provider,
        ledger: Ledger | None = None,
        claims: Claims | None = None,
        freshness: Freshness | None = None,
        lane_width: int = 8,
        waiting: int = WorkerLimits().waiting,
        connectors: Mapping[str, Connector] | None = None,
        lanes: Callable[[Bench], Mapping[str, Sequence[Lane[Provider]]]] | None = None,
        **options: Any,
    ) -> None:
        self.journey = NOON
        self.machine = NOON
        self.memory = MemoryLedger()
        self.ledger: Ledger = self.memory if ledger is None else ledger
        if isinstance(self.ledger, MemoryLedger):
            self.memory = self.ledger
        self.channel = RecordingProvider()
        settings = {"jitter": lambda: 0.5, "pause": 0.01, "patience": 0.05, **options}
        self.deliverer = Deliverer(
            ledger=self.ledger,
            claims=claims or ScriptedClaims(),
            channels={one.id: [self.lane(one, lane_width)] for one in channels or (self.channel,)}
            if lanes is None
            else lanes(self),
            connectors={
                name: Lane(one, lane_width, name=name, options=self.of_lanes())
                for name, one in (connectors or {}).items()
            },
            options=DeliveryOptions(
                clocks=Clocks(lambda: self.journey, lambda: self.machine),
                freshness=freshness or AlwaysFresh(),
                **settings,
            ),
        )
        limits = WorkerLimits(in_flight=8, waiting=waiting, tick=0.001, pause=0.001)
        self.worker = PartitionWorker(3, deliverer=self.deliverer, ledger=self.ledger, limits=limits)

    def of_lanes(self, **options: Any) -> LaneOptions:
        """Return the options of a lane on this bench's clock."""
        return LaneOptions(clock=lambda: self.machine, jitter=lambda: 0.5, **options)

    def lane(self, provider: Provider, width: int = 8, **options: Any) -> Lane[Provider]:
        """Return ``provider`` with ``width`` connections."""
        return Lane(provider, width, name=provider.id, options=self.of_lanes(**options))

    async def deliver(self, command: CommandRecord, **work: Any) -> str | None:
        """Deliver ``command`` once and return the status of its row."""
        row = await self.deliverer.deliver(Work(command, **work))
        return None if row is None else row.status

    @property
    def outcomes(self) -> list[tuple[str, str | None]]:
        """What was reported: status and reason."""
        return [(outcome.status, outcome.reason) for outcome in outcomes(self.memory.outputs)]

    @property
    def answers(self) -> list[Answer]:
        """What was answered."""
        found = [codec.EVENTS.decode(output.value) for output in self.memory.outputs if output.topic == "events"]
        return [answer for answer in found if isinstance(answer, Answer)]


async def eventually(condition: Callable[[], bool]) -> None:
    """Let the tasks run until ``condition`` holds."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)
