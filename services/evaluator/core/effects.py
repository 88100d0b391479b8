"""What follows from an occurrence: the engine's outputs."""

from __future__ import annotations

from typing import Literal

import msgspec

from services.evaluator.core.state import ContactState
from shared.messages.answer import Answer
from shared.messages.command import Cancel, CommandRecord
from shared.messages.coordination import Ask, Conversion, Reply
from shared.messages.enrolment import Enrolment
from shared.messages.event import Event
from shared.messages.identity import Handover, Link
from shared.messages.journal import JournalRecord
from shared.messages.outcome import Outcome

Posted = Ask | Conversion | Reply | Link | Handover | Event | Outcome | Answer | Enrolment


Remark = Literal["duplicate", "conflict", "forgotten_id", "late", "untracked"]
"""What is to be counted of a record: it was applied before; and with another body; a messageId went out of memory
before its 48 hours; the event was late; it was not applied for want of consent to tracking."""


class TimerTally(msgspec.Struct, frozen=True):
    """What became of timers in one advance: armed = fired + cancelled + pending holds over a contact's whole life."""

    armed: int = 0
    fired: int = 0
    cancelled: int = 0


class Advance(msgspec.Struct, frozen=True):
    """The next state and what it asks of the world.

    ``events`` are of our own, for the contact's log; ``posted`` are records for the rows of other keys, with the key.

    ``duplicate``: the record was applied before. ``invalid_zones``: time zones learned that are none.
    """

    state: ContactState
    commands: tuple[CommandRecord, ...] = ()
    cancels: tuple[Cancel, ...] = ()
    journal: tuple[JournalRecord, ...] = ()
    events: tuple[Event | Enrolment, ...] = ()
    posted: tuple[tuple[str, Posted], ...] = ()
    timers: TimerTally = TimerTally()
    duplicate: bool = False
    invalid_zones: int = 0
    remarks: tuple[Remark, ...] = ()
