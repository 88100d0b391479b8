"""``python -m benchmarks.restore``: how fast a partition is back, and what a resident contact costs. One line a figure.

A real Kafka holds the changelog of ``--contacts`` contacts in one partition, with rows as the engine makes them: a cart
with its timers, 0.9 KB (``cart``), and a contact who is known, 0.2 KB (``known``). Each measurement is a process of its
own that reads them from Kafka (``cold``), or from its disk with what was appended since (``warm``), indexes them, and
fires the first timer.

Rows a second are of everything up to the index, by the wall clock and by the CPU time of the whole process, RocksDB's
threads included. Bytes are resident memory (RSS) on top of a process with an empty partition. ``first_fire_s`` counts
from the start of the Python process, its imports included, to the first timer's epoch in the changelog.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import multiprocessing
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from benchmarks.population import SPREAD, START, Population, load_played
from services.evaluator.changelog.disk import StateFolder
from services.evaluator.changelog.partition import PartitionChangelog, open_partition
from services.evaluator.changelog.rows import MemoryRows, Rows
from services.evaluator.changelog.writer import ChangelogWriter
from services.evaluator.core.catalog import Catalog, catalog_of
from services.evaluator.epoch import Epoch
from services.evaluator.meta import Meta
from services.evaluator.processor import PartitionProcessor
from shared.clock import HOUR, system_clock
from shared.kafka.admin import ensure_topics
from shared.kafka.reader import KafkaLogReader
from shared.log import LogRecord, Output
from shared.memory import give_back, keep
from shared.messages import codec
from shared.messages.event import Tick
from shared.settings import KafkaSettings
from tests.servers.kafka import KafkaServer

T = TypeVar("T")
EPOCH_ROWS = 500
PREFIX = "restore."
SHAPES = {"cart": 0, "known": 1}
"""The partition of each; ``EMPTY`` has none."""
EMPTY = 2


class Measured(msgspec.Struct):
    """Seconds by the wall clock and of CPU time, bytes of memory, and how many contacts there are."""

    wall: float
    cpu: float
    index_wall: float
    contacts: int
    resident: int
    first_fire: float


class NoPublisher:
    """Nothing is published here."""

    async def publish(self, outputs: Iterable[Output]) -> None:
        """Do nothing."""


@contextlib.asynccontextmanager
async def partition(bootstrap: str, rows: Rows, number: int) -> AsyncIterator[PartitionChangelog]:
    """Open the partition as its owner."""
    writer = ChangelogWriter(bootstrap, prefix=PREFIX, clock=system_clock)
    await writer.start()
    yield await open_partition(
        number,
        owner=str(time.time_ns()),
        reader=KafkaLogReader(bootstrap, prefix=PREFIX),
        writer=writer,
        publisher=NoPublisher(),
        may_act=lambda: True,
        rows=rows,
    )
    await writer.stop()


def fill(bootstrap: str, shape: str, first: int, count: int) -> None:
    """Append epochs with the rows of ``count`` contacts from ``first`` on."""

    async def filled() -> None:
        population, number = Population(shape), load_catalog().number
        async with partition(bootstrap, MemoryRows(), SHAPES[shape]) as changelog:
            for begin in range(first, first + count, EPOCH_ROWS):
                rows = dict(population.rows(begin, min(begin + EPOCH_ROWS, first + count), adopted=number))
                meta = Meta(epoch=begin // EPOCH_ROWS + 1, next_offset=1, log_time=START - HOUR, catalog=number)
                await changelog.save(Epoch(rows, (), meta, 1))

    asyncio.run(filled())


def load_catalog() -> Catalog:
    """Return the catalogue of the journeys that the rows are in."""
    return catalog_of(load_played())


def resident() -> int:
    """Return the bytes of memory of this process, what it maps of files included."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
    return int(fields["VmRSS"].split()[0]) * 1024


def started() -> float:
    """Return the seconds since this process was started, by the kernel's count."""
    ticks = Path("/proc/self/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[19]
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(ticks) / os.sysconf("SC_CLK_TCK")


def measure(bootstrap: str, folder: Path | None, number: int) -> Measured:
    """Open a partition, index it, fire its first timer."""

    async def opened() -> Measured:
        keep()  # as the worker does
        rows = MemoryRows() if folder is None else StateFolder(folder).open(number)
        catalog = load_catalog()  # once a process, however many partitions it restores
        wall, cpu = time.perf_counter(), time.process_time()
        async with partition(bootstrap, rows, number) as changelog:
            read = time.perf_counter()
            processor = PartitionProcessor(partition=number, catalog=catalog, store=changelog, incarnation="")
            indexed, used = time.perf_counter(), time.process_time()
            fired = 0.0
            if processor.next_due < START + SPREAD:
                tick = LogRecord(
                    processor.meta.next_offset, processor.next_due + 1, None, codec.encode(Tick(partition=number))
                )
                await changelog.save(processor.process([tick], caught_up=True))
                epoch = processor.fire(1, caught_up=True)
                assert epoch.lateness
                await changelog.save(epoch)
                fired = started()
            gc.collect()
            give_back()  # as the worker does
            memory = resident()
        rows.close()
        return Measured(indexed - wall, used - cpu, indexed - read, processor.contacts, memory, fired)

    return asyncio.run(opened())


def alone(work: Callable[..., T], *arguments: object) -> T:
    """Run in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def report(name: str, found: Measured, bare: Measured, *, rows: int) -> None:
    """Print the line of one measurement; ``rows`` were read from Kafka or disk."""
    rate, per_cpu = rows / found.wall, rows / found.cpu
    fired = f" first_fire_s={found.first_fire:.2f}" if found.first_fire else ""
    print(
        f"P7 {name} rows={rows} rows_per_s={rate:.0f} rows_per_cpu_s={per_cpu:.0f} index_s={found.index_wall:.2f}"
        f" bytes_per_contact={(found.resident - bare.resident) / found.contacts:.0f}{fired}",
        flush=True,
    )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.restore", description=__doc__)
    parser.add_argument("--contacts", type=int, default=500_000)
    parser.add_argument("--tail", type=int, default=20_000, help="contacts appended between two starts from disk")
    parser.add_argument("--shape", choices=SHAPES, action="append", help="default: both")
    options = parser.parse_args()
    with KafkaServer(heap="1g", fast_start=False) as server, tempfile.TemporaryDirectory() as name:
        kafka, folder = server.bootstrap, Path(name)
        asyncio.run(ensure_topics(KafkaSettings(kafka_bootstrap=kafka, topic_prefix=PREFIX, partitions=3)))
        bare = {None: alone(measure, kafka, None, EMPTY), folder: alone(measure, kafka, folder, EMPTY)}
        for shape in options.shape or SHAPES:
            alone(fill, kafka, shape, 0, options.contacts)
            for kind, where in (("memory", None), ("disk", folder)):
                found = alone(measure, kafka, where, SHAPES[shape])
                report(f"{shape} cold_{kind}", found, bare[where], rows=options.contacts)
            size = sum(path.stat().st_size for path in (folder / str(SHAPES[shape])).iterdir())
            print(f"P7 {shape} disk_file_bytes_per_contact={size / options.contacts:.0f}")
            found = alone(measure, kafka, folder, SHAPES[shape])
            report(f"{shape} warm_disk tail=0", found, bare[folder], rows=options.contacts)
            alone(fill, kafka, shape, options.contacts, options.tail)
            found = alone(measure, kafka, folder, SHAPES[shape])
            report(f"{shape} warm_disk tail={options.tail}", found, bare[folder], rows=options.contacts + options.tail)


if __name__ == "__main__":
    main()
