"""Hand-written stand-ins. Each is kept honest by the contract suite that also runs on the real thing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from typing import Any

from services.dispatcher.channels.base import Message, Receipt
from services.dispatcher.connectors.base import Request
from services.dispatcher.ports import ClaimResult
from services.evaluator.changelog.records import CONTACT, META, OUTBOX, Stamp
from services.evaluator.changelog.rows import Changes, Kept, Mark, MemoryRows
from services.evaluator.epoch import Epoch
from services.evaluator.meta import Meta, encode_meta
from shared.clock import HOUR, MINUTE, SECOND
from shared.kafka.partition import partition_count, partition_of
from shared.log import LogRecord, LogUnavailableError, Output
from shared.messages.delivery import Delivery
from shared.messages.topics import CHANGELOG, TopicName


class MemoryEpochs:
    """A ``ContactStore`` and ``EpochSaver`` in memory. Contract: test_contact_store.py."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}
        self.meta: bytes | None = None
        self.outputs: list[Output] = []
        self.epochs: list[Epoch] = []

    def load(self, contact: str) -> bytes | None:
        return self.rows.get(contact)

    def load_meta(self) -> bytes | None:
        return self.meta

    def scan(self) -> Iterator[tuple[str, bytes]]:
        return iter(list(self.rows.items()))

    async def save(self, epoch: Epoch) -> None:
        self.keep(epoch)

    def keep(self, epoch: Epoch) -> None:
        """Save without awaiting: nothing here takes time."""
        self.rows.update(epoch.rows)
        self.keep_meta(epoch.meta)
        self.outputs += epoch.outputs
        self.epochs.append(epoch)

    def keep_meta(self, meta: Meta) -> None:
        self.meta = encode_meta(meta)


class FakeClock:
    """A clock that moves only when told to."""

    def __init__(self, now: int = 0) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def advance(self, ms: int = 0, *, seconds: int = 0, minutes: int = 0, hours: int = 0) -> None:
        self.now += ms + seconds * SECOND + minutes * MINUTE + hours * HOUR


class RecordingPublisher:
    """Keeps what is published; raises LogUnavailableError while ``down``."""

    def __init__(self) -> None:
        self.outputs: list[Output] = []
        self.down = False

    async def publish(self, outputs: Sequence[Output]) -> None:
        if self.down:
            raise LogUnavailableError
        self.outputs += outputs


class OfferingRecorder(RecordingPublisher):
    """The same, and it takes offers."""

    def offer(self, outputs: Sequence[Output], answered: Callable[[Exception | None], None]) -> bool:
        if not self.down:
            self.outputs += outputs
        asyncio.get_running_loop().call_soon(answered, LogUnavailableError() if self.down else None)
        return True


class MemoryLog:
    """The log in memory: a Publisher and a LogReader. Contract: test_log.py."""

    def __init__(self, clock: FakeClock | None = None, *, partitions: int = 1) -> None:
        self._clock = clock or FakeClock()
        self._partitions = partitions
        self._records: dict[tuple[TopicName, int], list[LogRecord]] = {}

    async def publish(self, outputs: Sequence[Output]) -> None:
        await self.append(outputs)

    async def append(self, outputs: Sequence[Output]) -> list[int]:
        offsets: list[int] = []
        for records, output in [(self._partition(one.topic, self._choose(one)), one) for one in outputs]:
            offsets.append(len(records))
            records.append(LogRecord(len(records), self._clock(), output.key, output.value))
        return offsets

    async def end(self, topic: TopicName, partition: int) -> int:
        return len(self._partition(topic, partition))

    async def read(self, topic: TopicName, partition: int, offset: int, limit: int) -> list[LogRecord]:
        return self._partition(topic, partition)[offset : offset + limit]

    async def read_all(
        self, topic: TopicName, partition: int, from_offset: int = 0
    ) -> AsyncGenerator[list[LogRecord], None]:
        records = self._partition(topic, partition)[from_offset:]
        if records:
            yield records

    def _choose(self, output: Output) -> int:
        if output.partition is not None:
            return output.partition
        count = partition_count(output.topic, self._partitions)
        if output.key is None and count > 1:
            raise ValueError(f"a record of {output.topic} needs a key or a partition")
        return partition_of(output.key or b"", count)

    def _partition(self, topic: TopicName, partition: int) -> list[LogRecord]:
        count = partition_count(topic, self._partitions)
        if not 0 <= partition < count:
            raise ValueError(f"{topic} has partitions 0 to {count - 1}, not {partition}")
        return self._records.setdefault((topic, partition), [])


async def _at_once() -> None:
    return None


class MemoryChangelog:
    """One partition of the changelog in memory: a ``Writer`` and a ``LogReader``. Contract: test_contact_store.py.

    ``step`` is awaited before and after each append and before each read: it may raise, or let somebody else work. It
    shuts nobody out, as a broker that has forgotten whom: what a stale writer may do then is what the tests are about.
    """

    def __init__(self, step: Callable[[], Awaitable[None]] = _at_once) -> None:
        self.records: list[LogRecord] = []
        self._step = step

    def seen_by(self, step: Callable[[], Awaitable[None]]) -> MemoryChangelog:
        """Return the same log as another worker sees it, with that worker's ``step``."""
        other = MemoryChangelog(step)
        other.records = self.records
        return other

    async def take_over(self, partition: int) -> None:
        return None

    async def append(self, partition: int, records: Sequence[tuple[bytes, bytes | None]], stamp: Stamp) -> int:
        await self._step()
        offset = await self.end(CHANGELOG, partition)
        headers = tuple(stamp.headers())
        self.records += [LogRecord(offset + n, 0, key, value, headers) for n, (key, value) in enumerate(records)]
        await self._step()
        return offset

    async def end(self, topic: TopicName, partition: int) -> int:
        return self.records[-1].offset + 1 if self.records else 0

    async def read(self, topic: TopicName, partition: int, offset: int, limit: int) -> list[LogRecord]:
        return [record for record in self.records if record.offset >= offset][:limit]

    async def read_all(
        self, topic: TopicName, partition: int, from_offset: int = 0
    ) -> AsyncGenerator[list[LogRecord], None]:
        await self._step()
        records = [record for record in self.records if record.offset >= from_offset]
        if records:
            yield records

    def compact(self, lag: int) -> None:
        """Keep of each key only the last record, but of the last ``lag`` records all; offsets stay as they are.

        As the broker does it: what lies within the lag does not make anything older superfluous.
        """
        old = self.records[: max(0, len(self.records) - lag)]
        last = {record.key: record.offset for record in old}
        self.records[: len(old)] = [record for record in old if last[record.key] == record.offset]


class DurableRows(MemoryRows):
    """Rows that outlive their process but for the newest writes, as RocksDB's do. Contract: test_changelog_rows.py."""

    def __init__(self, writes: Sequence[tuple[Changes, Mark | None]] = ()) -> None:
        super().__init__()
        self.writes: list[tuple[Changes, Mark | None]] = []
        self.discarded = 0
        for changes, mark in writes:
            self.write(changes, mark)
        mark = next((mark for _, mark in reversed(writes) if mark is not None), None)
        rest = {key: value for changes, _ in writes for key, value in changes.items() if not key.startswith(CONTACT)}
        outboxes = {key: value for key, value in rest.items() if value is not None and key.startswith(OUTBOX)}
        self._kept = None if mark is None else Kept(mark, rest.get(META), outboxes)
        if mark is None:
            self.discard("never complete")

    def after_crash(self, lost: int = 0) -> DurableRows:
        """Return what the next process finds when the newest ``lost`` writes are gone."""
        return DurableRows(self.writes[: max(0, len(self.writes) - lost)])

    def kept(self) -> Kept | None:
        return self._kept

    def write(self, changes: Changes, mark: Mark | None) -> None:
        super().write(changes, mark)
        self.writes.append((dict(changes), mark))

    def discard(self, reason: str) -> None:
        super().discard(reason)
        self.discarded += bool(self._kept)
        self.writes, self._kept = [], None


def _nothing() -> None:
    return None


class MemoryLedger:
    """A ledger in memory; ``step`` runs before and after each write. Contract: test_ledger.py."""

    def __init__(self, step: Callable[[], None] = _nothing) -> None:
        self._step = step
        self.rows: dict[str, Delivery] = {}
        self.outputs: list[Output] = []
        self.history: list[str] = []

    @property
    def waiting(self) -> int:
        return len(list(self.open()))

    def get(self, command_id: str) -> Delivery | None:
        return self.rows.get(command_id)

    async def put(self, deliveries: Sequence[Delivery], outputs: Sequence[Output] = ()) -> None:
        self._step()
        self.outputs += outputs
        for row in deliveries:
            self.rows[row.command_id] = row
            self.history.append(row.status)
        self._step()

    async def load(self, command_ids: Sequence[str]) -> list[Delivery]:
        rows = (self.rows.get(command_id) for command_id in command_ids)
        return [row for row in rows if row is not None and row.status == "deferred"]

    def open(self) -> Iterator[Delivery]:
        return iter([row for row in self.rows.values() if row.status in ("deferred", "sending", "settled")])


class RecordingProvider:
    """Takes every message, unless ``answers`` has an error for the next one. Contract: test_channel.py."""

    def __init__(
        self,
        name: str = "email",
        *,
        answers: Sequence[Exception | None] = (),
        step: Callable[[], None] = _nothing,
        idempotent: bool = False,
    ) -> None:
        self.id = name
        self.idempotent = idempotent
        self.sent: list[Message] = []
        self._answers = list(answers)
        self._step = step

    def takes(self, address: str) -> bool:
        return True

    async def send(self, message: Message) -> Receipt:
        self._step()
        answer = self._answers.pop(0) if self._answers else None
        if answer is not None:
            raise answer
        self.sent.append(message)
        self._step()
        return Receipt(f"provider-{len(self.sent)}")

    async def close(self) -> None:
        return None


class ScriptedClaims:
    """Answers with what is in ``results``, then ``granted``; an exception is raised."""

    def __init__(self, *results: ClaimResult | Exception, step: Callable[[], None] = _nothing) -> None:
        self.results = list(results)
        self.rebuilt = 0
        self._step = step

    async def acquire(self, command_id: str | None) -> ClaimResult:
        self._step()
        result = self.results.pop(0) if self.results else "granted"
        if isinstance(result, Exception):
            raise result
        return result

    async def release(self, command_id: str) -> None:
        return None

    async def rebuild(self) -> None:
        self.rebuilt += 1


class RecordingConnector:
    """Answers with what is in ``answers``, the last again and again; an exception is raised.

    Contract: test_connector.py.
    """

    def __init__(self, answers: Sequence[Any] = ()) -> None:
        self.asked: list[Request] = []
        self._answers = list(answers)

    async def call(self, request: Request) -> Any:
        self.asked.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        return None
