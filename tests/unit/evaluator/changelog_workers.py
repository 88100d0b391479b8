"""Workers that own a partition's changelog, crash where a test says, and are checked against the oracle."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from services.evaluator.changelog.partition import PartitionChangelog, open_partition
from services.evaluator.changelog.rows import MemoryRows, Rows
from services.evaluator.core.catalog import build_catalog
from services.evaluator.epoch import Epoch
from services.evaluator.meta import Meta, decode_meta
from services.evaluator.processor import PartitionProcessor
from services.evaluator.rows import decode_row
from shared.log import LogRecord, LogUnavailableError, Output
from shared.messages import codec
from shared.messages.event import Event, Tick
from tests.builders import a_journey, a_record, an_event, at, consented, identified
from tests.fakes import MemoryChangelog
from tests.oracle import judge

Step = Callable[[], Awaitable[None]]

# ---- what happens in the source -----------------------------------------------------------------------------------

JOURNEYS = (a_journey(),)


def the_events() -> list[LogRecord]:
    """Two contacts: both get a reminder, one then buys; the other gets its second and last."""
    found: list[tuple[Event | Tick, int, str | None]] = []
    for contact in ("u:1", "u:2"):
        found += [
            (identified(at("08:00"), email=f"{contact}@example.jp"), at("08:00"), contact),
            (consented(at("08:00"), "cart_reminders"), at("08:00"), contact),
            (an_event("Product Added", at("10:00"), name="Kettle"), at("10:00"), contact),
        ]
    found += [
        (Tick(partition=0), at("10:46"), None),
        (an_event("Order Completed", at("10:50"), total=5), at("10:50"), "u:1"),
        (Tick(partition=0), at("10:46", day=1), None),
        (an_event("Product Added", at("12:00", day=4), name="Teapot"), at("12:00", day=4), "u:1"),
    ]
    return [a_record(n, message, key=key, timestamp=when) for n, (message, when, key) in enumerate(found)]


EVENTS = the_events()
VERDICT = judge(JOURNEYS, EVENTS)
CATALOG = build_catalog(JOURNEYS)


# ---- the parts around the changelog -------------------------------------------------------------------------------


async def at_once() -> None:
    return None


class Topics:
    """What was published, by whomever."""

    def __init__(self) -> None:
        self.outputs: list[Output] = []

    def publisher(self, step: Step) -> Publisher:
        return Publisher(self, step)


class Publisher:
    """Publishes one record after another, so that a crash finds some of them written."""

    def __init__(self, topics: Topics, step: Step) -> None:
        self._topics = topics
        self._step = step

    async def publish(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            await self._step()
            self._topics.outputs.append(output)
        await self._step()


class Worker:
    """Opens the partition and applies the source, two records an epoch."""

    def __init__(
        self, owner: str, log: MemoryChangelog, topics: Topics, step: Step = at_once, *, rows: Rows | None = None
    ) -> None:
        self._owner = owner
        self._log = log.seen_by(step)
        self._publisher = topics.publisher(step)
        self._rows = rows or MemoryRows()
        self.lease = True
        self.changelog: PartitionChangelog | None = None

    async def open(self) -> PartitionChangelog:
        self.changelog = await open_partition(
            0,
            owner=self._owner,
            reader=self._log,
            writer=self._log,
            publisher=self._publisher,
            may_act=lambda: self.lease,
            rows=self._rows,
        )
        return self.changelog

    async def run(self, changelog: PartitionChangelog | None = None, *, upto: int = len(EVENTS)) -> None:
        changelog = changelog or await self.open()
        processor = PartitionProcessor(partition=0, catalog=CATALOG, store=changelog, incarnation="source")
        while processor.meta.next_offset < upto or processor.has_due:
            begin = processor.meta.next_offset
            for epoch in (
                processor.process(EVENTS[begin : min(begin + 2, upto)], caught_up=True),
                processor.fire(1, caught_up=True),
            ):
                if not epoch.empty:
                    await changelog.save(epoch)
            await changelog.repair()

    def look(self) -> None:
        """Look at the tail, as ``ChangelogTail`` does beside the work."""
        changelog, end = self.changelog, self._log.records[-1].offset + 1 if self._log.records else 0
        begin = None if changelog is None else changelog.unread(end)
        if changelog is not None and begin is not None:
            for record in list(self._log.records):
                if begin <= record.offset < end:
                    changelog.observe(record)
            changelog.looked(end)


def the_messages(outputs: Iterable[Output], topic: str, decoder: codec.Decoder[Any], name: str) -> dict[str, Any]:
    """Return what is on ``topic`` by id; two of one id with different contents are an error."""
    found: dict[str, Any] = {}
    for output in outputs:
        if output.topic == topic:
            message = decoder.decode(output.value)
            assert message == found.setdefault(getattr(message, name), message)
    return found


def check_outputs(topics: Topics) -> None:
    """Check that nothing is missing, nothing is there that was not decided, and nothing conflicts."""
    outputs = topics.outputs
    assert {it.id: it for it in VERDICT.journal} == the_messages(outputs, "journal", codec.JOURNAL, "id")
    commands = the_messages(outputs, "commands", codec.COMMANDS, "command_id")
    assert {it.command_id: it for it in VERDICT.commands} == commands
    cancels = the_messages(outputs, "cancels", codec.CANCELS, "command_id")
    assert {it.command_id: it for it in VERDICT.cancels} == cancels


def check_rows(changelog: PartitionChangelog) -> None:
    """Check that the rows are the oracle's and that rows and cursor agree."""
    assert VERDICT.states == {contact: decode_row(value).state for contact, value in changelog.scan()}
    meta = decode_meta(changelog.load_meta() or b"")
    assert len(EVENTS) == meta.next_offset == meta.counters.records
    assert len(VERDICT.journal) == meta.counters.decisions


def an_epoch(number: int, **rows: bytes) -> Epoch:
    outputs = (Output("journal", b"k", str(number).encode()),)
    meta = Meta(epoch=number, next_offset=number, log_time=number)
    return Epoch({f"u:{name}": value for name, value in rows.items()}, outputs, meta, 1)


async def opened(log: MemoryChangelog, topics: Topics, owner: str = "a") -> PartitionChangelog:
    return await Worker(owner, log, topics).open()


class CrashError(Exception):
    """The process ends here."""


def crash_at(number: int, error: Exception) -> Step:
    left = [number]

    async def step() -> None:
        left[0] -= 1
        if left[0] == -1:
            raise error

    return step


async def crashed(worker: Worker) -> bool:
    try:
        await worker.run()
    except (CrashError, LogUnavailableError):
        return True
    return False
