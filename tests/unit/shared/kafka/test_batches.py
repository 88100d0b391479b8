"""What a fetch brought, walked by whole record batches; the bytes are made by aiokafka's own builder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_UNCOMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c

from shared.kafka.batches import _records
from shared.log import LogRecord

PLACE = TopicPartition("t", 0)
_ATTRIBUTES = 21  # where a batch's attributes stand
_CONTROL = 0b10_0000


def a_batch(
    base: int, *values: bytes | None, header: bytes = b"h", deltas: Sequence[int] = (), codec: int = 0
) -> bytearray:
    """Return a record batch from offset ``base`` on; compaction has left those at ``deltas``, or all."""
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 20)
    for delta, value in zip(deltas or range(len(values)), values, strict=True):
        assert builder.append(delta, 7, b"k", value, [("e", header)]) is not None
    data = bytearray(builder.build())
    data[0:8] = base.to_bytes(8, "big")
    return data


def fetched(offset: int, *batches: bytearray) -> Any:
    data = b"".join(bytes(batch) for batch in batches)
    return PartitionRecords(PLACE, MemoryRecords(data), [], offset, None, None, True, READ_UNCOMMITTED)


def test_records_are_as_they_were_written() -> None:
    found = fetched(5, a_batch(5, b"a", None), a_batch(7, b"b", header=b"i"))
    h, i = (("e", b"h"),), (("e", b"i"),)
    expected = [LogRecord(5, 7, b"k", b"a", h), LogRecord(6, 7, b"k", None, h), LogRecord(7, 7, b"k", b"b", i)]
    assert expected == _records(PLACE, found)
    assert 8 == found.next_fetch_offset


def test_records_of_one_epoch_share_their_headers() -> None:
    """``Image.apply`` goes by it."""
    one, two, three = _records(PLACE, fetched(0, a_batch(0, b"a", b"b"), a_batch(2, b"c", header=b"i")))
    assert one.headers is two.headers
    assert one.headers is not three.headers


@pytest.mark.parametrize("codec", [1, 2, 3, 4], ids=["gzip", "snappy", "lz4", "zstd"])
def test_a_batch_may_be_compressed(codec: int) -> None:
    """By another producer, or by the broker (``compression.type``)."""
    plain, packed = (a_batch(5, b"a" * 500, b"b" * 500, codec=it) for it in (0, codec))
    assert len(packed) < len(plain) / 2
    assert _records(PLACE, fetched(6, plain)) == _records(PLACE, fetched(6, packed))
    assert [b"a" * 500, b"b" * 500] == [record.value for record in _records(PLACE, fetched(5, packed))]


def test_what_lies_before_the_position_is_left_out() -> None:
    """A broker sends the whole batch in which the position lies."""
    assert [b"b", b"c"] == [record.value for record in _records(PLACE, fetched(1, a_batch(0, b"a", b"b", b"c")))]


def test_the_next_fetch_begins_behind_a_batch_whose_end_was_compacted_away() -> None:
    batch = a_batch(0, b"a", deltas=[0])
    batch[23:27] = (9).to_bytes(4, "big")  # last offset delta
    found = fetched(0, sealed(batch))
    assert [0] == [record.offset for record in _records(PLACE, found)]
    assert 10 == found.next_fetch_offset


def test_the_end_of_a_transaction_is_no_record() -> None:
    control = a_batch(0, b"\x00\x00\x00\x00\x00\x01")
    control[_ATTRIBUTES + 1] |= _CONTROL
    found = fetched(0, sealed(control))
    assert [] == _records(PLACE, found)
    assert 1 == found.next_fetch_offset


def test_a_batch_that_was_damaged_is_refused() -> None:
    batch = a_batch(0, b"value")
    batch[-3] ^= 1
    with pytest.raises(CorruptRecordException, match="checksum"):
        _records(PLACE, fetched(0, batch))


def test_a_batch_that_is_cut_short_waits_for_the_next_fetch() -> None:
    found = fetched(0, a_batch(0, b"a"), a_batch(1, b"b")[:-4])
    assert [b"a"] == [record.value for record in _records(PLACE, found)]
    assert 1 == found.next_fetch_offset


def sealed(batch: bytearray) -> bytearray:
    """Return the batch with the checksum of what stands in it."""
    batch[17:21] = calc_crc32c(memoryview(batch)[21:]).to_bytes(4, "big")
    return batch
