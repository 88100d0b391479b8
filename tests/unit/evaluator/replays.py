"""A host that plays a history: it keeps a log and what was saved, and crashes where the history says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from services.evaluator.core.catalog import build_catalog
from services.evaluator.core.state import ContactState
from services.evaluator.epoch import Epoch
from services.evaluator.processor import PartitionProcessor
from services.evaluator.rows import decode_row
from shared.ids import outcome_id
from shared.log import LogRecord, Output
from shared.messages import codec
from shared.messages.command import SendCommand
from shared.messages.event import EventRecord, Tick
from shared.messages.outcome import Outcome, OutcomeStatus
from shared.messages.topics import EVENTS
from tests.builders import at, consented, identified
from tests.fakes import MemoryEpochs
from tests.unit.evaluator.histories import (
    CONTACTS,
    JOURNEYS,
    LAST,
    TRAITS,
    Fired,
    Happens,
    Offered,
    Released,
    Reported,
    Step,
)


class Host:
    """Keeps a log and what was saved; a crash throws the processor away and leaves both."""

    def __init__(self) -> None:
        self.catalog = build_catalog(JOURNEYS)
        self.store = MemoryEpochs()
        self.log: list[LogRecord] = []
        self.now = at("09:00")
        self.published: list[SendCommand] = []
        self.lost: list[Output] = []
        self.restart()
        for contact in CONTACTS:
            self.append(identified(self.now, **TRAITS[contact]), contact)
            self.append(consented(self.now, "cart_reminders"), contact)
            self.append(msgspec.structs.replace(consented(self.now, "news"), message_id="news"), contact)

    def restart(self) -> None:
        self.processor = PartitionProcessor(partition=0, catalog=self.catalog, store=self.store, incarnation="log")

    def append(self, message: EventRecord | bytes, contact: str | None) -> None:
        value = message if isinstance(message, bytes) else codec.encode(message)
        key = None if contact is None else contact.encode()
        self.log.append(LogRecord(len(self.log), self.now, key, value))

    def step(self, step: Step) -> None:
        match step:
            case Happens():
                self.now += step.after
                message = step.make(self.now, step.contact)
                self.append(message, None if isinstance(message, Tick) else step.contact)
            case Reported():
                self.now += step.after
                if self.published:
                    command = self.published[-1 - step.number % len(self.published)]
                    self.append(reported(command, step.status, self.now), command.contact)
            case Offered():
                begin = max(0, self.processor.meta.next_offset - step.back)
                offered = self.log[begin : begin + step.back + step.count]
                self.keep(self.processor.process(offered, caught_up=step.caught_up), saved=step.saved)
            case Fired():
                self.keep(self.processor.fire(step.limit, caught_up=step.caught_up), saved=step.saved)
            case Released():
                self.keep(self.processor.release(step.limit), saved=step.saved)

    def keep(self, epoch: Epoch, *, saved: bool) -> None:
        if not saved:
            self.lost += epoch.outputs
            self.restart()
            return
        self.store.keep(epoch)
        for output in epoch.outputs:
            if output.topic == EVENTS:
                self.append(output.value or b"", (output.key or b"").decode())
            elif output.topic == "commands":
                command = codec.COMMANDS.decode(output.value)
                assert isinstance(command, SendCommand)
                self.published.append(command)

    def finish(self) -> None:
        """Catch up, and let the time run on until nothing is left to happen."""
        self.now += LAST
        self.append(Tick(partition=0), None)
        while (begin := self.processor.meta.next_offset) < len(self.log) or self.processor.has_due:
            self.keep(self.processor.process(self.log[begin:], caught_up=True), saved=True)
            self.keep(self.processor.fire(2, caught_up=True), saved=True)
        while self.processor.holding:
            self.keep(self.processor.release(1), saved=True)

    def states(self) -> dict[str, ContactState]:
        return {contact: decode_row(value).state for contact, value in self.store.rows.items()}


def reported(command: SendCommand, status: OutcomeStatus, when: int) -> Outcome:
    return Outcome(
        message_id=outcome_id(command.command_id),
        contact=command.contact,
        command_id=command.command_id,
        run_id=command.run_id,
        journey=command.journey,
        version=command.version,
        step=command.step,
        channel=command.channels[0],
        status=status,
        at=when,
    )


M = TypeVar("M")


def by_id(messages: Iterable[M], name: str) -> dict[str, M]:
    """Return the messages by id; two of one id with different contents are an error."""
    found: dict[str, M] = {}
    for message in messages:
        assert message == found.setdefault(getattr(message, name), message)
    return found


def decoded(outputs: Iterable[Output], topic: str, decoder: codec.Decoder[Any]) -> list[Any]:
    return [decoder.decode(output.value) for output in outputs if output.topic == topic]


def played(steps: Iterable[Step]) -> Host:
    host = Host()
    for step in steps:
        host.step(step)
    host.finish()
    return host
