"""A processor's host: it offers records and keeps what is saved; and what an epoch says, decoded."""

from __future__ import annotations

from collections.abc import Sequence

from services.evaluator.core.catalog import build_catalog
from services.evaluator.epoch import Epoch
from services.evaluator.meta import Counters, decode_meta
from services.evaluator.processor import PartitionProcessor
from services.evaluator.rows import Row, decode_row
from shared.journeys.model import Journey
from shared.log import LogRecord
from shared.messages import codec
from shared.messages.command import SendCommand
from shared.messages.dead_letter import DeadLetter
from shared.messages.event import EventRecord, Tick
from shared.messages.journal import JournalRecord
from shared.messages.topics import EVENTS_DLQ, JOURNAL, TopicName
from tests.builders import CART, a_journey, an_event, at, consented, identified
from tests.fakes import MemoryEpochs

CONFIRMATION = """
schema: journey/v1
id: confirmation
version: 1
trigger: {type: event, event: Order Completed}
policy: {purpose: transactional}
steps:
  - {id: confirm, send: {channels: [email], template: {email: {subject: "Thank you", text: "Hello"}}}}
"""
BAD = CART.replace("id: cart\n", "id: bad\n")
JOURNEYS = (a_journey(), a_journey(CONFIRMATION))


class Host:
    """Offers records and keeps what is saved, as a host does."""

    def __init__(self, *journeys: Journey, incarnation: str = "first") -> None:
        self.catalog = build_catalog(journeys or JOURNEYS)
        self.store = MemoryEpochs()
        self.errors: list[tuple[str, str]] = []
        self.log: list[LogRecord] = []
        self.incarnation = incarnation
        self.processor = self.started()

    def started(self) -> PartitionProcessor:
        """A processor made from what is saved."""
        return PartitionProcessor(
            partition=3,
            catalog=self.catalog,
            store=self.store,
            incarnation=self.incarnation,
            on_error=lambda action, error: self.errors.append((action, type(error).__name__)),
        )

    def append(self, message: EventRecord | bytes, when: int, key: str | None = "u:c1") -> LogRecord:
        value = message if isinstance(message, bytes) else codec.encode(message)
        record = LogRecord(len(self.log), when, None if key is None else key.encode(), value)
        self.log.append(record)
        return record

    def offer(self, records: Sequence[LogRecord], *, caught_up: bool = True) -> Epoch:
        """Process and save all of ``records``; returns the last epoch."""
        done = 0
        while True:
            epoch = self.processor.process(records[done:], caught_up=caught_up)
            self.store.keep(epoch)
            done += epoch.consumed
            if done >= len(records):
                return epoch

    def take(
        self, message: EventRecord | bytes, when: int, key: str | None = "u:c1", *, caught_up: bool = True
    ) -> Epoch:
        """Append one record and process it."""
        return self.offer([self.append(message, when, key)], caught_up=caught_up)

    def tick(self, when: int, *, caught_up: bool = True) -> Epoch:
        """Let the time come to ``when`` and fire what is due; returns the epoch of the firing."""
        self.take(Tick(partition=3), when, None, caught_up=caught_up)
        epoch = self.processor.fire(10, caught_up=caught_up)
        self.store.keep(epoch)
        return epoch

    def known(self, *, key: str = "u:c1", caught_up: bool = True) -> None:
        """A contact with an address, consent and a cart of 10:00."""
        for message in (
            identified(at("08:00"), email="a@example.jp"),
            consented(at("08:00"), "cart_reminders"),
            an_event("Product Added", at("10:00"), name="Kettle"),
        ):
            self.take(message, message.received_at, key, caught_up=caught_up)

    def row(self, contact: str = "u:c1") -> Row:
        return decode_row(self.store.rows[contact])


def sent(epoch: Epoch, topic: TopicName) -> list[bytes]:
    return [output.value or b"" for output in epoch.outputs if output.topic == topic]


def commands(epoch: Epoch) -> list[SendCommand]:
    found = [codec.COMMANDS.decode(value) for value in sent(epoch, "commands")]
    return [command for command in found if isinstance(command, SendCommand)]


def journal(epoch: Epoch) -> list[JournalRecord]:
    return [codec.JOURNAL.decode(value) for value in sent(epoch, JOURNAL)]


def letters(epoch: Epoch) -> list[DeadLetter]:
    return [codec.DEAD_LETTERS.decode(value) for value in sent(epoch, EVENTS_DLQ)]


def told(epoch: Epoch) -> list[tuple[str, str | None]]:
    return [(record.decision, record.reason or record.step) for record in journal(epoch)]


def conserved(host: Host) -> Counters:
    """Check both sums of the counters and return them."""
    counters = decode_meta(host.store.meta or b"").counters
    into = counters.applied + counters.repeated + counters.duplicate + counters.dead_lettered + counters.other
    assert counters.records == into
    pending = sum(decode_row(value).state.armed_timers for value in host.store.rows.values())
    assert counters.timers_armed == counters.timers_fired + counters.timers_cancelled + pending
    return counters
