"""A recorded partition through the hosts' own processor, one record at a time, its rows in memory.

Time stands in the log: ticks and append times move it on, and outcomes are those that were reported. So the decisions
are the live host's, its limits on sizes and its dead letters included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby

from cli.recording import Recorded
from cli.simulator.engine import Decided, decided_in
from services.evaluator.core.catalog import Catalog
from services.evaluator.core.published import compose
from services.evaluator.epoch import Epoch
from services.evaluator.processor import PartitionProcessor
from services.evaluator.rows import decode_row
from shared.journeys.model import Definitions
from shared.journeys.published import Live, Published
from shared.log import LogRecord
from shared.messages import codec
from shared.messages.topics import EVENTS, INCARNATION_KEY, JOURNAL, JOURNEYS
from shared.wording import counted


class Rows:
    """A ``ContactStore`` in memory."""

    def __init__(self) -> None:
        """Start empty."""
        self._rows: dict[str, bytes] = {}

    def load(self, contact: str) -> bytes | None:
        """Return the contact's row, or None."""
        return self._rows.get(contact)

    def load_meta(self) -> bytes | None:
        """Return None: a replay begins at the log's beginning."""
        return None

    def scan(self) -> Iterable[tuple[str, bytes]]:
        """Return every contact with its row."""
        return self._rows.items()

    def keep(self, epoch: Epoch) -> None:
        """Take over the epoch's rows."""
        self._rows.update(epoch.rows)


class Orders:
    """The journeys that the live system had: those of its folder, and what was published as the recording says."""

    def __init__(self, defined: Definitions) -> None:
        """``defined`` is the folder."""
        self._defined = defined
        self._published = Published()

    def take(self, record: LogRecord) -> None:
        """Take a record of the topic ``journeys``. Raises BadMessageError, ValueError."""
        if record.key != INCARNATION_KEY and record.value is not None:
            self._published.take(record.offset, codec.JOURNEYS.decode(record.value))

    def catalog(self, live: Mapping[str, Live]) -> Catalog:
        """Return what decides after the orders ``live``."""
        return compose(self._defined, self._published, live)


class PartitionReplay:
    """Decides again what one partition decided. ``apply`` its records from the first on, in their order."""

    def __init__(self, orders: Orders, partition: int) -> None:
        """``orders`` has the journeys that the live system had."""
        self.whole = True
        """Whether the log began at its beginning. Else contacts are not known as they were then."""
        self._rows = Rows()
        self._processor = PartitionProcessor(
            partition=partition,
            catalog=orders.catalog({}),
            store=self._rows,
            incarnation=f"replay-{partition}",
            catalogs=orders.catalog,
        )

    @property
    def put_aside(self) -> int:
        """How many records could not be applied; live they went to ``events.dlq``."""
        return self._processor.meta.counters.dead_lettered

    def apply(self, record: LogRecord) -> Iterator[Epoch]:
        """Yield what follows from ``record`` and from the time at which the log took it."""
        if not self._processor.meta.counters.records:
            self.whole = record.key == INCARNATION_KEY
        consumed = 0
        while not consumed:
            epoch = self._keep(self._processor.process([record], caught_up=True))
            consumed = epoch.consumed
            yield epoch
        while self._processor.has_due:
            yield self._keep(self._processor.fire(1, caught_up=True))
        while self._processor.behind:
            yield self._keep(self._processor.sweep(1, caught_up=True))

    def _keep(self, epoch: Epoch) -> Epoch:
        self._rows.keep(epoch)
        return epoch


def replay(defined: Definitions, recording: Iterable[Recorded], warn: Callable[[str], None]) -> Iterator[Decided]:
    """Yield what the journeys decide over a recording's events; ``warn`` hears what is amiss with a partition."""
    orders = Orders(defined)
    for number, records in groupby(recording, key=lambda recorded: recorded.partition):
        partition = PartitionReplay(orders, number)
        for recorded in records:
            if recorded.topic == JOURNEYS:
                orders.take(recorded.record)
            elif recorded.topic == EVENTS:
                for epoch in partition.apply(recorded.record):
                    yield from decisions(epoch)
        if not partition.whole:
            warn(f"events/{number}: its beginning is gone, so contacts are not known as they were")
        if partition.put_aside:
            warn(f"events/{number}: {counted(partition.put_aside, 'record')} could not be applied (live: events.dlq)")


def decisions(epoch: Epoch) -> Iterator[Decided]:
    """Yield the decisions of ``epoch``, in their order, with their contact as it is at the epoch's end."""
    for output in epoch.outputs:
        if output.topic == JOURNAL:
            record = codec.JOURNAL.decode(output.value)
            yield decided_in(record, decode_row(epoch.rows[record.contact]).state, epoch.meta.log_time)
