"""``python -m benchmarks.core``: the evaluator in process: one partition, no Kafka, no disk. One line a figure.

CPU from a record's bytes to the row and the outputs that follow: of an event of the cart job (``benchmarks.evaluator``)
with so many events a contact, and of a timer that fires (``benchmarks.fires``): ``move`` ends a wait and begins
another, ``tell`` decides a message and ends its run. The cycle collector is off, as it is in the evaluator. On a busy
machine all of it takes longer: compare two checkouts by runs that take turns.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Sequence

from benchmarks.evaluator.contestants import JOURNEY
from benchmarks.evaluator.workload import Workload, event_of
from benchmarks.fires import HERD_WAIT, JOURNEYS, arrival
from services.evaluator.core.catalog import build_catalog
from services.evaluator.epoch import Epoch
from services.evaluator.processor import PartitionProcessor
from services.evaluator.runner import FIRE_AT_ONCE
from shared.journeys.parse import parse_journey
from shared.log import LogRecord
from shared.messages import codec
from shared.messages.event import Event, Tick
from tests.fakes import MemoryEpochs

START = 1_767_225_600_000  # 2026-01-01
BATCH = 500
"""Records that are offered at once."""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.core", description=__doc__)
    parser.add_argument("--contacts", type=int, default=4_000)
    contacts = parser.parse_args().contacts
    gc.disable()
    for each in (1, 5, 20):
        partition, log = Partition(JOURNEY), cart(contacts, each)
        used = partition.apply(log)
        size = sum(map(len, partition.store.rows.values())) // contacts
        print(f"cart events_per_contact={each} event_us={1e6 * used / len(log):.1f} row_bytes={size}", flush=True)
    for name in ("Move", "Tell"):
        partition = Partition(*JOURNEYS.split("---\n"))
        events = [event for number in range(contacts) for event in arrival(f"c{number}", name, START)]
        partition.apply(logged(events))
        print(f"{name.lower()} fire_us={1e6 * partition.fire(START + HERD_WAIT + 1) / contacts:.1f}", flush=True)


class Partition:
    """A partition with its rows in memory."""

    def __init__(self, *journeys: str) -> None:
        self.store = MemoryEpochs()
        catalog = build_catalog([parse_journey("benchmark.yaml", text) for text in journeys])
        self._processor = PartitionProcessor(partition=0, catalog=catalog, store=self.store, incarnation="benchmark")

    def apply(self, log: Sequence[LogRecord]) -> float:
        """Apply ``log`` and return the CPU seconds that it took, without the keeping of what came of it."""
        used = 0.0
        for first in range(0, len(log), BATCH):
            records = log[first : first + BATCH]
            while records:
                begun = time.process_time()
                epoch = self._processor.process(records, caught_up=True)
                used += time.process_time() - begun
                self._keep(epoch)
                records = records[epoch.consumed :]
        return used

    def fire(self, now: int) -> float:
        """Fire all that is due before ``now`` and return the CPU seconds that it took."""
        self.apply([LogRecord(1 << 40, now, None, codec.encode(Tick(partition=0)))])
        used = 0.0
        while self._processor.has_due:
            begun = time.process_time()
            epoch = self._processor.fire(FIRE_AT_ONCE, caught_up=True)
            used += time.process_time() - begun
            self._keep(epoch)
        return used

    def _keep(self, epoch: Epoch) -> None:
        self.store.rows.update(epoch.rows)  # and nothing else, or it would fill the memory


def cart(contacts: int, each: int) -> list[LogRecord]:
    """Return the log of the cart job, of ``each`` events a contact on average."""
    acts = Workload(contacts * each, contacts, START).acts
    return logged([event_of(act, number) for number, act in enumerate(acts)])


def logged(events: Sequence[Event]) -> list[LogRecord]:
    """Return ``events`` as the log holds them."""
    return [
        LogRecord(offset, event.received_at, f"u:{event.user_id}".encode(), codec.encode(event))
        for offset, event in enumerate(events)
    ]


if __name__ == "__main__":
    main()
