"""The evaluator's own main, but at the place that its argument names it dies like a killed process, or stands still.

``sending`` and ``half_sent`` are the last moments before and amid an epoch's bytes on their way into the socket.

``python -m tests.integration.evaluator_worker '{"place": "appended", "nth": 3, "how": "die"}'``
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any

from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.produce import ProduceRequest

from services.evaluator import __main__ as evaluator
from services.evaluator.batch_consumer import BatchConsumerThread
from services.evaluator.changelog.disk import DiskRows
from services.evaluator.changelog.writer import ChangelogWriter
from services.evaluator.owned import OwnedPartitions
from services.evaluator.watchdog import CountingReader
from shared.kafka.publisher import KafkaPublisher
from shared.log import Output
from shared.messages.topics import CANCELS, CHANGELOG, EVENTS

PLACES = ("before_append", "appended", "kept", "half_published", "published", "claimed")
"""Of an epoch's way. Others: ``assigned``, ``fetched``, ``restored`` (in the midst of a restore)."""
EXIT_CODE = 9


class Failpoint:
    """Counts how often its place is passed and acts at the n-th time."""

    def __init__(self, place: str, nth: int, how: str = "die") -> None:
        """``how``: ``die`` (nothing is flushed, drained or said goodbye to), ``hang``, ``spin`` or ``pause``.

        To spin stops the loop too; a pause ends by SIGCONT.
        """
        self._place = place
        self._left = nth
        self._how = how

    def reached(self, place: str) -> bool:
        """Count; True at the n-th time."""
        if place != self._place:
            return False
        self._left -= 1
        return self._left == 0

    def stop(self) -> None:
        """Do not come back, unless it is to hang: that takes an ``await``."""
        if self._how == "die":
            os._exit(EXIT_CODE)
        if self._how == "pause":
            os.kill(os.getpid(), signal.SIGSTOP)
        while self._how == "spin":
            time.sleep(1)

    async def passed(self, place: str) -> None:
        """Count; there is no way back from the n-th time."""
        if self.reached(place):
            self.stop()
            await asyncio.Event().wait()


class _Stopping:
    """A connection's writer that is stopped once, before the first byte of a request or in its middle."""

    def __init__(self, writer: Any, failpoint: Failpoint, *, half: bool) -> None:
        self._writer = writer
        self._failpoint: Failpoint | None = failpoint
        self._half = half

    def write(self, data: bytes) -> None:
        if self._failpoint is not None:
            first, data = (data[: len(data) // 2], data[len(data) // 2 :]) if self._half else (b"", data)
            self._writer.write(first)
            self._failpoint.stop()
            self._failpoint = None
        self._writer.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)


def _failing_send(failpoint: Failpoint) -> Callable[..., Awaitable[Any]]:
    send: Callable[..., Awaitable[Any]] = AIOKafkaConnection.send

    def failing_send(self: AIOKafkaConnection, request: Any, **how: Any) -> Awaitable[Any]:
        if isinstance(request, ProduceRequest) and request._topics[0][0].endswith(CHANGELOG):
            for place in ("sending", "half_sent"):
                if failpoint.reached(place):
                    self._writer = _Stopping(self._writer, failpoint, half=place == "half_sent")
        return send(self, request, **how)

    return failing_send


def install(failpoint: Failpoint) -> None:
    """Wrap what the evaluator works with."""
    append: Callable[..., Awaitable[int]] = ChangelogWriter.append
    publish: Callable[..., Awaitable[None]] = KafkaPublisher.publish
    assigned: Callable[..., Awaitable[Any]] = OwnedPartitions.assigned
    fetch: Callable[..., Awaitable[Any]] = BatchConsumerThread.fetch
    read_all: Callable[..., AsyncGenerator[Any, None]] = CountingReader.read_all

    async def failing_append(self: ChangelogWriter, partition: int, records: Any, stamp: Any) -> int:
        claim = len(records) == 1 and records[0][0] == b"t"
        if not claim:
            await failpoint.passed("before_append")
        offset = await append(self, partition, records, stamp)
        await failpoint.passed("claimed" if claim else "appended")
        return offset

    async def failing_publish(self: KafkaPublisher, outputs: Sequence[Output]) -> None:
        if len(outputs) == 1 and outputs[0].topic in (EVENTS, CANCELS):
            return await publish(self, outputs)  # ticks and marks carry nothing
        if outputs and failpoint.reached("half_published"):
            await publish(self, outputs[: len(outputs) // 2])
            failpoint.stop()
        await publish(self, outputs)
        await failpoint.passed("published")
        return None

    async def failing_assigned(self: OwnedPartitions, *partitions: Any) -> Any:
        await failpoint.passed("assigned")
        return await assigned(self, *partitions)

    async def failing_fetch(self: BatchConsumerThread, tps: Any, wait: float) -> Any:
        await failpoint.passed("fetched")
        return await fetch(self, tps, wait)

    async def failing_read_all(self: CountingReader, *place: Any) -> Any:
        async for batch in read_all(self, *place):
            # In pieces, so that there is a midst.
            for start in range(0, len(batch), 10):
                await failpoint.passed("restored")
                yield batch[start : start + 10]

    keep: Callable[..., None] = DiskRows.write

    def failing_keep(self: DiskRows, changes: Any, mark: Any) -> None:
        keep(self, changes, mark)
        if b"m" in changes and failpoint.reached("kept"):
            failpoint.stop()

    for owner, name, failing in (
        (DiskRows, "write", failing_keep),
        (ChangelogWriter, "append", failing_append),
        (KafkaPublisher, "publish", failing_publish),
        (OwnedPartitions, "assigned", failing_assigned),
        (BatchConsumerThread, "fetch", failing_fetch),
        (CountingReader, "read_all", failing_read_all),
        (AIOKafkaConnection, "send", _failing_send(failpoint)),
    ):
        setattr(owner, name, failing)


if __name__ == "__main__":
    install(Failpoint(**json.loads(sys.argv[1])))
    evaluator.main()
