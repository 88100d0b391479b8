"""The log as every host sees it: partitioned, ordered, durable once acknowledged.

Adapters: Kafka (``shared/kafka``), a SQLite file (``services/standalone/storage``) and memory (``tests/fakes``). One
contract suite, ``tests/contract/test_log.py``, runs on each of them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from shared.errors import PermanentError, RetryableError
from shared.messages.topics import TOPICS, TopicName

# Of a record's limit, what its batch header, varints and the key's length take at most.
_RECORD_OVERHEAD = 256
_MOST = {topic.name: topic.max_message_bytes - _RECORD_OVERHEAD for topic in TOPICS}
"""Bytes of key and value that a record of each topic may have."""


class LogUnavailableError(RetryableError):
    """The log did not acknowledge: what was to be written may or may not be there. The same write may be repeated."""


class LogRecreatedError(PermanentError):
    """A topic is not the one that this process knows: it was created anew, or a broker has cut it off."""


class RecordTooLargeError(PermanentError):
    """A record is larger than its topic takes."""


class LogRecord(msgspec.Struct, frozen=True, gc=False):
    """One record as read. ``timestamp``: append time in ms for ``events`` (never goes back by itself: see log time)."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Output(msgspec.Struct, frozen=True, gc=False):
    """One record to write. ``partition`` None: the murmur2 hash of ``key`` decides, as every producer of ours does."""

    topic: TopicName
    key: bytes | None
    value: bytes | None
    partition: int | None = None


def fits(output: Output) -> bool:
    """Return whether its topic takes ``output``. Hosts without such a limit keep to it too: they decide alike."""
    return len(output.key or b"") + len(output.value or b"") <= _MOST[output.topic]


class Publisher(Protocol):
    """Writes to the log."""

    async def publish(self, outputs: Sequence[Output]) -> None:
        """Return once every output is durable, in order per partition. Raises LogUnavailableError.

        Repeating is allowed: readers drop what they have seen by its derived id.
        """


@runtime_checkable
class OfferingPublisher(Publisher, Protocol):
    """A ``Publisher`` that takes most writes without a coroutine."""

    def offer(self, outputs: Sequence[Output], answered: Callable[[Exception | None], None]) -> bool:
        """Publish ``outputs`` if nothing has to be waited for to begin with; return whether that was done.

        ``answered`` is called later, once, and must not raise: with None when ``publish`` would return, else with what
        it would raise. Raises RecordTooLargeError.
        """


class LogReader(Protocol):
    """Reads the log by position. Offsets may have gaps and records may be gone from the start: both are no error."""

    async def end(self, topic: TopicName, partition: int) -> int:
        """Return the offset that the partition's next record will get. Raises LogUnavailableError."""

    async def read(self, topic: TopicName, partition: int, offset: int, limit: int) -> list[LogRecord]:
        """Return at most ``limit`` records from ``offset`` on; none means that there is none before the end now."""

    def read_all(self, topic: TopicName, partition: int, from_offset: int = 0) -> AsyncGenerator[list[LogRecord], None]:
        """Yield the records from ``from_offset`` up to the end as it is at the first step, in batches."""
