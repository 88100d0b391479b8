"""What can happen to a contact: the engine's inputs."""

from __future__ import annotations

import msgspec

from services.evaluator.core.state import Timer
from shared.messages.answer import Answer
from shared.messages.coordination import Ask, Conversion, Reply
from shared.messages.enrolment import Enrolment
from shared.messages.event import Event
from shared.messages.identity import Handover, Link
from shared.messages.outcome import Outcome

Applied = Event | Outcome | Answer | Enrolment | Ask | Conversion | Reply | Link | Handover
"""The records of ``events`` that are applied to a row."""


class EventArrived(msgspec.Struct, frozen=True):
    """A record of the log reached the contact. ``log_time`` is the partition's log time at the record."""

    record: Applied
    log_time: int

    @property
    def at(self) -> int:
        """The record's own time: the smallest of when it happened, when it was received and the log time."""
        record, log_time = self.record, self.log_time
        if isinstance(record, (Event, Enrolment)):
            return min(record.timestamp, record.received_at, log_time)
        return min(record.at, log_time)


class TimerDue(msgspec.Struct, frozen=True):
    """A timer of a run came due; its ``due`` is the time at which everything that follows from it happens."""

    run_id: str
    journey: str
    timer: Timer


class Adopted(msgspec.Struct, frozen=True):
    """The catalogue became another one at ``at``: from then on the contact waits for its dates and schedules."""

    at: int


Occurrence = EventArrived | TimerDue | Adopted
