"""Sees in the changelogs of the partitions that we own what others write there: it tells us that we are not alone.

Our own records are not read back. The broker says at which offset each of our epochs stands: so what stands before it
and is not ours is known as a gap, and what stands behind our last one shows in the partition's end, asked for here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.log import LogReader, LogRecord, LogUnavailableError
from shared.messages.topics import CHANGELOG

_POLL = 0.2  # s


class Followed(Protocol):
    """One partition's changelog (``PartitionChangelog``)."""

    def unread(self, end: int) -> int | None:
        """Return from where on the log, whose end is ``end``, has what is not ours; None: it has nothing."""

    def looked(self, end: int) -> None:
        """Note that everything before ``end`` was looked at, or is gone."""


class ChangelogTail:
    """Asks for the ends of all partitions at once; ``observe`` gets each record that is to be looked at."""

    def __init__(
        self, bootstrap: str, *, prefix: str, reader: LogReader, observe: Callable[[int, LogRecord], None]
    ) -> None:
        """Nothing is asked for before ``follow``; what is there is read by ``reader``."""
        self._topic = prefix + CHANGELOG
        self._reader = reader
        self._observe = observe
        self._consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False)
        self._followed: Mapping[int, Followed] = {}

    async def start(self) -> None:
        """Connect."""
        await self._consumer.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    def follow(self, changelogs: Mapping[int, Followed]) -> None:
        """Look at these partitions and no others."""
        self._followed = changelogs

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(_POLL)
            followed = self._followed
            if not followed:
                continue
            with contextlib.suppress(KafkaError, LogUnavailableError):  # nobody can write either; asked again
                ends = await self._consumer.end_offsets([TopicPartition(self._topic, number) for number in followed])
                for place, end in ends.items():
                    await self._look(followed, place.partition, end)

    async def _look(self, followed: Mapping[int, Followed], partition: int, end: int) -> None:
        changelog = followed[partition]
        begin = changelog.unread(end)
        if begin is None:
            return
        async with contextlib.aclosing(self._reader.read_all(CHANGELOG, partition, begin)) as batches:
            async for records in batches:
                if followed is not self._followed:  # it may be another's by now, or ours anew
                    return
                for record in records:
                    self._observe(partition, record)
        if followed is self._followed:  # closing the reader takes time, too
            changelog.looked(end)
