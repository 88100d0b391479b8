"""Follows the changelogs of the partitions that we own: what others write there tells us that we are not alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.log import LogRecord
from shared.messages.topics import CHANGELOG

_POLL_MS = 200


class ChangelogTail:
    """One consumer without a group; ``observe`` gets each record with its partition."""

    def __init__(self, bootstrap: str, *, prefix: str, observe: Callable[[int, LogRecord], None]) -> None:
        """Nothing is read before ``follow``."""
        self._topic = prefix + CHANGELOG
        self._observe = observe
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        self._followed: dict[int, int] = {}

    async def start(self) -> None:
        """Connect."""
        await self._consumer.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    def follow(self, offsets: Mapping[int, int]) -> None:
        """Read these partitions from these offsets on, and no others; one followed already goes on where it is."""
        self._consumer.assign([TopicPartition(self._topic, partition) for partition in offsets])
        for partition, offset in offsets.items():
            self._consumer.seek(TopicPartition(self._topic, partition), offset)
        self._followed = dict(offsets)

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            if not self._followed:
                await asyncio.sleep(_POLL_MS / 1000)
                continue
            polled = await self._consumer.getmany(timeout_ms=_POLL_MS)
            for place, records in polled.items():
                for record in records:
                    self._observe(
                        place.partition,
                        LogRecord(record.offset, record.timestamp, record.key, record.value, tuple(record.headers)),
                    )
