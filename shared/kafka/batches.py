"""Takes what an aiokafka consumer has fetched as whole record batches: two to three times as fast as its ``getmany``.

That makes two objects of each record, one of them of eleven fields, and most of a restore's time went there. aiokafka
has no public way around it; ``tests/contract/test_aiokafka_internals.py`` holds what is touched here.
"""
# ruff: noqa: SLF001 - as said above

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import CorruptRecordException

from shared.log import LogRecord

_TURNS = 4
"""Of the loop, until the fetcher, which was told that there is room, has sent its next request: it is answered while
these records are worked on. It takes three; a test counts them."""


async def take(consumer: AIOKafkaConsumer, timeout: float) -> tuple[TopicPartition, list[LogRecord]] | None:
    """Return one partition of those assigned with the records that were fetched of it, and move its position on.

    None: none came within ``timeout`` seconds. There may be no record in what was fetched, only a gap between offsets.
    The next fetch is on its way when this returns. Raises KafkaError. For a consumer without a group, assigned by hand.
    """
    fetcher = consumer._fetcher
    if not fetcher._records:
        waiter = fetcher._create_fetch_waiter()
        await asyncio.wait([waiter], timeout=timeout)
        if not waiter.done():
            waiter.cancel()
            return None
        waiter.result()
        if not fetcher._records:
            return None
    place, fetched = fetcher._records.popitem(last=False)
    try:
        if not isinstance(fetched, FetchResult):
            fetched.check_raise()
        if not fetched.check_assignment(place):  # of a position that was left by a seek
            return None
        records = _records(place, fetched._partition_records)
        fetched._update_position()
    finally:
        fetcher._notify(fetcher._wait_consume_future)
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    return place, records


def _records(place: TopicPartition, fetched: Any) -> list[LogRecord]:
    """Return the records from the position on, and note in ``fetched`` where the next fetch begins."""
    found: list[LogRecord] = []
    begin, batches = fetched.next_fetch_offset, fetched._records
    headers: tuple[tuple[str, bytes], ...] = ()
    while batches.has_next():
        batch = batches.next_batch()
        if not batch.validate_crc():
            raise CorruptRecordException(f"a record batch of {place} has a wrong checksum")
        if not batch.is_control_batch:
            for record in batch:
                if record.offset >= begin:
                    own = tuple(record.headers)
                    if own != headers:  # the records of one batch mostly share theirs
                        headers = own
                    found.append(LogRecord(record.offset, record.timestamp, record.key, record.value, headers))
        # Not behind the last record: compaction leaves a batch's end in place.
        fetched.next_fetch_offset = batch.next_offset
    return found
