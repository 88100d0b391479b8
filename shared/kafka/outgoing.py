"""Puts records into aiokafka's batches, and tells those who wait for them how they ended.

It does what the producer's ``send`` does, without a coroutine, a future and a callback for each record, which cost
several times as much (aiokafka is pinned). Who bounds how much is under way is the caller.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerClosed
from aiokafka.structs import TopicPartition

from shared.clock import Clock, system_clock
from shared.log import Output

Ended = Callable[[KafkaError | None], None]
"""Told once that all the batches of a write have ended: None, or what became of the first that failed."""

_NO_HEADERS: list[tuple[str, bytes]] = []


class Part(NamedTuple):
    """What becomes of a batch, which of its records is our first, and which is the first that is not."""

    future: asyncio.Future[Any]
    first: int
    end: int


class _Write:
    """Records that were put together: in how many batches that have not ended, and who waits for them."""

    __slots__ = ("ended", "error", "left")

    def __init__(self, ended: Ended) -> None:
        self.ended = ended
        self.left = 0
        self.error: KafkaError | None = None


class Outgoing:
    """The batches under way, each with those who wait for it: they are told in one turn of the loop."""

    def __init__(self, clock: Clock = system_clock) -> None:
        """``clock`` gives records their time, where the broker does not."""
        self._waiting: dict[asyncio.Future[Any], list[_Write]] = {}
        self._clock = clock

    def put(
        self, producer: AIOKafkaProducer, records: Mapping[TopicPartition, Sequence[Output]], ended: Ended
    ) -> list[Part]:
        """Put ``records`` into the batches that are sent next, in order; return where they are.

        ``ended`` is called later, once, and must not raise. Raises KafkaError when the producer is closed or has failed
        for good: then nothing was put.
        """
        accumulator = producer._message_accumulator  # noqa: SLF001
        if accumulator._exception is not None:  # noqa: SLF001
            raise copy.copy(accumulator._exception)  # noqa: SLF001
        if accumulator._closed:  # noqa: SLF001
            raise ProducerClosed
        write, parts, now = _Write(ended), [], self._clock()
        for place, outputs in records.items():
            start = 0
            while start < len(outputs):
                # One that is being sent again is at the head, and closed.
                batches = accumulator._batches.get(place)  # noqa: SLF001
                batch = batches[-1] if batches else None
                if batch is None or batch._builder.closed():  # noqa: SLF001
                    batch = accumulator._append_batch(accumulator.create_builder(), place)  # noqa: SLF001
                part = _fill(batch, outputs, start, now)
                if part.end > part.first:
                    parts.append(part)
                    self._wait(part.future, write)
                start += part.end - part.first
        return parts

    def _wait(self, future: asyncio.Future[Any], write: _Write) -> None:
        write.left += 1
        writes = self._waiting.get(future)
        if writes is None:
            self._waiting[future] = [write]
            future.add_done_callback(self._end)
        else:
            writes.append(write)

    def _end(self, future: asyncio.Future[Any]) -> None:
        error = _error_of(future)
        for write in self._waiting.pop(future):
            write.left -= 1
            write.error = write.error or error
            if not write.left:
                # A copy, for others wait for the same batch.
                write.ended(None if write.error is None else copy.copy(write.error))


def _error_of(future: asyncio.Future[Any]) -> KafkaError | None:
    if future.cancelled():
        return KafkaError("the batch was given up")
    error = future.exception()
    return error if error is None or isinstance(error, KafkaError) else KafkaError(repr(error))


def _fill(batch: Any, outputs: Sequence[Output], start: int, now: int) -> Part:
    """Put ``outputs`` from ``start`` on into ``batch`` until it is full. An empty one takes any, however large."""
    builder = batch._builder  # noqa: SLF001
    append = builder._builder.append  # noqa: SLF001
    first: int = builder.record_count()
    place = first
    for number in range(start, len(outputs)):
        output = outputs[number]
        if append(place, now, output.key, output.value, _NO_HEADERS) is None:
            builder.close()
            break
        place += 1
    # What the wrapper of the builder counts, which checks and converts each record besides.
    builder._relative_offset = place  # noqa: SLF001
    return Part(batch.future, first, place)
