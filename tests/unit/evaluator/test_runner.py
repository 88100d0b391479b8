"""What time asks of a partition: ticks, marks, firing, release; and what a failure forbids."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from services.evaluator.core.catalog import build_catalog
from services.evaluator.epoch import Epoch
from services.evaluator.processor import PartitionProcessor
from services.evaluator.runner import FIRE_AT_ONCE, PartitionRunner
from shared.log import LogRecord, LogUnavailableError, Output
from shared.messages import codec
from shared.messages.command import Mark
from shared.messages.event import EventRecord, Tick
from shared.metrics import Metrics
from tests.builders import CART, a_journey, a_record, an_event, an_outcome, at, consented, identified
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


# ---- ticks --------------------------------------------------------------------------------------------------------


async def test_a_timer_that_came_due_is_fired_by_a_tick_that_is_read_back() -> None:
    host = Host()
    await host.known()
    host.journey_clock.now = at("10:45")
    await host.beats(1)
    assert [] == host.of("events")
    await host.beats(1)
    [tick] = host.of("events")
    assert (None, 2, Tick(partition=2)) == (tick.key, tick.partition, codec.EVENTS.decode(tick.value))
    assert [] == host.steps()
    await host.take(Tick(partition=2), at("10:45") + 30, None)
    assert ["remind_1"] == host.steps()


async def test_no_tick_without_a_timer_due() -> None:
    host = Host()
    await host.beats(100)
    await host.known()
    await host.beats(100)
    assert [] == host.of("events")


async def test_no_tick_while_behind() -> None:
    """The records that wait move log time on by themselves."""
    host = Host()
    await host.known(caught_up=False)
    host.journey_clock.now = at("12:00")
    await host.beats(100)
    assert [] == host.of("events")


async def test_at_most_one_tick_is_in_flight() -> None:
    """Records that were appended before it say nothing of it; one that is lost is written again after a while."""
    host = Host()
    await host.known()
    host.journey_clock.now = at("10:46")
    await host.beats(10)
    await host.take(an_event("Browsed", at("10:44")), at("10:44"), "u:c2")
    await host.beats(200)
    assert 1 == len(host.of("events"))
    await host.beats(50)
    assert 2 == len(host.of("events"))


async def test_at_most_one_tick_in_100_ms() -> None:
    """A broker whose clock is a little behind ours answers with a tick that fires nothing."""
    host = Host()
    await host.known()
    host.journey_clock.now = at("10:45") + 1
    written: list[int] = []
    for beat in range(20):
        await host.beats(1, every=10)
        if len(host.of("events")) > len(written):
            written.append(beat * 10)
            await host.take(Tick(partition=2), at("10:45"), None)
    assert [0, 100] == written


async def test_a_tick_that_was_not_written_is_not_in_flight() -> None:
    host = Host()
    await host.known()
    host.journey_clock.now = at("10:46")
    host.publisher.down = True
    await host.beats(1)
    host.publisher.down = False
    await host.beats(6)
    assert 1 == len(host.of("events"))


# ---- marks --------------------------------------------------------------------------------------------------------


async def test_marks_every_500_ms_while_a_command_is_unsettled_and_no_longer() -> None:
    host = Host()
    await host.known()
    await host.beats(50)
    assert [] == host.of("cancels")
    await host.take(Tick(partition=2), at("10:46"), None)
    await host.beats(51)
    marks = [codec.CANCELS.decode(output.value) for output in host.of("cancels")]
    expected = [
        Mark(partition=2, log_time=at("10:46"), caught_up=True, written_at=1_001_000 + 500 * n) for n in range(3)
    ]
    assert expected == marks
    assert {(None, 2)} == {(output.key, output.partition) for output in host.of("cancels")}
    [value] = [output.value for output in host.store.outputs if output.topic == "commands"]
    await host.take(an_outcome(codec.COMMANDS.decode(value), "sent", at("10:46")), at("10:46"))
    await host.beats(100)
    assert 3 == len(host.of("cancels"))


async def test_a_mark_says_that_the_partition_is_behind() -> None:
    host = Host()
    await host.known()
    await host.take(Tick(partition=2), at("10:46"), None, caught_up=False)
    await host.beats(1)
    assert [False] == [mark.caught_up for mark in host.marks()]


async def test_a_mark_vouches_for_nothing_while_a_due_timer_waits() -> None:
    """It may be an exit's, whose cancels are still to come."""
    host = Host()
    records = [
        host.record(it, at("10:00"), f"u:{number}")
        for number in range(2 * FIRE_AT_ONCE + 1)
        for it in (identified(at("08:00"), email="a@example.jp"), consented(at("08:00"), "cart_reminders"), added())
    ]
    await host.runner.batch(records, live=True, caught_up=True)
    await host.take(Tick(partition=2), at("10:46"), None)
    await host.beats(1)
    assert host.runner.processor.has_due
    await host.beats(30)
    assert [False, True] == [mark.caught_up for mark in host.marks()]


async def test_a_machine_clock_that_is_set_back_holds_up_neither_tick_nor_mark() -> None:
    host = Host()
    await host.known()
    await host.take(Tick(partition=2), at("10:46"), None)
    await host.beats(1)
    host.machine_clock.now = 10
    host.journey_clock.now = at("11:00", day=1)
    await host.beats(26)
    assert [1_000_000, 490] == [mark.written_at for mark in host.marks()]
    assert 1 == len(host.of("events"))


async def test_a_host_whose_dispatcher_reads_no_marks_writes_none() -> None:
    """Each would cost a commit."""
    host = Host(marks=False)
    await host.known()
    await host.take(Tick(partition=2), at("10:46"), None)
    await host.beats(100)
    assert host.runner.processor.unsettled
    assert [] == host.of("cancels")


async def test_neither_tick_nor_mark_nor_firing_without_the_lease() -> None:
    host = Host()
    await host.known()
    await host.take(Tick(partition=2), at("10:46"), None)
    host.journey_clock.now = at("11:00", day=2)
    host.lease = False
    epochs = len(host.store.epochs)
    await host.beats(100)
    assert [] == host.publisher.outputs
    assert epochs == len(host.store.epochs)


async def test_a_log_that_does_not_answer_is_no_failure_of_a_beat() -> None:
    host = Host()
    await host.known()
    await host.take(Tick(partition=2), at("10:46"), None)
    host.publisher.down = True
    await host.beats(30)
    host.publisher.down = False
    await host.beats(30)
    assert 1 == len(host.of("cancels"))


# ---- firing and release -------------------------------------------------------------------------------------------


async def test_a_herd_is_fired_chunk_by_chunk_over_the_beats() -> None:
    host = Host()
    records = [
        host.record(an_event("Product Added", at("10:00")), at("10:00"), f"u:{number}")
        for number in range(FIRE_AT_ONCE + 5)
    ]
    await host.runner.batch(records, live=True, caught_up=True)
    await host.take(Tick(partition=2), at("10:46"), None)
    assert FIRE_AT_ONCE == len(host.store.epochs[-1].rows)
    assert host.runner.processor.has_due
    await host.beats(2)
    assert 5 == len(host.store.epochs[-1].rows)
    assert not host.runner.processor.has_due


async def test_what_is_held_is_released_once_the_end_is_reached_and_not_before() -> None:
    host = Host()
    await host.known(caught_up=False)
    await host.take(Tick(partition=2), at("10:46"), None, caught_up=False)
    await host.beats(5)
    assert [] == host.steps()
    assert host.runner.processor.holding
    await host.take(an_event("Browsed", at("10:47")), at("10:47"), "u:c2")
    assert ["remind_1"] == host.steps()


async def test_nothing_is_released_while_a_due_timer_waits() -> None:
    """The run's time may be over: what it decided must not leave before its exit deletes it."""
    host = Host()
    await host.known("u:held", caught_up=False)
    await host.take(Tick(partition=2), at("10:46"), None, caught_up=False)
    herd = [
        host.record(an_event("Product Added", at("10:46")), at("10:46"), f"u:{number}")
        for number in range(2 * FIRE_AT_ONCE)
    ]
    await host.runner.batch(herd, live=False, caught_up=False)
    await host.take(Tick(partition=2), at("11:00", day=1), None)
    assert host.runner.processor.has_due
    assert "remind_1" not in host.steps()
    await host.beats(3)
    assert "remind_1" in host.steps()


async def test_an_exit_further_on_in_an_old_batch_still_stops_what_it_decides() -> None:
    """The batch reaches the end, but not all of it is young: nothing leaves before it is through."""
    host = Host()
    await host.known(caught_up=False)
    batch = [
        host.record(Tick(partition=2), at("10:46"), None),
        host.record(an_event("Browsed", at("10:47")), at("10:47")),
        host.record(an_event("Order Completed", at("10:50"), total=1), at("10:50")),
    ]
    await host.runner.batch(batch, live=False, caught_up=True)
    assert [] == host.steps()
    assert not host.runner.processor.holding


async def test_an_idle_beat_saves_nothing() -> None:
    host = Host()
    await host.known()
    epochs = len(host.store.epochs)
    await host.beats(10)
    assert epochs == len(host.store.epochs)


# ---- failure and order --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [LogUnavailableError(), RuntimeError("disk"), asyncio.CancelledError()])
async def test_a_save_that_failed_refuses_all_further_work(error: BaseException) -> None:
    """The processor is ahead of the store: a mark would vouch for cancels that nobody ever wrote."""
    host = Host()
    await host.known()
    await host.take(Tick(partition=2), at("10:46"), None)
    host.store.error = error
    bought = [host.record(an_event("Order Completed", at("10:50"), total=1), at("10:50"))]
    with pytest.raises(type(error)):
        await host.runner.batch(bought, live=True, caught_up=True)
    assert host.runner.failed
    host.store.error = None
    epochs = len(host.store.epochs)
    for work in (host.runner.beat(), host.runner.batch(bought, live=True, caught_up=True)):
        with pytest.raises(RuntimeError, match="start again"):
            await work
    assert [] == host.publisher.outputs
    assert epochs == len(host.store.epochs)


async def test_a_processor_that_raises_refuses_all_further_work(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host()
    await host.known()

    def raising(*_: object, **__: object) -> Epoch:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(host.runner.processor, "process", raising)
        with pytest.raises(ZeroDivisionError):
            await host.take(Tick(partition=2), at("10:46"), None)
    with pytest.raises(RuntimeError, match="start again"):
        await host.runner.beat()


async def test_batches_and_beats_never_overlap() -> None:
    host = Host()
    await host.known()
    await host.take(Tick(partition=2), at("10:44"), None)
    host.store.gate = lambda: asyncio.sleep(0)
    works: Sequence[Awaitable[None]] = [
        *(host.take(Tick(partition=2), at("10:46", day=day), None) for day in range(5)),
        *(host.runner.beat() for _ in range(5)),
        *(host.take(Tick(partition=2), at("10:47", day=day), None) for day in range(5)),
    ]
    await asyncio.gather(*works)
    assert 1 == host.store.most
    offsets = [epoch.meta.next_offset for epoch in host.store.epochs]
    assert sorted(offsets) == offsets


async def test_decisions_and_lateness_are_measured_once_saved() -> None:
    host = Host()
    await host.known()
    await host.take(Tick(partition=2), at("10:46"), None)
    registry = host.metrics.registry
    labels = {"journey": "cart", "decision": "send", "reason": ""}
    assert 1.0 == registry.get_sample_value("kikkake_decisions_total", labels)
    assert 60.0 == registry.get_sample_value("kikkake_timer_lateness_seconds_sum")
