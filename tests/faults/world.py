"""One row's world: topics of its own on a real Kafka, evaluators, a dispatcher, and whoever writes events."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import multiprocessing
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path
from random import Random

from services.evaluator.meta import Counters, decode_meta
from shared.clock import system_clock
from shared.journeys.files import load_definitions
from shared.kafka.admin import ensure_topics
from shared.kafka.partition import partition_of
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.reader import KafkaLogReader
from shared.log import LogRecord, LogUnavailableError, Output
from shared.messages.event import Event
from shared.messages.topics import CANCELS, CHANGELOG, COMMANDS, EVENTS, JOURNAL, TopicName
from shared.settings import KafkaSettings
from tests.e2e.processes import Process
from tests.faults.followers import ChangelogFollower, Dispatcher, publishing
from tests.faults.judge import Findings, Written, judge_partition, total
from tests.faults.recovery import percentile, recoveries
from tests.faults.site import Site
from tests.faults.stamper import create_events_with_own_time
from tests.faults.workers import Worker
from tests.faults.workload import JOURNEYS, Crowd, output_of
from tests.shopping import write_documents

PARTITIONS = 4
SESSION = 6
"""Seconds; the least that a broker takes by default."""
_CHUNK = 100
_LOOK_EVERY = 20 * _CHUNK
_BACKLOG = 30_000
"""Records that may wait to be applied before more events come: some seconds of one evaluator's work, and enough to be
behind after each kill. On a busy machine more would only make the rest at the end long."""


class NotAtRestError(AssertionError):
    """The evaluators did not come to an end of their work: something is lost that nobody will find again."""


class World:
    """Made by ``world``. ``faults`` has the times at which a partition's owner was struck."""

    def __init__(self, folder: Path, settings: KafkaSettings, random: Random, session: int) -> None:
        self.folder = folder
        self.settings = settings
        self.random = random
        self.session = session
        self.journeys = folder / "journeys"
        self.workers: list[Worker] = []
        self.processes: list[Process] = []
        self.faults: dict[int, list[int]] = {number: [] for number in range(settings.partitions)}
        self.strikes = 0
        self.accepted: dict[int, set[str]] = {number: set() for number in range(settings.partitions)}
        self.changelog = ChangelogFollower(settings)
        self.dispatcher = Dispatcher(settings)
        self.publisher = KafkaPublisher(
            settings.kafka_bootstrap, prefix=settings.topic_prefix, partitions=settings.partitions
        )

    def env(self) -> dict[str, str]:
        """Return the settings of a service in this world."""
        return {
            "KIKKAKE_KAFKA_BOOTSTRAP": self.settings.kafka_bootstrap,
            "KIKKAKE_TOPIC_PREFIX": self.settings.topic_prefix,
            "KIKKAKE_PARTITIONS": str(self.settings.partitions),
            "KIKKAKE_REPLICATION_FACTOR": str(self.settings.replication_factor),
            "KIKKAKE_JOURNEYS": str(self.journeys),
            "KIKKAKE_EVALUATOR_GROUP": f"{self.settings.topic_prefix}evaluator",
            "KIKKAKE_SESSION_TIMEOUT": str(self.session),
            "KIKKAKE_STATE": "disk",
        }

    def worker(
        self, instance: str, *, static: bool = True, program: Sequence[str] = ("services.evaluator",), **env: str
    ) -> Worker:
        """Start one more evaluator; ``env`` overrides its settings."""
        name = f"{self.settings.topic_prefix}{instance}"
        worker = Worker({**self.env(), **env}, self.folder, name, static=static, program=program)
        self.workers.append(worker)
        worker.start()
        return worker

    def note_strike(self, worker: Worker, at: int) -> None:
        """Take note that ``worker`` was ended or stopped."""
        self.strikes += 1
        for partition in worker.owned:
            self.faults[partition].append(at)

    async def happen(self, events: Sequence[Event]) -> None:
        """Let ``events`` be accepted."""
        await publishing(self.publisher, [output_of(event) for event in events])
        self.note_accepted(events)

    def note_accepted(self, events: Iterable[Event]) -> None:
        """Take note that whoever sent ``events`` was told that they are durable."""
        for event in events:
            partition = partition_of(f"u:{event.user_id}".encode(), self.settings.partitions)
            self.accepted[partition].add(event.message_id)

    async def feed(
        self, crowd: Crowd, rate: float, *, at_least: int = 0, meanwhile: asyncio.Task[None] | None = None
    ) -> None:
        """Let events of ``crowd`` be accepted, ``rate`` a second, or later where they or the evaluators have to wait.

        It ends when there were ``at_least`` as many and what happens ``meanwhile`` is over; raises what that raised.
        What comes after ``at_least`` only keeps the partitions at work, and comes at a fifth of the rate.
        """
        due = time.monotonic()
        done = 0
        while done < at_least or (meanwhile is not None and not meanwhile.done()):
            if done % _LOOK_EVERY == 0:
                while await self._backlog() > _BACKLOG:
                    await asyncio.sleep(0.5)
            acts = crowd.acts(_CHUNK, system_clock())
            await self.happen(acts)
            due = max(due, time.monotonic() - 1) + len(acts) / (rate if done < at_least else rate / 5)
            done += _CHUNK
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        if meanwhile is not None:
            await meanwhile

    async def visit(self, site: Site, crowd: Crowd, meanwhile: asyncio.Task[None]) -> None:
        """Let events of ``crowd`` come through ``site``, some sixty a second, until ``meanwhile`` is over."""
        while not meanwhile.done():
            acts = crowd.acts(20, system_clock())
            await site.post(acts)
            self.note_accepted(acts)
            await asyncio.sleep(0.3)

    async def append(self, outputs: list[Output]) -> None:
        """Write records as they are."""
        await publishing(self.publisher, outputs)

    async def read(self, topic: TopicName, partition: int) -> list[LogRecord]:
        """Return a partition's records."""
        return await read(self.settings, topic, partition)

    async def at_rest(self, timeout: float = 180) -> None:
        """Wait until everything is applied and nothing is pending. Raises NotAtRestError."""
        deadline = time.monotonic() + timeout
        calm = 0
        while calm < 2:
            if time.monotonic() > deadline:
                raise NotAtRestError(await self._unrest(timeout))
            await asyncio.sleep(0.2)
            calm = calm + 1 if await self._calm() else 0

    async def follow_up(self) -> None:
        """Wait until everything that stands in the changelog is known here."""
        async with asyncio.timeout(60):
            for number, image in self.changelog.images.items():
                end = await self._reader().end(CHANGELOG, number)
                while image.next_offset < end:
                    await asyncio.sleep(0.05)

    async def judge(self) -> Findings:
        """Compare everything with the oracle. The evaluators are at rest."""
        await self.follow_up()
        loop = asyncio.get_running_loop()
        tasks = [
            loop.run_in_executor(judges(), _judge, self.settings, self.journeys, number, self._row_state(number))
            for number in self.changelog.images
        ]
        return total(await asyncio.gather(*tasks))

    def recovery_p99(self) -> float:
        """Return seconds from a fault to the first epoch of the next owner, the 99th of a hundred."""
        return percentile(self.recoveries(), 0.99) / 1000

    def recoveries(self) -> list[int]:
        """Return every such time in ms."""
        return [
            ms for number, epochs in self.changelog.epochs.items() for ms in recoveries(epochs, self.faults[number])
        ]

    async def close(self) -> None:
        """End every process."""
        for worker in self.workers:
            await worker.dismiss()
        for process in self.processes:
            process.end()
        await self.publisher.stop()

    def _reader(self) -> KafkaLogReader:
        return KafkaLogReader(self.settings.kafka_bootstrap, prefix=self.settings.topic_prefix)

    def _row_state(self, number: int) -> tuple[dict[str, bytes], Counters, frozenset[str]]:
        image = self.changelog.images[number]
        counters = Counters() if image.meta is None else decode_meta(image.meta).counters
        return dict(image.contacts()), counters, frozenset(self.accepted[number])

    async def _backlog(self) -> int:
        """Return how many records wait to be applied; 0 also while no broker answers: whoever writes waits for it."""
        try:
            ends = await self._reader().ends(EVENTS, self.settings.partitions)
        except LogUnavailableError:
            return 0
        return sum(ends.values()) - sum(self.changelog.cursors().values())

    async def _calm(self) -> bool:
        ends = await self._reader().ends(EVENTS, self.settings.partitions)
        pending: dict[int, float] = {}
        for worker in self.workers:
            if worker.running and not worker.paused:
                pending |= await worker.pending()
        return self.changelog.cursors() == ends and pending == dict.fromkeys(ends, 0.0)

    async def _unrest(self, timeout: float) -> str:
        ends = await self._reader().ends(EVENTS, self.settings.partitions)
        pending = [await worker.pending() for worker in self.workers if worker.running and not worker.paused]
        tails = "\n".join(worker.tail() for worker in self.workers)
        applied = f"applied {self.changelog.cursors()} of {ends}, pending {pending}"
        return f"not at rest within {timeout:g} s: {applied}\n{tails}"


async def read(settings: KafkaSettings, topic: TopicName, partition: int) -> list[LogRecord]:
    """Return a partition's records."""
    reader = KafkaLogReader(settings.kafka_bootstrap, prefix=settings.topic_prefix)
    return [record async for batch in reader.read_all(topic, partition) for record in batch]


@functools.cache
def judges() -> Executor:
    """Return where partitions are judged, two at a time: each holds a partition's whole history.

    Made once, for each process takes seconds of CPU to start.
    """
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))


def _judge(
    settings: KafkaSettings, journeys: Path, number: int, state: tuple[dict[str, bytes], Counters, frozenset[str]]
) -> Findings:
    rows, counters, accepted = state

    async def written() -> Written:
        events, journal, commands, cancels = await asyncio.gather(
            *[read(settings, topic, number) for topic in (EVENTS, JOURNAL, COMMANDS, CANCELS)]
        )
        return Written(
            events=events,
            journal=journal,
            commands=commands,
            cancels=cancels,
            rows=rows,
            counters=counters,
            accepted=accepted,
        )

    return judge_partition(load_definitions(journeys).journeys, asyncio.run(written()))


@contextlib.asynccontextmanager
async def world(
    bootstrap: str,
    random: Random,
    *,
    journeys: str = JOURNEYS,
    partitions: int = PARTITIONS,
    replicas: int = 1,
    session: int = SESSION,
    own_time: bool = False,
) -> AsyncIterator[World]:
    """Give a world for the length of the block and end its processes after it; ``own_time``: see ``Stamper``."""
    settings = KafkaSettings(
        kafka_bootstrap=bootstrap,
        topic_prefix=f"faults-{uuid.uuid4().hex[:8]}.",
        partitions=partitions,
        replication_factor=replicas,
    )
    if own_time:
        await create_events_with_own_time(settings)
    await ensure_topics(settings)
    with tempfile.TemporaryDirectory(prefix="kikkake-faults-") as temporary:
        folder = Path(temporary)
        write_documents(folder / "journeys", journeys)
        made = World(folder, settings, random, session)
        async with contextlib.AsyncExitStack() as stack:
            tasks = [asyncio.create_task(made.changelog.run()), asyncio.create_task(made.dispatcher.run())]
            stack.push_async_callback(_end, tasks)
            stack.push_async_callback(made.close)
            yield made
            for task in tasks:
                if task.done():
                    task.result()


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
