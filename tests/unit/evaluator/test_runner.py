"""What time asks of a partition: ticks, firing, release; and what a failure forbids."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

import pytest

from services.evaluator.epoch import Epoch
from services.evaluator.runner import FIRE_AT_ONCE
from shared.log import LogUnavailableError
from shared.messages import codec
from shared.messages.event import Tick
from tests.builders import an_event, at
from tests.unit.evaluator.runners import Host

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
    assert host.runner.in_haste
    await host.beats(2)
    assert 5 == len(host.store.epochs[-1].rows)
    assert not host.runner.in_haste


async def test_a_record_does_not_wait_for_a_herd() -> None:
    """However soon the next beat comes: what has waited for the runner goes first."""
    host = Host()
    herd = [
        host.record(an_event("Product Added", at("10:00")), at("10:00"), f"u:{number}")
        for number in range(5 * FIRE_AT_ONCE)
    ]
    await host.runner.batch(herd, live=True, caught_up=True)
    await host.take(Tick(partition=2), at("10:46"), None)

    async def beat() -> None:
        while host.runner.in_haste:
            await host.runner.beat()
            await asyncio.sleep(0)

    host.store.gate = lambda: asyncio.sleep(0)
    beating = asyncio.create_task(beat())
    await asyncio.sleep(0)
    await host.take(an_event("Browsed", at("10:47")), at("10:47"), "u:late")
    assert host.runner.in_haste
    assert "u:late" in host.store.rows
    await beating


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
