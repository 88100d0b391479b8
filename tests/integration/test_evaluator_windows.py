"""The crash and fault windows of a partition on a real Kafka: its group, its restore, its log; judged as always."""

from __future__ import annotations

import asyncio
import signal

import pytest

from services.evaluator.changelog.records import CLAIM, CONTACT, Stamp, stamp_of
from shared.log import LogRecord
from shared.messages.topics import CHANGELOG, COMMANDS, INCARNATION_KEY, JOURNAL
from tests.e2e.processes import Process, wait_until
from tests.e2e.scenario import decoded_journal
from tests.integration.evaluator_worker import EXIT_CODE
from tests.integration.evaluator_world import PARTITIONS, World, highest_terms, lines_of
from tests.unfenced import append_unfenced

pytestmark = pytest.mark.integration


def restored(process: Process, since: int = 0) -> dict[int, int]:
    """Return from which offset on ``process`` read each partition that it was given."""
    return {line["partition"]: line["begin"] for line in lines_of(process, "partition_restored", since)}


def terms(world: World) -> list[int]:
    return [max(stamp_of(record).term for record in part if record.key == CLAIM) for part in world.read(CHANGELOG)]


def work_is_under_way(world: World) -> None:
    wait_until(lambda: sum(map(len, world.read(COMMANDS))) > PARTITIONS, "work is under way", 30, world.tails)


def done(world: World) -> None:
    wait_until(world.over, "every run has ended", 90, world.tails)


# ---- the group ----------------------------------------------------------------------------------------------------


def test_a_restart_within_the_session_moves_no_partition_and_reads_no_log_anew(world: World) -> None:
    """Rolled out anew, then killed with work in hand: the other goes on undisturbed, it itself where its disk ends."""
    world.env["KIKKAKE_SESSION_TIMEOUT"] = "30"
    worker = world.evaluator("a").ready()
    other = world.evaluator("b").ready()
    world.visit(30)
    done(world)
    before, others = terms(world), set(restored(other))
    assert 0 < len(others) < PARTITIONS
    undisturbed = other.log.stat().st_size
    for number, end in enumerate((signal.SIGTERM, signal.SIGKILL), start=1):
        world.visit(30)
        worker.send(end)
        worker.wait()
        said = worker.log.stat().st_size
        worker = world.evaluator("a")
        world.visit(30)
        done(world)
        begins = restored(worker, said)
        assert set(range(PARTITIONS)) - others == set(begins)
        assert all(begins.values())
        assert [term + number * (it not in others) for it, term in enumerate(before)] == terms(world)
    assert {} == restored(other, undisturbed)
    world.compare()


def test_without_the_groups_offsets_it_goes_on_where_its_own_cursor_is(world: World) -> None:
    """A broker forgets them a week after the last member left. Another group has none either."""
    world.visit(30)
    world.evaluator().ready()
    done(world)
    world.processes[-1].send(signal.SIGTERM)
    world.processes[-1].wait()
    world.env["KIKKAKE_EVALUATOR_GROUP"] = f"{world.group}-2"
    world.visit(15)
    world.evaluator()
    done(world)
    world.compare()
    wait_until(world.applied, "every record is applied", 30, world.tails)
    assert [0] * PARTITIONS == [meta.counters.repeated for meta in world.metas()]
    records = [record for part in world.read(JOURNAL) for record in part if record.key != INCARNATION_KEY]
    assert len(decoded_journal(records)) == len(records)


@pytest.mark.long
def test_partitions_that_move_with_batches_in_flight_lose_and_double_nothing(world: World) -> None:
    """Others join and leave, in order and by kill -9, while a backlog is worked off."""
    world.visit(150)
    world.evaluator("a")
    work_is_under_way(world)
    for number in range(2):
        joined = world.evaluator(f"b{number}").ready()
        world.visit(60)
        work_is_under_way(world)
        joined.send(signal.SIGKILL if number else signal.SIGTERM)
        joined.wait()
        world.visit(60)
    done(world)
    world.compare()


# ---- the restore --------------------------------------------------------------------------------------------------


def test_killed_in_the_midst_of_a_restore_the_next_one_begins_again(world: World) -> None:
    """The whole log is read each time; what was there and not acknowledged is neither lost nor decided anew."""
    world.env["KIKKAKE_STATE"] = "memory"
    world.visit(30)
    died = world.failing("half_published", 2)
    assert EXIT_CODE == died.wait(), died.tail()
    for nth in (2, 5):
        world.visit(15)
        died = world.failing("restored", nth)
        assert EXIT_CODE == died.wait(), died.tail()
    world.evaluator()
    done(world)
    world.compare()


# ---- compaction ---------------------------------------------------------------------------------------------------

_AT_ONCE = {
    "segment.ms": "500",
    "min.cleanable.dirty.ratio": "0.01",
    "min.compaction.lag.ms": "0",
    "max.compaction.lag.ms": "1000",
}


def compacted(world: World) -> None:
    """Wait until the cleaner has taken a third of each partition, with some visits to make it roll its segments."""
    ends = [part[-1].offset + 1 for part in world.read(CHANGELOG)]

    def cleaned() -> bool:
        world.visit(3, buy=False)
        parts = [[it for it in part if it.offset < end] for part, end in zip(world.read(CHANGELOG), ends, strict=True)]
        return all(3 * len(part) < 2 * end for part, end in zip(parts, ends, strict=True))

    wait_until(cleaned, "the log is compacted", 60, world.tails)


def newest(part: list[LogRecord]) -> dict[bytes, LogRecord]:
    """Return the last record of each contact: what compaction leaves."""
    return {record.key: record for record in part if record.key is not None and record.key.startswith(CONTACT)}


def write_stale(world: World) -> dict[int, list[bytes]]:
    """Write over contacts as a worker of the first term would whom no broker shuts out: old rows, and none.

    Return their keys.
    """
    stale: dict[int, list[tuple[bytes, bytes | None]]] = {}
    for number, part in enumerate(world.read(CHANGELOG)):
        rows = sorted(newest(part).items())[:4]
        stale[number] = [(key, rows[0][1].value if n % 2 else None) for n, (key, _) in enumerate(rows)]

    async def write() -> None:
        for number, records in stale.items():
            await append_unfenced(world.settings, number, records, Stamp(1, 1_000_000))

    asyncio.run(write())
    return {number: [key for key, _ in records] for number, records in stale.items()}


@pytest.mark.long
def test_a_log_that_is_compacted_while_a_stale_writer_sleeps_and_writes_is_restored_to_the_truth(world: World) -> None:
    """SIGSTOP, another takes over, compaction, SIGCONT; then stale records, their repair, and compaction over both."""
    world.env["KIKKAKE_STATE"] = "memory"
    world.configure(CHANGELOG, _AT_ONCE)
    first = world.evaluator("a").ready()
    world.visit(30)
    work_is_under_way(world)
    second = world.evaluator("b").ready()
    world.visit(30)
    first.send(signal.SIGSTOP)
    world.visit(30)
    wait_until(lambda: highest_terms(world) >= {2}, "the other has claimed", 60, world.tails)
    compacted(world)
    first.send(signal.SIGCONT)
    wait_until(lambda: not first.running or len(restored(first)) > PARTITIONS - 1, "it has come back or ended", 60)
    world.visit(30)
    done(world)
    keys = write_stale(world)

    def repaired() -> bool:
        parts = enumerate(world.read(CHANGELOG))
        return all(stamp_of(newest(part)[key]).term > 1 for number, part in parts for key in keys[number])

    wait_until(repaired, "the owner has written the right rows again", 30, world.tails)
    compacted(world)
    done(world)
    for process in (first, second):
        process.end()
    world.evaluator("c")
    # Contacts whose row was lost or is an older one would decide again what they decided.
    world.repeat()
    wait_until(world.applied, "every record is applied", 60, world.tails)
    done(world)
    world.compare()
