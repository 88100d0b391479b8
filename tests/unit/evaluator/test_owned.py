"""What a worker keeps in memory from one assignment to the next, and what it reports of all its partitions."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.tables.recovery import RebalanceAgain
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from services.evaluator.batch_consumer import BatchConsumer
from services.evaluator.broker_time import BrokerTime
from services.evaluator.changelog.image import Image
from services.evaluator.changelog.rows import MemoryRows, StateUnreadableError
from services.evaluator.lease import Lease
from services.evaluator.owned import OwnedPartitions, _Owned
from services.evaluator.partitions import Batch
from services.evaluator.queries import NotHeldError
from services.evaluator.settings import EvaluatorSettings
from services.evaluator.transport import create_app
from shared.clock import system_clock
from shared.journeys.model import Definitions
from shared.kafka.partition import partition_of
from shared.log import LogRecord, LogUnavailableError
from shared.metrics import Metrics
from tests.fakes import FakeClock

Assigned = tuple[set[int], set[int]]
"""Partitions, and those of them that were kept."""


# ---- the transport: what may be kept ------------------------------------------------------------------------------


class Handler:
    """Notes what it is assigned; waits for ``gate`` where there is one."""

    def __init__(self) -> None:
        self.calls: list[Assigned] = []
        self.gate: asyncio.Event | None = None

    async def assigned(
        self, partitions: frozenset[int], kept: frozenset[int], standbys: frozenset[int]
    ) -> dict[int, int | None]:
        self.calls.append((set(partitions), set(kept)))
        if self.gate is not None:
            await self.gate.wait()
        return dict.fromkeys(partitions)

    async def revoked(self, partitions: frozenset[int]) -> None:
        return None

    async def batch(self, batch: Batch) -> None:
        return None


class Group:
    """A consumer that is told of rebalances as the broker would do it."""

    def __init__(self, consumer: BatchConsumer, handler: Handler, lease: Lease) -> None:
        self.consumer, self.handler, self.lease = consumer, handler, lease
        self.generation = 0

    async def rebalance(self, *partitions: int, restore: bool = True) -> None:
        self.generation += 1
        await self.consumer.on_partitions_revoked(set())
        await self.consumer.on_partitions_assigned({TP("events", number) for number in partitions}, self.generation)
        if restore:
            await self.consumer.restore()


@pytest.fixture
async def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Group:
    async def nothing(*_: Any, **__: Any) -> None:
        return None

    for name in ("on_partitions_assigned", "on_partitions_revoked"):
        monkeypatch.setattr(driver.Consumer, name, nothing)
    handler, lease = Handler(), Lease()
    lease.confirm("member-1", 0)
    app = create_app(group="g", bootstrap="127.0.0.1:1", topic="events", handler=handler, lease=lease, datadir=tmp_path)
    consumer = app.transport.create_consumer(
        nothing, on_partitions_revoked=nothing, on_partitions_assigned=nothing, beacon=app.beacon
    )
    return Group(cast("BatchConsumer", consumer), handler, lease)


async def test_what_stays_ours_is_kept(group: Group) -> None:
    await group.rebalance(0, 1)
    await group.rebalance(1, 2)
    await group.rebalance(1, 2)
    assert [({0, 1}, set()), ({1, 2}, {1}), ({1, 2}, {1, 2})] == group.handler.calls


async def test_a_partition_that_an_assignment_left_out_is_not_kept_although_nothing_was_restored_then(
    group: Group,
) -> None:
    """Another worker may have owned it and written: our image of it is old."""
    await group.rebalance(0, 1)
    await group.rebalance(1, restore=False)
    await group.rebalance(0, 1)
    assert [({0, 1}, set()), ({0, 1}, {1})] == group.handler.calls


async def test_nothing_is_kept_across_a_generation_that_we_were_not_told_of(group: Group) -> None:
    await group.rebalance(0, 1)
    group.generation += 1
    await group.rebalance(0, 1)
    assert [({0, 1}, set()), ({0, 1}, set())] == group.handler.calls


async def test_nothing_is_kept_by_a_new_member(group: Group) -> None:
    await group.rebalance(0)
    group.lease.confirm("member-2", 0)
    await group.rebalance(0)
    assert [({0}, set()), ({0}, set())] == group.handler.calls


async def test_what_was_not_restored_to_the_end_is_not_kept(group: Group) -> None:
    group.handler.gate = asyncio.Event()
    await group.rebalance(0, restore=False)
    restoring = asyncio.create_task(group.consumer.restore())
    await asyncio.sleep(0.01)
    await group.rebalance(0, restore=False)
    with pytest.raises(RebalanceAgain):
        await restoring
    group.handler.gate.set()
    await group.consumer.restore()
    assert [({0}, set()), ({0}, set())] == group.handler.calls


# ---- the handler --------------------------------------------------------------------------------------------------


class Runner:
    """Stands in for a partition's runner."""

    def __init__(self) -> None:
        self.forgotten = False
        self.failed = False
        self.caught_up = True
        self.processor = SimpleNamespace(meta=SimpleNamespace(next_offset=5))

    async def batch(self, *_: Any, **__: Any) -> None:
        return None

    async def beat(self) -> None:
        await asyncio.sleep(60)

    def forget(self) -> None:
        self.forgotten = True


class Followed:
    """Notes what it is told to follow."""

    def __init__(self) -> None:
        self.partitions: set[int] = set()
        self.calls: list[str] = []

    def follow(self, partitions: frozenset[int]) -> None:
        self.partitions = set(partitions)

    def give(self, partition: int, _image: Image) -> None:
        self.calls.append(f"give {partition}")

    def take(self, partition: int) -> Image | None:
        self.calls.append(f"take {partition}")
        return None


class Worker:
    """``OwnedPartitions`` without a broker."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, lease: Lease | None = None) -> None:
        self.metrics = Metrics()
        self.owned = OwnedPartitions(EvaluatorSettings(), Definitions(journeys=()), lease or Lease(), self.metrics)
        self.opened: list[int] = []

        async def nothing(*_: Any, **__: Any) -> dict[int, int]:
            return dict.fromkeys(range(12), 0)

        async def opening(partition: int, *_: Any) -> None:
            self.opened.append(partition)
            changelog = SimpleNamespace(next_offset=0, close=nothing, image=Image(MemoryRows(), ""))
            time = BrokerTime(lambda: 0, lambda: 0)
            self.owned._owned[partition] = _Owned(MemoryRows(), cast("Any", changelog), cast("Any", Runner()), time)

        monkeypatch.setattr("services.evaluator.owned.read_incarnations", nothing)
        monkeypatch.setattr(self.owned._reader, "ends", nothing)
        monkeypatch.setattr(self.owned, "_open", opening)
        self.owned._tail = cast("Any", SimpleNamespace(follow=lambda _: None))
        self.owned._standbys = cast("Any", Followed())

    async def assigned(self, partitions: set[int], kept: set[int], standbys: Collection[int] = ()) -> None:
        await self.owned.assigned(frozenset(partitions), frozenset(kept), frozenset(standbys))
        self.opened, self.last = [], sorted(self.opened)
        await asyncio.sleep(0)
        await self.owned.revoked(frozenset(partitions))

    async def take(self, partition: int, age: int, *, behind: int) -> None:
        record = LogRecord(9, system_clock() - age, b"u:1", b"")
        await self.owned.batch(Batch(partition, [record], 10 + behind))

    @property
    def lag(self) -> float:
        found = self.metrics.registry.get_sample_value("kikkake_consumer_lag_seconds", {"topic": "events"})
        assert found is not None
        return found


async def test_only_what_is_kept_is_not_opened_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(monkeypatch)
    await worker.assigned({0, 1, 2}, set())
    assert [0, 1, 2] == worker.last
    await worker.assigned({0, 1}, {1})
    assert [0] == worker.last


@pytest.mark.parametrize(("replicas", "followed"), [(0, set()), (1, {1, 2})])
async def test_what_the_group_gives_as_standby_is_followed_if_the_setting_asks_for_it(
    replicas: int, followed: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faust's sticky assignor always gives one. A partition that was ours and is so no longer stays warm."""
    worker = Worker(monkeypatch)
    worker.owned._settings = EvaluatorSettings(standby_replicas=replicas)
    standbys = Followed()
    worker.owned._standbys = cast("Any", standbys)
    await worker.assigned({0, 1}, set())
    await worker.assigned({0}, {0}, {1, 2})
    assert followed == standbys.partitions
    assert (["give 1"] if replicas else []) == [it for it in standbys.calls if it.startswith("give")]
    await worker.assigned({0, 2}, {0}, {1})
    assert "take 2" == standbys.calls[-1]


async def test_the_lag_is_that_of_the_partition_furthest_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever reported last; one that is given up is no longer counted."""
    worker = Worker(monkeypatch)
    await worker.assigned({0, 1}, set())
    await worker.take(0, 60_000, behind=1)
    await worker.take(1, 1_000, behind=1)
    assert 60 <= worker.lag < 70
    await worker.take(1, 0, behind=0)
    assert 60 <= worker.lag < 70
    await worker.assigned({1}, {1})
    assert 0 == worker.lag


# ---- what is told of a contact -----------------------------------------------------------------------------------


def refused(worker: Worker, contact: str) -> str:
    """Return why ``contact`` is not held; nothing: it is."""
    try:
        worker.owned.held(contact)
    except NotHeldError as error:
        return error.why
    return ""


async def test_a_contact_is_spoken_for_only_while_its_partition_is_surely_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the end of its restore to its revocation, and only while the coordinator confirms us."""
    now = FakeClock(10_000)
    lease = Lease(10_000, clock=now)
    worker = Worker(monkeypatch, lease)
    mine, other = partition_of(b"u:1", 12), partition_of(b"u:3", 12)
    assert mine != other
    assert "not_owner" == refused(worker, "u:1")
    await worker.owned.assigned(frozenset({mine}), frozenset(), frozenset())
    assert "no_lease" == refused(worker, "u:1"), "nobody has confirmed us yet"
    lease.confirm("member", now())
    assert ["", "not_owner"] == [refused(worker, "u:1"), refused(worker, "u:3")]
    held = worker.owned.held("u:1")
    assert (mine, True) == (held.partition, held.caught_up)
    now.advance(5_000)
    assert "no_lease" == refused(worker, "u:1"), "half a session: before anybody else can have it"
    lease.confirm("member", now())
    await asyncio.sleep(0)
    await worker.owned.revoked(frozenset({mine}))
    assert "moving" == refused(worker, "u:1")
    await worker.owned.assigned(frozenset({other}), frozenset(), frozenset())
    assert ["not_owner", ""] == [refused(worker, "u:1"), refused(worker, "u:3")]
    await asyncio.sleep(0)
    await worker.owned.revoked(frozenset({other}))


# ---- rows that are kept -------------------------------------------------------------------------------------------


class Kept(MemoryRows):
    """Notes what becomes of it."""

    def __init__(self, _partition: int = 0) -> None:
        super().__init__()
        self.history: list[str] = []

    def discard(self, reason: str) -> None:
        self.history.append(f"discarded: {reason}")

    def close(self) -> None:
        self.history.append("closed")


async def open_with(errors: list[BaseException], monkeypatch: pytest.MonkeyPatch) -> tuple[OwnedPartitions, Kept]:
    """Open a partition whose first attempts end in ``errors``."""
    rows = Kept()
    owned = OwnedPartitions(EvaluatorSettings(), Definitions(journeys=()), Lease(), Metrics(), lambda _: rows)

    async def restored(rows: MemoryRows, *_: Any) -> _Owned:
        if errors:
            raise errors.pop(0)
        return _Owned(rows, cast("Any", None), cast("Any", Runner()), BrokerTime(lambda: 0, lambda: 0))

    monkeypatch.setattr(owned, "_restored", restored)
    await owned._open(0, None, 0)
    return owned, rows


async def test_rows_that_cannot_be_read_are_discarded_and_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    owned, rows = await open_with([StateUnreadableError("bad block")], monkeypatch)
    assert (["discarded: bad block"], {0}) == (rows.history, set(owned._owned))
    owned._drop({0})
    assert ["discarded: bad block", "closed"] == rows.history


@pytest.mark.parametrize("error", [asyncio.CancelledError(), LogUnavailableError()])
async def test_rows_are_closed_when_a_restore_does_not_come_to_its_end(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another assignment opens them again, which it could not while they are open."""
    closed: list[str] = []
    monkeypatch.setattr(Kept, "close", lambda _: closed.append("closed"))
    with pytest.raises(type(error)):
        await open_with([error], monkeypatch)
    assert ["closed"] == closed
