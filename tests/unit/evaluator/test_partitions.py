"""A partition's lane: one batch at a time, in order, and what has come meanwhile as one."""

from __future__ import annotations

import asyncio

from services.evaluator.lease import Lease
from services.evaluator.partitions import Batch, Lane
from shared.log import LogRecord

LIMIT = 4


class Handler:
    """Notes the offsets of each batch and its end, and waits for ``go``."""

    def __init__(self) -> None:
        self.batches: list[tuple[list[int], int]] = []
        self.go = asyncio.Semaphore(0)

    async def batch(self, batch: Batch) -> None:
        self.batches.append(([record.offset for record in batch.records], batch.highwater))
        await self.go.acquire()


class Worked:
    """A lane whose lease lasts, with what it acknowledged."""

    def __init__(self) -> None:
        self.handler = Handler()
        self.acked: list[int] = []
        lease = Lease(10_000, clock=lambda: 0)
        lease.confirm("member", 0)
        self.lane = Lane(self.handler, lease, lambda: None, LIMIT)  # type: ignore[arg-type]  # it gives batches alone

    def put(self, *offsets: int) -> None:
        self.lane.reserve(len(offsets))
        records = [LogRecord(offset, 0, b"u:1", b"") for offset in offsets]
        self.lane.put(Batch(0, records, offsets[-1] + 10), lambda: self.acked.append(offsets[-1]))

    async def step(self) -> None:
        self.handler.go.release()
        for _ in range(5):
            await asyncio.sleep(0)


async def test_what_comes_while_a_batch_is_in_work_is_handed_over_as_one() -> None:
    worked = Worked()
    worked.put(0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    worked.put(1)
    worked.put(2, 3)
    worked.put(4)
    await worked.step()
    assert [([0], 10), ([1, 2, 3, 4], 14)] == worked.handler.batches
    assert [0] == worked.acked
    await worked.step()
    assert [0, 1, 3, 4] == worked.acked
    await worked.lane.close()


async def test_no_batch_becomes_longer_than_the_limit() -> None:
    worked = Worked()
    for offsets in ((0, 1, 2), (3, 4), (5, 6), (7,)):
        worked.put(*offsets)
    for _ in range(4):
        await worked.step()
    assert [[0, 1, 2], [3, 4, 5, 6], [7]] == [offsets for offsets, _ in worked.handler.batches]
    assert [2, 4, 6, 7] == worked.acked
    await worked.lane.close()


async def test_there_is_room_for_two_batches_or_for_small_ones_up_to_the_limit() -> None:
    worked = Worked()
    room = []
    for offset in range(LIMIT):
        room.append(worked.lane.has_room)
        worked.put(offset)
    assert [True, True, True, True, False] == [*room, worked.lane.has_room]
    large = Worked()
    large.put(0, 1, 2, 3)
    assert large.lane.has_room
    large.put(4, 5, 6, 7)
    assert not large.lane.has_room
    await large.step()
    assert large.lane.has_room
    for each in (worked, large):
        each.handler.go.release()
        await each.lane.close()


async def test_a_closed_lane_ends_what_is_in_work_and_drops_the_rest() -> None:
    worked = Worked()
    worked.put(0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    worked.put(1)
    closing = asyncio.create_task(worked.lane.close())
    await worked.step()
    await closing
    worked.put(2)
    assert ([([0], 10)], [0]) == (worked.handler.batches, worked.acked)
