"""The marks of a partition: when they are written, and what they vouch for."""

from __future__ import annotations

from services.evaluator.runner import FIRE_AT_ONCE
from shared.messages import codec
from shared.messages.command import Mark
from shared.messages.event import Tick
from tests.builders import an_outcome, at, consented, identified
from tests.unit.evaluator.runners import Host, added


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
