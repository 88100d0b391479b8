"""One partition: what may be committed when, cancels before and after their command, poison, drain, restart."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from services.dispatcher.channels.base import Message, Receipt
from services.dispatcher.core.rows import work_of
from services.dispatcher.errors import MisconfiguredError, TemporaryError
from services.dispatcher.freshness import CancelsFresh
from services.dispatcher.ledger import KafkaLedger
from services.dispatcher.ports import ClaimsUnavailableError, FencedError
from shared.clock import SECOND
from shared.log import Output
from shared.messages import codec
from shared.messages.command import Mark
from shared.messages.delivery import Delivery
from shared.messages.topics import INCARNATION_KEY
from tests.dispatching import NOON, Bench, a_cancel, a_command, a_record, eventually
from tests.fakes import FakeClock, MemoryLedger, MemoryLog, RecordingProvider, ScriptedClaims


class GatedChannel(RecordingProvider):
    """Holds each message until its gate opens."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}

    async def send(self, message: Message) -> Receipt:
        gate = self.gates.setdefault(message.command_id, asyncio.Event())
        self.waiting.append(message.command_id)
        await gate.wait()
        return await super().send(message)

    def open(self, number: int) -> None:
        self.gates.setdefault(a_command(number).command_id, asyncio.Event()).set()


async def test_commands_are_delivered_and_committable() -> None:
    bench = Bench()
    await bench.worker.start()
    await bench.worker.take_commands([a_record(number, a_command(number)) for number in range(20)])
    await eventually(lambda: bench.worker.idle)
    assert 20 == len(bench.channel.sent)
    assert 20 == bench.worker.committable_commands
    await bench.worker.drain(1)


async def test_only_the_finished_prefix_is_committable() -> None:
    """``sending`` does not count: after a restart that command must be read again."""
    channel = GatedChannel()
    bench = Bench(channel)
    await bench.worker.start()
    await bench.worker.take_commands([a_record(10 + number, a_command(number)) for number in range(3)])
    await eventually(lambda: len(channel.waiting) == 3)
    channel.open(1)
    channel.open(2)
    await eventually(lambda: len(channel.sent) == 2)
    await eventually(lambda: not bench.worker.idle)
    assert bench.worker.committable_commands is None
    channel.open(0)
    await eventually(lambda: bench.worker.committable_commands == 13)
    await bench.worker.drain(1)


async def test_a_deferred_command_is_committable_and_comes_back_in_time() -> None:
    bench = Bench(channel := RecordingProvider(answers=[TemporaryError("451")]))
    await bench.worker.start()
    await bench.worker.take_commands([a_record(0, a_command())])
    await eventually(lambda: bench.worker.committable_commands == 1)
    await asyncio.sleep(0.02)
    assert [] == channel.sent
    bench.machine += 5 * SECOND
    await eventually(lambda: bench.outcomes == [("sent", None)])
    await bench.worker.drain(1)


async def test_a_cancel_before_its_command_is_durable_and_wins() -> None:
    bench = Bench()
    await bench.worker.start()
    await bench.worker.take_cancels([a_record(0, a_cancel())])
    assert 1 == bench.worker.committable_cancels
    assert "cancelled" == bench.memory.rows[a_command().command_id].status

    after_restart = Bench(bench.channel, ledger=bench.memory)
    await after_restart.worker.start()
    await after_restart.worker.take_commands([a_record(0, a_command())])
    await eventually(lambda: after_restart.worker.committable_commands == 1)
    assert [] == bench.channel.sent
    assert [("skipped", "exited")] == after_restart.outcomes
    await bench.worker.drain(1)
    await after_restart.worker.drain(1)


async def test_a_cancel_of_a_deferred_command_ends_it_at_once() -> None:
    bench = Bench(RecordingProvider(answers=[TemporaryError("451")]))
    await bench.worker.start()
    await bench.worker.take_commands([a_record(0, a_command())])
    await eventually(lambda: bench.worker.idle)
    await bench.worker.take_cancels([a_record(0, a_cancel(reason="no_consent"))])
    await eventually(lambda: bench.worker.committable_cancels == 1)
    assert [("skipped", "no_consent")] == bench.outcomes
    bench.machine += 60 * SECOND
    await asyncio.sleep(0.01)
    assert 1 == len(bench.outcomes)
    await bench.worker.drain(1)


async def test_a_cancel_of_what_the_provider_has_is_too_late_and_holds_back_no_other() -> None:
    channel = GatedChannel()
    bench = Bench(channel)
    await bench.worker.start()
    await bench.worker.take_commands([a_record(0, a_command(1))])
    await eventually(lambda: len(channel.waiting) == 1)
    await bench.worker.take_cancels([a_record(0, a_cancel(1)), a_record(1, a_cancel(2))])
    assert "cancelled" == bench.memory.rows[a_command(2).command_id].status
    assert bench.worker.committable_cancels is None
    channel.open(1)
    await eventually(lambda: bench.worker.committable_cancels == 2)
    assert [("sent", None)] == bench.outcomes
    assert {} == bench.deliverer.cancelling
    await bench.worker.drain(1)


async def test_poison_goes_to_the_dead_letters_and_the_partition_goes_on() -> None:
    bench = Bench()
    await bench.worker.start()
    await bench.worker.take_commands([a_record(0, b"\x01\x00{"), a_record(1, a_command())])
    await bench.worker.take_cancels([a_record(0, b"")])
    await eventually(lambda: bench.worker.committable_commands == 2)
    letters = [codec.DEAD_LETTERS.decode(out.value) for out in bench.memory.outputs if out.topic == "commands.dlq"]
    assert [("commands", 3, 0, "bad_message"), ("cancels", 3, 0, "bad_message")] == [
        (letter.topic, letter.partition, letter.offset, letter.reason) for letter in letters
    ]
    assert 1 == bench.worker.committable_cancels
    assert [("sent", None)] == bench.outcomes
    await bench.worker.drain(1)


async def test_the_first_record_of_a_partition_is_passed_over_and_committable() -> None:
    """A quiet partition's offset must leave 0: retention takes that record first."""
    bench = Bench()
    await bench.worker.start()
    first = a_record(0, b"random")
    await bench.worker.take_commands([type(first)(0, NOON, INCARNATION_KEY, b"random")])
    await bench.worker.take_cancels([type(first)(0, NOON, INCARNATION_KEY, b"random")])
    assert [] == bench.memory.outputs
    assert (1, 1) == (bench.worker.committable_commands, bench.worker.committable_cancels)
    await bench.worker.drain(1)


async def test_a_bug_of_ours_ends_one_command_and_spares_the_others() -> None:
    class Buggy(MemoryLedger):
        async def put(self, deliveries: Sequence[Delivery], outputs: Sequence[Output] = ()) -> None:
            if any(row.status == "sending" and row.command_id == a_command(1).command_id for row in deliveries):
                raise ZeroDivisionError
            await super().put(deliveries, outputs)

    bench = Bench(ledger=Buggy())
    await bench.worker.start()
    await bench.worker.take_commands([a_record(0, a_command(1)), a_record(1, a_command(2))])
    await eventually(lambda: bench.worker.committable_commands == 2)
    assert [("failed", "internal_error"), ("sent", None)] == sorted(bench.outcomes, key=lambda end: end[0])
    assert ["commands.dlq"] == [out.topic for out in bench.memory.outputs if out.topic != "events"]
    await bench.worker.drain(1)


async def test_a_command_read_twice_is_sent_once() -> None:
    channel = GatedChannel()
    bench = Bench(channel)
    await bench.worker.start()
    await bench.worker.take_commands([a_record(0, a_command(1)), a_record(1, a_command(1))])
    await eventually(lambda: len(channel.waiting) == 1)
    channel.open(1)
    await eventually(lambda: bench.worker.committable_commands == 2)
    await bench.worker.take_commands([a_record(2, a_command(1))])
    assert 1 == len(channel.sent)
    assert 3 == bench.worker.committable_commands
    await bench.worker.drain(1)


async def test_a_full_worker_holds_its_reader_back_and_a_hung_channel_only_its_own() -> None:
    """A provider that hangs fills its lane; what goes elsewhere is sent meanwhile."""
    hung, sms = GatedChannel(), RecordingProvider("sms")
    bench = Bench(hung, sms, lane_width=2)
    await bench.worker.start()
    stuck = [a_record(number, a_command(number)) for number in range(30)]
    texts = [a_record(number, a_command(number, channels=("sms",))) for number in range(30, 40)]
    async with asyncio.timeout(2):
        await bench.worker.take_commands([*stuck, *texts])
    await eventually(lambda: len(sms.sent) == 10)
    assert 2 == len(hung.waiting)
    for number in range(30):
        hung.open(number)
    bench.machine += SECOND
    await eventually(lambda: len(hung.sent) == 30)
    assert 30 == len({message.command_id for message in hung.sent})
    await bench.worker.drain(1)


async def test_sends_pause_without_claims_and_go_on_by_themselves() -> None:
    bench = Bench(claims=ScriptedClaims(*[ClaimsUnavailableError()] * 20))
    await bench.worker.start()
    await bench.worker.take_commands([a_record(0, a_command())])
    await eventually(lambda: bench.worker.committable_commands == 1)
    assert [("sent", None)] == bench.outcomes
    await bench.worker.drain(1)


async def test_a_drain_finishes_what_the_provider_has_and_leaves_the_rest_unread() -> None:
    channel = GatedChannel()
    bench = Bench(channel, claims=ScriptedClaims("granted", "granted", *[ClaimsUnavailableError()] * 999))
    await bench.worker.start()
    await bench.worker.take_commands([a_record(0, a_command(1))])
    await eventually(lambda: len(channel.waiting) == 1)
    await bench.worker.take_commands([a_record(1, a_command(2))])
    draining = asyncio.create_task(bench.worker.drain(2))
    await asyncio.sleep(0.01)
    channel.open(1)
    await draining
    assert [("sent", None)] == bench.outcomes
    assert 1 == bench.worker.committable_commands


async def test_a_restart_puts_deferred_back_reports_settled_and_declares_sending_ambiguous() -> None:
    channel = GatedChannel()
    first = Bench(channel)
    await first.worker.start()
    await first.worker.take_commands([a_record(0, a_command(1)), a_record(1, a_command(2, on_ambiguous="retry"))])
    await eventually(lambda: len(channel.waiting) == 2)
    await first.worker.drain(0)

    second = Bench(RecordingProvider(), ledger=first.memory)
    await second.worker.start()
    assert [("ambiguous", None)] == second.outcomes
    second.machine += 5 * SECOND
    await eventually(lambda: ("sent", None) in second.outcomes)
    await second.worker.drain(1)


async def test_a_fenced_worker_stops() -> None:
    bench = Bench(claims=ScriptedClaims(FencedError()))
    await bench.worker.start()
    await bench.worker.take_commands([a_record(0, a_command())])
    await eventually(lambda: bench.worker.failure is not None)
    assert isinstance(bench.worker.failure, FencedError)
    assert bench.worker.committable_commands is None
    await bench.worker.drain(1)


async def test_what_waits_is_not_tried_before_the_cancels_are_known() -> None:
    fresh = CancelsFresh()
    bench = Bench(freshness=fresh)
    bench.machine += 10 * SECOND
    await bench.worker.start()
    await bench.worker.take_commands([a_record(0, a_command())])
    await eventually(lambda: bench.worker.committable_commands == 1)
    writes = len(bench.memory.history)
    await asyncio.sleep(0.02)
    assert writes == len(bench.memory.history)
    mark = Mark(partition=3, log_time=NOON, caught_up=True, written_at=bench.machine)
    await bench.worker.take_cancels([a_record(0, mark)], at_end=True)
    await eventually(lambda: bench.outcomes == [("sent", None)])
    await bench.worker.drain(1)


async def test_while_too_much_waits_for_another_try_no_new_command_is_read() -> None:
    """Its place would pile up in memory; in the log it keeps. What ends makes room."""
    bench = Bench(RecordingProvider(answers=[TemporaryError("451")]), waiting=0)
    await bench.worker.start()
    await bench.worker.take_commands([a_record(0, a_command(1))])
    await eventually(lambda: bench.worker.scheduled == 1)
    reading = asyncio.create_task(bench.worker.take_commands([a_record(1, a_command(2))]))
    await asyncio.sleep(0.01)
    assert not reading.done()
    assert bench.memory.get(a_command(2).command_id) is None
    await bench.worker.take_cancels([a_record(0, a_cancel(1))])
    await reading
    await eventually(lambda: bench.worker.committable_commands == 2)
    assert [("skipped", "exited"), ("sent", None)] == bench.outcomes
    await bench.worker.drain(1)


async def test_what_is_kept_as_its_place_goes_back_into_its_line_whole() -> None:
    """Of such a row the ledger knows the status only: without its time and line nobody would find it again."""
    log = MemoryLog(FakeClock(NOON), partitions=4)
    ledger = KafkaLedger(3, publisher=log, reader=log, clock=lambda: NOON, held=0)
    await ledger.take_over("me")
    await ledger.open_term()
    bench = Bench(RecordingProvider(answers=[MisconfiguredError("401")]), ledger=ledger)
    await bench.deliver(a_command(1))
    await bench.deliver(a_command(2))
    [row] = await ledger.load([a_command(2).command_id])
    assert row.command is not None
    again = await bench.deliverer.deliver(work_of(row, row.command))
    assert row == again
    assert bench.deliverer.line(row).lanes
