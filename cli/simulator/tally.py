"""What one folder's journeys decided, counted as it is decided. Of a contact it keeps what tells its messages apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from hashlib import blake2b

import msgspec

from cli.simulator.decisions import effective, in_zone, said
from cli.simulator.engine import Arrival, Decided, Message, Saying, Simulator
from shared.journeys.model import Definitions

OF: dict[str, tuple[str, ...]] = {
    "entered": (),
    "not_entered": ("reason",),
    "send": ("step", "channel"),
    "deferred": ("reason",),
    "skip": ("reason",),
    "notify": ("step", "channel"),
    "call": ("step",),
    "answered": ("step",),
    "update": ("step",),
    "emit": ("step",),
    "enrol": ("step",),
    "migrated": ("step",),
    "exited": ("reason",),
    "regret": ("step",),
    "suppressed": ("reason",),
    "unsuppressed": ("reason",),
    "converted": ("goal",),
}
"""The decisions that are counted, each for every value of these fields."""

_MANY = 10
"""So many messages or more to one contact are counted together."""
_PREVIEW = 40

Measure = tuple[str | None, str, tuple[str, ...]]
"""A journey (None: all of them), what is counted, and for which values of its fields."""


class Received(msgspec.Struct):
    """What a contact got: how many messages, and digests of which and when, and of their texts."""

    messages: int = 0
    which: bytes = b""
    texts: bytes = b""


class Told(msgspec.Struct, frozen=True):
    """One decision in words; two with the same ``texts`` say the same to the contact."""

    line: str
    texts: bytes = b""


class Tally:
    """A simulation that keeps counts and no journal. ``told`` has the decisions about the contacts in ``about``."""

    def __init__(
        self, defined: Definitions, answers: Mapping[str, Sequence[Saying]], about: Collection[str] = ()
    ) -> None:
        """Start with nothing counted; connectors give ``answers``."""
        self.simulator = Simulator(defined, answers)
        self.contacts: dict[str, Received] = {}
        self.told: dict[str, list[Told]] = {contact: [] for contact in about}
        self._counts: dict[Measure, float] = defaultdict(float)
        self._messages: dict[str, dict[str, int]] = defaultdict(dict)

    def arrive(self, arrival: Arrival) -> None:
        """Apply ``arrival`` and count what was decided until then."""
        self.simulator.arrive(arrival)
        self._take()

    def run_to(self, before: int) -> None:
        """Fire every timer that is due before ``before`` and count what was decided."""
        self.simulator.run_to(before)
        self._take()

    def measures(self, everyone: Collection[str]) -> dict[Measure, float]:
        """Return what was counted; over all journeys for each contact of ``everyone``, also those that got nothing."""
        found = dict(self._counts)
        for journey, messages in self._messages.items():
            found |= _spread(journey, list(messages.values()))
        got = [self.contacts[contact].messages if contact in self.contacts else 0 for contact in everyone]
        return found | _spread(None, got)

    def _take(self) -> None:
        """Count what was decided since the last time, and forget it."""
        simulator = self.simulator
        if simulator.decided:
            for found in effective(simulator.decided):
                self._count(found)
            simulator.decided.clear()
            simulator.messages.clear()
        simulator.log.clear()

    def _count(self, found: Decided) -> None:
        record = found.record
        of = tuple(str(getattr(record, field)) for field in OF[record.decision])
        self._counts[record.journey, record.decision, of] += 1
        contact = self.contacts.setdefault(record.contact, Received())
        texts = b""
        if record.decision == "entered":
            self._messages[record.journey].setdefault(record.contact, 0)
        elif record.decision == "converted":
            self._counts[record.journey, "value", of] += record.value or 0
        elif record.decision == "send":
            texts = _texts(self.simulator.messages.get(record.command_id or ""))
            messages = self._messages[record.journey]
            messages[record.contact] = messages.get(record.contact, 0) + 1
            contact.messages += 1
            contact.which = _digest(
                contact.which, f"{record.at} {record.journey} {record.step} {record.channel}".encode()
            )
            contact.texts = _digest(contact.texts, texts)
        if record.contact in self.told:
            preview = f": {texts.decode().splitlines()[0][:_PREVIEW]}" if texts else ""
            line = f"{in_zone(record.at, found.timezone)} {record.journey} {said(record)}{preview}"
            self.told[record.contact].append(Told(line, texts))


def _spread(journey: str | None, messages: list[int]) -> dict[Measure, float]:
    """Return the mean, the most and the distribution of ``messages``, the numbers of messages per contact."""
    found: dict[Measure, float] = {
        (journey, "messages", ()): sum(messages),
        (journey, "messages_mean", ()): sum(messages) / len(messages) if messages else 0,
        (journey, "messages_most", ()): max(messages, default=0),
    }
    for number in messages:
        measure = journey, "contacts_with", (str(number) if number < _MANY else f"{_MANY}+",)
        found[measure] = found.get(measure, 0) + 1
    return found


def _texts(message: Message | None) -> bytes:
    parts = None if message is None else message.parts
    return "\n".join(parts.values()).encode() if parts else b""


def _digest(before: bytes, more: bytes) -> bytes:
    return blake2b(before + more, digest_size=8).digest()
