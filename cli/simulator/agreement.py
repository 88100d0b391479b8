"""Does a recording agree with its own replay, byte for byte? One partition's decisions are held at a time."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from itertools import groupby

import msgspec

from cli.recording import Recorded
from cli.simulator.replay import Orders, PartitionReplay
from services.evaluator.epoch import Epoch
from shared.errors import BadMessageError
from shared.journeys.model import Definitions
from shared.log import Output
from shared.messages import codec
from shared.messages.command import Mark
from shared.messages.enrolment import Enrolment
from shared.messages.event import Event
from shared.messages.journal import JournalRecord
from shared.messages.outcome import Outcome
from shared.messages.topics import CANCELS, COMMANDS, EVENTS, JOURNAL, JOURNEYS

Identity = tuple[str, str]
"""A topic, and the id of what stands in it."""
_OTHER = "recorded other than decided"


class Difference(msgspec.Struct, frozen=True):
    """One difference: ``line`` of the recording, where it is about one, and what was ``decided`` in its place."""

    text: str
    line: int | None = None
    decided: str | None = None

    def __str__(self) -> str:
        """Return what is different, and in which line."""
        return self.text if self.line is None else f"line {self.line}: {self.text}"


class Agreement(msgspec.Struct):
    """What the comparison of a whole recording found.

    ``decisions``, ``commands``, ``cancels`` and ``emitted`` (events of our own) are recorded and decided alike;
    ``repeated`` are the records that a crash wrote again, each with the same bytes. ``withdrawn`` commands and their
    cancels were decided and never published: the outcome in the events says so. ``open`` was decided by the replay and
    is not recorded; a live system was yet to write it.
    """

    events: int = 0
    decisions: int = 0
    commands: int = 0
    cancels: int = 0
    emitted: int = 0
    repeated: int = 0
    withdrawn: int = 0
    open: int = 0
    put_aside: int = 0
    differences: list[Difference] = []
    beginnings_missing: list[str] = []

    @property
    def alike(self) -> int:
        """How many records are recorded and decided alike."""
        return self.decisions + self.commands + self.cancels + self.emitted

    def agreed(self, topic: str) -> None:
        """Count one record of ``topic`` that is the same in both."""
        match topic:
            case "journal":
                self.decisions += 1
            case "commands":
                self.commands += 1
            case "cancels":
                self.cancels += 1
            case _:
                self.emitted += 1


class _Seen(msgspec.Struct):
    """One recorded output: the line at which it stood first, and what it held."""

    line: int
    digest: bytes
    decided: bool = False


def compare(defined: Definitions, recording: Iterable[Recorded]) -> Agreement:
    """Return how the decisions of ``recording`` agree with those that the journeys make of its events."""
    found, elsewhere, orders = Agreement(), _Elsewhere(), Orders(defined)
    for number, records in groupby(recording, key=lambda recorded: recorded.partition):
        _Partition(found, PartitionReplay(orders, number), number, elsewhere, orders).compare(records)
    elsewhere.settle(found)
    return found


class _Elsewhere:
    """Cancels that one partition decides for another: of commands that a visitor's run had before it was a user's."""

    def __init__(self) -> None:
        self.decided: dict[Identity, bytes | None] = {}
        self.recorded: dict[Identity, _Seen] = {}

    def settle(self, found: Agreement) -> None:
        """Compare both, once every partition was seen."""
        for identity, seen in self.recorded.items():
            value = self.decided.pop(identity, None)
            if value is None:
                found.differences.append(Difference(f"this record of {identity[0]} is not decided again", seen.line))
            elif _digest(value) != seen.digest:
                found.differences.append(Difference(_OTHER, seen.line, text_of(value)))
            else:
                found.agreed(identity[0])
        found.open += len(self.decided)


class _Partition:
    """The comparison of one partition."""

    def __init__(
        self, found: Agreement, replay: PartitionReplay, number: int, elsewhere: _Elsewhere, orders: Orders
    ) -> None:
        self._found = found
        self._orders = orders
        self._elsewhere = elsewhere
        self._replay = replay
        self._number = number
        self._recorded: dict[Identity, _Seen] = {}
        self._last_seq: dict[str, int] = {}
        self._missing: dict[Identity, Output] = {}
        self._awaited: dict[str, bytes | None] = {}
        self._outcomes: dict[str, str] = {}
        self._whole: set[str] = set()

    def compare(self, records: Iterable[Recorded]) -> None:
        for recorded in records:
            if recorded.record.offset == 0:
                self._whole.add(recorded.topic)
            if recorded.topic == JOURNEYS:
                self._orders.take(recorded.record)
            elif recorded.topic == EVENTS:
                self._follow(recorded)
            elif not (recorded.record.key or b"").startswith(b"\0"):
                self._note(recorded)
        self._finish()

    def _note(self, recorded: Recorded) -> None:
        """Take in what was decided live."""
        value = recorded.record.value
        try:
            identity = _identity_of(recorded.topic, value)
            if recorded.topic == JOURNAL:
                self._count(recorded.line, codec.JOURNAL.decode(value))
        except BadMessageError as error:
            self._differ(f"{recorded.topic} cannot be read: {error}", recorded.line)
            return
        if identity is None:
            return
        digest = _digest(value)
        seen = self._recorded.setdefault(identity, _Seen(recorded.line, digest))
        if seen.line != recorded.line:
            self._found.repeated += 1
            if seen.digest != digest:
                self._differ(f"other bytes under the id of line {seen.line}", recorded.line)

    def _count(self, line: int, entry: JournalRecord) -> None:
        """See that the contact's decisions stand in their order, without a gap."""
        last = self._last_seq.setdefault(entry.contact, entry.seq)
        if entry.seq > last + 1:
            self._differ(f"decision {entry.seq} of {entry.contact} follows on {last}", line)
        self._last_seq[entry.contact] = max(last, entry.seq)

    def _follow(self, recorded: Recorded) -> None:
        self._found.events += 1
        self._arrived(recorded)
        for epoch in self._replay.apply(recorded.record):
            self._decide(epoch)

    def _arrived(self, recorded: Recorded) -> None:
        try:
            message = codec.EVENTS.decode(recorded.record.value)
        except BadMessageError:
            return  # an incarnation, or what went to events.dlq; the replay puts it aside too
        if isinstance(message, Outcome):
            self._outcomes.setdefault(message.command_id, message.status)
        elif isinstance(message, Event | Enrolment) and (expected := self._awaited.get(message.message_id)) is not None:
            seen = self._recorded.setdefault((EVENTS, message.message_id), _Seen(recorded.line, b"", decided=True))
            if expected != recorded.record.value:
                self._differ("another event was emitted", recorded.line, expected)
            elif seen.line == recorded.line:
                self._found.agreed(EVENTS)
            else:
                self._found.repeated += 1

    def _decide(self, epoch: Epoch) -> None:
        for output in epoch.outputs:
            identity = _identity_of(output.topic, output.value)
            if identity is None:
                continue
            if output.topic == CANCELS and output.partition is None:
                self._elsewhere.decided[identity] = output.value
                continue
            if output.topic == EVENTS:
                self._awaited[identity[1]] = output.value
                continue
            seen = self._recorded.get(identity)
            if seen is None:
                self._missing[identity] = output
            elif seen.digest == _digest(output.value):
                seen.decided = True
                self._found.agreed(output.topic)
            else:
                seen.decided = True
                self._differ(_OTHER, seen.line, output.value)

    def _finish(self) -> None:
        for (topic, name), seen in self._recorded.items():
            if not seen.decided and topic == CANCELS:
                self._elsewhere.recorded[topic, name] = seen
            elif not seen.decided:
                self._differ(f"this record of {topic} is not decided again", seen.line)
        for (topic, identity), output in self._missing.items():
            if topic in self._whole:
                self._judge_missing(topic, identity, output)
        self._found.open += sum((EVENTS, identity) not in self._recorded for identity in self._awaited)
        self._found.put_aside += self._replay.put_aside
        for topic in (JOURNAL, COMMANDS, CANCELS, EVENTS):
            if topic not in self._whole:
                self._found.beginnings_missing.append(f"{topic}/{self._number}")

    def _judge_missing(self, topic: str, identity: str, output: Output) -> None:
        """Tell what a live system withdrew, or had not written yet, from what it never decided."""
        if topic == JOURNAL:
            entry = codec.JOURNAL.decode(output.value)
            lost = entry.seq <= self._last_seq.get(entry.contact, 0)
        elif (COMMANDS, identity) in self._recorded:
            lost = False
        else:
            # Only the evaluator itself settles a command that nobody ever saw: it held it back, and then dropped it.
            settled = self._outcomes.get(identity)
            if settled == "skipped":
                self._found.withdrawn += 1
                return
            lost = settled is not None
        if lost:
            self._differ(f"partition {self._number}: decided and not recorded in {topic}", None, output.value)
        else:
            self._found.open += 1

    def _differ(self, text: str, line: int | None, decided: bytes | None = None) -> None:
        self._found.differences.append(Difference(text, line, None if decided is None else text_of(decided)))


def _identity_of(topic: str, value: bytes | None) -> Identity | None:
    """Return what identifies a record; None for what is not compared: marks, dead letters, outcomes of our own."""
    match topic:
        case "journal":
            return topic, codec.JOURNAL.decode(value).id
        case "commands":
            return topic, codec.COMMANDS.decode(value).command_id
        case "cancels":
            cancel = codec.CANCELS.decode(value)
            return None if isinstance(cancel, Mark) else (topic, cancel.command_id)
        case "events":
            event = codec.EVENTS.decode(value)
            return (topic, event.message_id) if isinstance(event, Event | Enrolment) else None
    return None


def _digest(value: bytes | None) -> bytes:
    return blake2b(value or b"", digest_size=16).digest()


def text_of(value: bytes | None) -> str:
    """Return the record ``value`` without its header, for people."""
    return (value or b"")[2:].decode(errors="replace")
