"""A runner with clocks that the test moves and a store that fails or waits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from services.evaluator.core.catalog import build_catalog
from services.evaluator.epoch import Epoch
from services.evaluator.processor import PartitionProcessor
from services.evaluator.runner import PartitionRunner
from shared.log import LogRecord, Output
from shared.messages import codec
from shared.messages.command import Mark
from shared.messages.event import EventRecord
from shared.metrics import Metrics
from tests.builders import CART, a_journey, a_record, an_event, at, consented, identified
from tests.fakes import FakeClock, MemoryEpochs, RecordingPublisher


class Store(MemoryEpochs):
    """Saves, fails, or waits for ``gate``; notes what is in work at once."""

    def __init__(self) -> None:
        super().__init__()
        self.error: BaseException | None = None
        self.gate: Callable[[], Awaitable[None]] | None = None
        self.working = 0
        self.most = 0

    async def save(self, epoch: Epoch) -> None:
        self.working += 1
        self.most = max(self.most, self.working)
        if self.gate is not None:
            await self.gate()
        self.working -= 1
        if self.error is not None:
            raise self.error
        await super().save(epoch)


class Host:
    """A runner with clocks that the test moves."""

    def __init__(self, journey: str = CART, *, caught_up: bool = True, marks: bool = True) -> None:
        self.journey_clock = FakeClock(at("10:00"))
        self.machine_clock = FakeClock(1_000_000)
        self.pace = FakeClock(5_000)
        self.store = Store()
        self.publisher = RecordingPublisher()
        self.metrics = Metrics()
        self.lease = True
        self.offset = 0
        processor = PartitionProcessor(
            partition=2, catalog=build_catalog([a_journey(journey)]), store=self.store, incarnation="log"
        )
        self.runner = PartitionRunner(
            processor,
            self.store,
            self.publisher,
            journey_clock=self.journey_clock,
            machine_clock=self.machine_clock,
            metrics=self.metrics,
            caught_up=caught_up,
            may_act=lambda: self.lease,
            marks=marks,
            pace=self.pace,
        )

    def record(self, message: EventRecord, when: int, key: str | None = "u:c1") -> LogRecord:
        self.offset += 1
        return a_record(self.offset - 1, message, key=key, timestamp=when)

    async def take(self, message: EventRecord, when: int, key: str | None = "u:c1", *, caught_up: bool = True) -> None:
        await self.runner.batch([self.record(message, when, key)], live=caught_up, caught_up=caught_up)

    async def known(self, key: str = "u:c1", *, caught_up: bool = True) -> None:
        """A contact whose reminder is due at 10:45."""
        messages = [
            identified(at("08:00"), email="a@example.jp"),
            consented(at("08:00"), "cart_reminders"),
            an_event("Product Added", at("10:00"), name="Kettle"),
        ]
        records = [self.record(message, message.received_at, key) for message in messages]
        await self.runner.batch(records, live=caught_up, caught_up=caught_up)

    async def beats(self, count: int, *, every: int = 20) -> None:
        for _ in range(count):
            await self.runner.beat()
            self.machine_clock.advance(every)
            self.pace.advance(every)
            self.journey_clock.advance(every)

    def marks(self) -> list[Mark]:
        found = [codec.CANCELS.decode(output.value) for output in self.of("cancels")]
        return [record for record in found if isinstance(record, Mark)]

    def of(self, topic: str) -> list[Output]:
        return [output for output in self.publisher.outputs if output.topic == topic]

    def steps(self) -> list[str]:
        return [codec.COMMANDS.decode(it.value).step for it in self.store.outputs if it.topic == "commands"]


def added() -> EventRecord:
    return an_event("Product Added", at("10:00"), name="Kettle")
