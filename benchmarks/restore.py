"""``python -m benchmarks.restore``: how fast a partition is back, and what a resident contact costs. One line a figure.

A real Kafka holds the changelog of ``--contacts`` contacts in one partition, each inside a run with a timer in its row
of about 450 bytes. Each measurement is a process of its own: resident memory (RSS) is compared with that of a process
that has opened an empty partition. One process, one core; partitions of a worker come one after another on it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import multiprocessing
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

from services.evaluator.changelog.disk import StateFolder
from services.evaluator.changelog.partition import PartitionChangelog, open_partition
from services.evaluator.changelog.rows import MemoryRows, Rows
from services.evaluator.changelog.writer import ChangelogWriter
from services.evaluator.core.catalog import build_catalog
from services.evaluator.core.state import ContactState, Run, Timer
from services.evaluator.epoch import Epoch
from services.evaluator.meta import Meta
from services.evaluator.processor import PartitionProcessor
from services.evaluator.rows import Row, encode_row
from shared.clock import DAY, HOUR, system_clock
from shared.ids import short_hash
from shared.kafka.admin import ensure_topics
from shared.kafka.reader import KafkaLogReader
from shared.log import Output
from shared.settings import KafkaSettings
from tests.servers.kafka import KafkaServer

T = TypeVar("T")
EPOCH_ROWS = 1_000
START = 1_767_225_600_000  # 2026-01-01
PREFIX = "restore."


def contact_of(number: int) -> str:
    """Return a contact as ingest makes it: namespace and an id of 36 characters."""
    return f"u:{number:08x}-0000-4000-8000-{number:012x}"


def row_of(number: int, offset: int) -> bytes:
    """Return a row of usual size: some traits, one run with a timer within 30 days."""
    contact = contact_of(number)
    due = START + number * 7919 % (30 * DAY)
    run = Run(
        run_id=f"{number:08x}-1111-5111-8111-{number:012x}",
        journey="cart_abandonment",
        version=1,
        key="",
        cause=f"{number:08x}-2222-4222-8222-{number:012x}",
        entered_at=START,
        step="settle",
        step_at=START,
        visits={"settle": 1},
        context={},
        event={"name": "Product Added", "properties": {"name": "Iron kettle", "price": 7800, "product_id": "p1"}},
        timers=(Timer(due, "step", "settle"),),
    )
    state = ContactState(
        contact=contact,
        seq=2,
        traits={"email": f"c{number}@example.jp", "first_name": "Aki"},
        history={"Product Added": (START,)},
        seen={short_hash(contact): START},
        runs=(run,),
        recent=(("Identified", START), ("Product Added", START)),
    )
    return encode_row(Row(state, offset, 1))


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


async def fill(bootstrap: str, first: int, count: int, rows: Rows) -> None:
    """Append epochs with the rows of ``count`` contacts from ``first`` on."""
    async with partition(bootstrap, rows, 0) as changelog:
        for begin in range(first, first + count, EPOCH_ROWS):
            found = {contact_of(n): row_of(n, begin) for n in range(begin, min(begin + EPOCH_ROWS, first + count))}
            meta = Meta(epoch=begin // EPOCH_ROWS + 1, next_offset=begin, log_time=START - HOUR)
            await changelog.save(Epoch(found, (), meta, 1))


def resident() -> int:
    """Return the bytes of memory of this process that are its own: what it maps of files does not count."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
    return int(fields["RssAnon"].split()[0]) * 1024


def measure(bootstrap: str, folder: Path | None, number: int) -> tuple[float, float, int, int]:
    """Return the seconds of reading and of indexing, how many contacts there are, and the memory used for them."""

    async def opened() -> tuple[float, float, int, int]:
        rows = MemoryRows() if folder is None else StateFolder(folder).open(number)
        started = time.perf_counter()
        async with partition(bootstrap, rows, number) as changelog:
            read = time.perf_counter()
            processor = PartitionProcessor(partition=number, catalog=build_catalog([]), store=changelog, incarnation="")
            indexed = time.perf_counter()
            gc.collect()
            used = resident()
        rows.close()
        return read - started, indexed - read, processor.contacts, used

    return asyncio.run(opened())


def alone(work: Callable[..., T], *arguments: object) -> T:
    """Run in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.restore", description=__doc__)
    parser.add_argument("--contacts", type=int, default=500_000)
    parser.add_argument("--tail", type=int, default=20_000)
    options = parser.parse_args()
    with KafkaServer(heap="1g", fast_start=False) as server, tempfile.TemporaryDirectory() as name:
        kafka, folder = server.bootstrap, Path(name)
        asyncio.run(ensure_topics(KafkaSettings(kafka_bootstrap=kafka, topic_prefix=PREFIX, partitions=2)))
        alone(filled, kafka, 0, options.contacts, None)
        _, _, _, empty = alone(measure, kafka, None, 1)
        _, _, _, empty_disk = alone(measure, kafka, folder / "empty", 1)
        for place, where, bare in (("memory", None, empty), ("disk", folder / "state", empty_disk)):
            read, indexed, contacts, used = alone(measure, kafka, where, 0)
            print(f"P7 cold_{place}_rows_per_s {contacts / (read + indexed):,.0f} contacts={contacts}", flush=True)
            print(f"P7 cold_{place}_read_s {read:.2f} index_s {indexed:.2f}", flush=True)
            print(f"P7 {place}_bytes_per_contact {(used - bare) / contacts:.0f}", flush=True)
        size = sum(path.stat().st_size for path in (folder / "state" / "0").iterdir())
        print(f"P7 disk_file_bytes_per_contact {size / options.contacts:.0f}", flush=True)
        read, indexed, contacts, _ = alone(measure, kafka, folder / "state", 0)
        print(f"P7 restart_s {read + indexed:.2f} tail=0 contacts={contacts} index_s={indexed:.2f}", flush=True)
        alone(filled, kafka, 0, options.tail, None)
        read, indexed, contacts, used = alone(measure, kafka, folder / "state", 0)
        print(f"P7 restart_s {read + indexed:.2f} tail={options.tail} contacts={contacts} index_s={indexed:.2f}")
        print(f"P7 disk_restarted_bytes_per_contact {(used - empty_disk) / contacts:.0f}")


def filled(bootstrap: str, first: int, count: int, folder: Path | None) -> None:
    """``fill`` in a process of its own."""
    rows = MemoryRows() if folder is None else StateFolder(folder).open(0)
    asyncio.run(fill(bootstrap, first, count, rows))
    rows.close()


if __name__ == "__main__":
    main()
