"""What ``shared/kafka`` and the changelog's writer touch of aiokafka is as when its source was read."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from aiokafka.producer.message_accumulator import BatchBuilder, MessageAccumulator, MessageBatch
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import InitProducerIdRequest

MENTIONED: list[tuple[Callable[..., Any], list[str]]] = [
    (Fetcher.__init__, ["self._records = collections.OrderedDict()", "self._wait_consume_future ="]),
    (Fetcher._create_fetch_waiter, ["self._fetch_waiters.add(fut)"]),
    (Fetcher._notify, ["if future is not None and not future.done()"]),
    # What we do instead of these two.
    (
        Fetcher.fetched_records,
        ["del self._records[tp]", "self._notify(self._wait_consume_future)", "check_raise()", "waiter.result()"],
    ),
    (
        PartitionRecords._unpack_records,
        ["records.next_batch()", "validate_crc()", "next_batch.is_control_batch", "= next_batch.next_offset"],
    ),
    (FetchResult.check_assignment, ["position != self._partition_records.next_fetch_offset"]),
    # The changelog's writer: a batch with the producer state that it says, and a connection by any name.
    (
        BatchBuilder._set_producer_state,
        [".set_producer_state(producer_id, producer_epoch, base_sequence)"],
    ),
    (BatchBuilder._build, ["self._buffer = self._builder.build()", "return self._buffer"]),
    (AIOKafkaClient._get_conn, ["conn_id = (node_id, group)"]),
    (AIOKafkaClient.send, ["self.ready(node_id, group=group)", "self._conns[(node_id, group)].send("]),
    (ProduceRequest.__init__, ["transactional_id: str | None,", "required_acks: int,", "timeout: int,"]),
    (InitProducerIdRequest.__init__, ["self, transactional_id: str, transaction_timeout_ms: int"]),
    # What the publisher does instead of ``add_message``, record by record.
    (
        MessageAccumulator.add_message,
        [
            "if self._closed:",
            "if self._exception is not None:",
            "self._batches.get(tp)",
            "self._append_batch(builder, tp)",
            "batch = pending_batches[-1]",
        ],
    ),
    (MessageAccumulator._append_batch, ["self._batches[tp].append(batch)", "self._waiter_future.set_result(None)"]),
    (MessageBatch.append, ["self._builder.append(", "timestamp=timestamp_ms, key=key, value=value"]),
    (FetchResult._update_position, ["consumed_to(self._partition_records.next_fetch_offset)"]),
]


def test_the_version_is_the_one_whose_source_was_read() -> None:
    assert version("aiokafka") == "0.14.0", "aiokafka changed: read its fetcher again, then update the pin here"


@pytest.mark.parametrize(("function", "words"), MENTIONED, ids=lambda it: getattr(it, "__qualname__", None))
def test_the_source_still_says_what_we_rely_on(function: Callable[..., Any], words: list[str]) -> None:
    source = inspect.getsource(function)
    for word in words:
        assert word in source, f"{function.__qualname__} no longer contains {word!r}"
