"""A partition that another worker owns is followed: taken over, only its tail is read, and every rule still holds."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import TopicPartition
from structlog.testing import capture_logs

from services.evaluator import standby
from services.evaluator.changelog.partition import PartitionChangelog, open_partition
from services.evaluator.changelog.records import Stamp
from services.evaluator.changelog.rows import Changes, Mark, MemoryRows, Rows, StateUnreadableError
from services.evaluator.standby import RECORDS_AT_ONCE, KafkaSource, Standbys
from shared.log import LogRecord
from shared.messages.topics import INCARNATION_KEY
from shared.metrics import Metrics
from tests.fakes import DurableRows, FakeClock, MemoryChangelog
from tests.unit.evaluator.changelog_workers import Topics, Worker, an_epoch, at_once, opened

Read = tuple[int, list[LogRecord], int]


class Source:
    """The one partition of a ``MemoryChangelog``, ``size`` records at a time."""

    def __init__(self, log: MemoryChangelog, size: int = 100) -> None:
        self.log = log
        self.size = size
        self.offsets: dict[int, int] = {}
        self.drained = asyncio.Event()

    def assign(self, offsets: dict[int, int]) -> None:
        self.offsets = dict(offsets)

    async def take(self) -> Read | None:
        await asyncio.sleep(0)
        for partition, offset in self.offsets.items():
            found = [record for record in self.log.records if record.offset >= offset][: self.size]
            if found:
                self.offsets[partition] = found[-1].offset + 1
                return partition, found, self.log.records[-1].offset + 1
            if self.log.records and offset > self.log.records[-1].offset + 1:
                self.offsets[partition] = 0  # out of range: a consumer goes back to the first
                return await self.take()
        self.drained.set()
        return None


class Follower:
    """``Standbys`` of partition 0, run until there is nothing more to read."""

    def __init__(self, log: MemoryChangelog, rows: Rows | None = None, *, size: int = 100) -> None:
        self.log = log
        self.source = Source(log, size)
        self.metrics = Metrics()
        self.opened: list[Rows] = []
        self.rows = rows or MemoryRows()
        self.clock = FakeClock()
        self.standbys = Standbys(self.source, log, self.open, self.metrics, clock=self.clock)

    def open(self, _partition: int) -> Rows:
        self.opened.append(self.rows)
        return self.rows

    async def run(self) -> None:
        self.source.drained.clear()
        running = asyncio.create_task(self.standbys.run())
        try:
            async with asyncio.timeout(10):
                await self.source.drained.wait()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def follow(self) -> None:
        self.standbys.follow(frozenset({0}))
        await self.run()

    async def take_over(self) -> tuple[PartitionChangelog, int]:
        """Become the owner, and return how many records were read for it."""
        with capture_logs() as logs:
            image = self.standbys.take(0)
            changelog = await open_partition(
                0,
                owner="follower",
                reader=self.log,
                writer=self.log,
                publisher=Topics().publisher(at_once),
                may_act=lambda: True,
                rows=image.rows if image else MemoryRows(),
                standby=image,
            )
        return changelog, next(it["read"] for it in logs if it["event"] == "partition_restored")

    @property
    def lag(self) -> float | None:
        return self.metrics.registry.get_sample_value("kikkake_standby_lag_records", {"partition": "0"})


def a_log(incarnation: bytes = b"one") -> MemoryChangelog:
    log = MemoryChangelog()
    log.records.append(LogRecord(0, 0, INCARNATION_KEY, incarnation))
    return log


async def owned(epochs: int) -> tuple[MemoryChangelog, PartitionChangelog]:
    log = a_log()
    owner = await opened(log, Topics())
    for number in range(1, epochs + 1):
        await owner.save(an_epoch(number, one=b"%d" % number, **{f"c{number}": b"row"}))
    return log, owner


@pytest.fixture(autouse=True)
def _polls_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standby, "_POLL", 0)
    monkeypatch.setattr(standby, "_RETRY", 0)


def everything(changelog: PartitionChangelog) -> tuple[dict[str, bytes], bytes | None]:
    return dict(changelog.scan()), changelog.load_meta()


# ---- taking over --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [MemoryRows, DurableRows])
async def test_who_followed_reads_the_tail_alone(rows: type[MemoryRows]) -> None:
    """The tail: the last epoch that was followed, which is proved, what came since, and its own claim."""
    log, owner = await owned(50)
    follower = Follower(log, rows())
    await follower.follow()
    await owner.save(an_epoch(51, one=b"last"))
    changelog, read = await follower.take_over()
    assert 1 + 3 + 1 == read
    assert everything(owner) == everything(changelog)
    assert b"last" == changelog.load("u:one")


async def test_without_a_standby_everything_is_read() -> None:
    log, _ = await owned(50)
    _, read = await Follower(log).take_over()
    assert len(log.records) == read


async def test_what_is_unacknowledged_is_published_again_by_who_followed() -> None:
    log, _ = await owned(3)
    follower = Follower(log)
    await follower.follow()
    image = follower.standbys.take(0)
    assert image is not None
    assert [3] == [outbox.epoch for outbox in image.unacknowledged()]


async def test_what_a_stale_writer_overwrote_is_repaired_by_who_followed() -> None:
    log, _ = await owned(2)
    follower = Follower(log)
    await follower.follow()
    await opened(log, Topics(), "b")
    await log.append(0, [(b"c:u:one", b"stale")], Stamp(1, 9))
    await follower.run()
    changelog, _ = await follower.take_over()
    assert b"2" == changelog.load("u:one")
    assert (b"c:u:one", b"2") == (log.records[-1].key, log.records[-1].value)


async def test_a_changelog_created_anew_is_read_whole() -> None:
    log, _ = await owned(20)
    follower = Follower(log)
    await follower.follow()
    new = a_log(b"two")
    other = await opened(new, Topics())
    await other.save(an_epoch(1, new=b"new"))
    log.records[:] = new.records
    changelog, read = await follower.take_over()
    assert len(log.records) == read
    assert {"u:new": b"new"} == everything(changelog)[0]


async def test_a_changelog_that_was_cut_off_and_went_on_otherwise_is_read_whole() -> None:
    log, _ = await owned(20)
    follower = Follower(log)
    await follower.follow()
    del log.records[5:]
    again = await opened(log, Topics())
    for number in range(2, 40):
        await again.save(an_epoch(number, other=b"%d" % number))
    changelog, _ = await follower.take_over()
    assert everything(again) == everything(changelog)


# ---- following ----------------------------------------------------------------------------------------------------


async def test_a_changelog_that_was_cut_off_while_it_is_followed_is_read_anew() -> None:
    log, _ = await owned(20)
    follower = Follower(log)
    await follower.follow()
    del log.records[10:]
    await follower.run()
    changelog, read = await follower.take_over()
    assert read < 10
    whole, _ = await Follower(log).take_over()
    assert everything(whole) == everything(changelog)


async def test_kept_rows_that_the_log_refutes_are_discarded_and_read_anew() -> None:
    rows = DurableRows()
    await Worker("a", a_log(), Topics(), rows=rows).run()
    log, owner = await owned(50)
    kept = rows.after_crash()
    follower = Follower(log, kept)
    await follower.follow()
    assert 1 == kept.discarded
    changelog, read = await follower.take_over()
    assert read < 10
    assert everything(owner) == everything(changelog)


async def test_rows_that_cannot_be_written_are_discarded_and_read_anew() -> None:
    class Damaged(DurableRows):
        def write(self, changes: Changes, mark: Mark | None) -> None:
            if len(follower.opened) < 2:
                raise StateUnreadableError("bad block")
            super().write(changes, mark)

    log, owner = await owned(5)
    follower = Follower(log, Damaged())
    await follower.follow()
    assert 2 == len(follower.opened)
    changelog, _ = await follower.take_over()
    assert everything(owner) == everything(changelog)


async def test_what_is_no_longer_wanted_is_closed() -> None:
    closed: list[str] = []

    class Rows(MemoryRows):
        def close(self) -> None:
            closed.append("closed")

    log, _ = await owned(2)
    follower = Follower(log, Rows())
    await follower.follow()
    assert ([], 0) == (closed, follower.lag)
    follower.standbys.follow(frozenset())
    assert (["closed"], None, {}) == (closed, follower.lag, follower.source.offsets)
    assert follower.standbys.take(0) is None


async def test_a_partition_that_was_owned_is_followed_on_and_taken_back() -> None:
    """Nothing of it is read again but from its last epoch on."""
    log, owner = await owned(50)
    follower = Follower(log)
    follower.standbys.give(0, owner.image)
    other = await Worker("other", log, Topics()).open()
    await other.save(an_epoch(51, one=b"other's"))
    await follower.follow()
    assert [] == follower.opened
    await other.save(an_epoch(52, two=b"other's"))
    changelog, read = await follower.take_over()
    assert read < 10
    assert everything(other) == everything(changelog)


async def test_what_we_wrote_behind_anothers_claim_does_not_stay_in_what_we_followed() -> None:
    """We were paused, another claimed, our write was taken by the broker all the same; then the other died."""
    log, owner = await owned(3)
    await Worker("other", log, Topics()).open()
    await owner.save(an_epoch(4, one=b"stale"))
    follower = Follower(log)
    follower.standbys.give(0, owner.image)
    changelog, _ = await follower.take_over()
    assert b"3" == changelog.load("u:one")


async def test_what_was_fetched_before_an_assignment_is_dropped() -> None:
    """It might be of rows that have been opened anew since: a gap would lie before it."""
    log, _ = await owned(50)
    follower = Follower(log, size=10)
    follower.standbys.follow(frozenset({0}))
    running = asyncio.create_task(follower.standbys.run())
    for _ in range(200):
        await asyncio.sleep(0)
        image = follower.standbys.take(0)
        if image is not None:
            assert [*range(image.next_offset)] == [it.offset for it in log.records if it.offset < image.next_offset]
            expected = {
                it.key[2:].decode() for it in log.records[: image.next_offset] if it.key and it.key[:2] == b"c:"
            }
            assert expected == set(dict(image.rows.scan()))
        follower.rows = MemoryRows()
        follower.standbys.follow(frozenset({0}))
        for _ in range(7):
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_partition_that_is_taken_away_while_its_records_come_is_no_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = KafkaSource("127.0.0.1:1", prefix="t.")
    place, other = (TopicPartition("t.contacts-changelog", number) for number in (3, 4))

    async def taken(*_: object) -> tuple[TopicPartition, list[LogRecord]]:
        source._consumer.assign([other])
        return place, []

    source._consumer.assign([place])
    monkeypatch.setattr(standby, "take", taken)
    assert await source.take() is None


async def test_four_fifths_of_the_time_are_left_to_what_is_owned(monkeypatch: pytest.MonkeyPatch) -> None:
    log, _ = await owned(RECORDS_AT_ONCE)
    follower = Follower(log, size=10_000)
    rests: list[float] = []
    sleep = asyncio.sleep

    async def rest(seconds: float) -> None:
        rests.append(seconds)
        await sleep(0)

    class Slow(MemoryRows):
        def write(self, changes: Changes, mark: Mark | None) -> None:
            follower.clock.advance(25)
            super().write(changes, mark)

    follower.rows = Slow()
    monkeypatch.setattr(asyncio, "sleep", rest)
    await follower.follow()
    portions = -(-len(log.records) // RECORDS_AT_ONCE)
    assert [0.1] * portions == [it for it in rests if it]
    assert portions > 3
