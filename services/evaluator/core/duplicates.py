"""Repeats of a record: what is remembered to know them, and what becomes of one.

Per contact, by messageId: for 48 hours of log time, and of the newest thousand. Beside the time of each id stand 16
bits of what the event said, in one number: the same id with another body is a sender's fault and is counted as such.
"""

from __future__ import annotations

from zlib import crc32

import msgspec

from services.evaluator.core.applied_ids import ID_BYTES, number_at, with_id
from services.evaluator.core.catalog import Catalog
from services.evaluator.core.effects import Advance
from services.evaluator.core.occurrence import Applied, EventArrived
from services.evaluator.core.state import ContactState
from services.evaluator.core.stay_out import triggered_journeys
from shared.clock import HOUR
from shared.ids import derived_id
from shared.journeys.model import Journey
from shared.messages.event import Event
from shared.messages.journal import JournalRecord

DUPLICATE_EVENT = "duplicate_event"
REMEMBER_FOR = 48 * HOUR
"""How long a messageId is remembered, in log time: longer than any client retries (Segment's in Python: 12 h)."""
REMEMBER_AT_MOST = 1_000
"""How many messageIds are remembered per contact; the oldest go first."""

_BODY_BITS = 16
_BODY = (1 << _BODY_BITS) - 1
_BARE = 1 << 48
"""Rows of an older release hold the bare time: a number below this (ms, the year 10889)."""
_ENCODER = msgspec.json.Encoder(order="deterministic")


def remembered(ids: bytes, hashed: int, record: Applied, log_time: int) -> tuple[bytes, bool]:
    """Return ``ids`` with ``record``'s own, by which a repeat of it changes nothing.

    True: another's went out of memory for it before its time.
    """
    over = 0
    while over < len(ids) and applied_at(number_at(ids, over)) <= log_time - REMEMBER_FOR:
        over += ID_BYTES
    forgets = len(ids) - over == REMEMBER_AT_MOST * ID_BYTES
    return with_id(ids[over + forgets * ID_BYTES :], hashed, log_time << _BODY_BITS | _body_of(record)), forgets


def repeat(catalog: Catalog, state: ContactState, kept: int, occurrence: EventArrived) -> Advance:
    """Return what follows from a record that was applied before: the state as it was, and a note of what did not start.

    ``kept`` is the number that goes with its messageId.

    The notes are no decisions: they take no sequence number, so that the contact's others are the same without them.
    """
    record = occurrence.record
    if not isinstance(record, Event):
        return Advance(state=state, duplicate=True, remarks=("duplicate",))
    conflicts = kept >= _BARE and _body_of(record) != kept & _BODY
    return Advance(
        state=state,
        duplicate=True,
        journal=tuple(_note(state, occurrence, journey) for journey in triggered_journeys(catalog, record.name)),
        remarks=("duplicate", "conflict") if conflicts else ("duplicate",),
    )


def _note(state: ContactState, occurrence: EventArrived, journey: Journey) -> JournalRecord:
    cause = occurrence.record.message_id
    return JournalRecord(
        id=derived_id(DUPLICATE_EVENT, state.contact, cause, journey.id, str(occurrence.log_time)),
        contact=state.contact,
        seq=state.seq,
        at=occurrence.at,
        decision="not_entered",
        journey=journey.id,
        version=journey.version,
        cause=cause,
        reason=DUPLICATE_EVENT,
    )


def applied_at(kept: int) -> int:
    """Return the log time in a number of ``ContactState.ids``."""
    return kept if kept < _BARE else kept >> _BODY_BITS


def _body_of(record: Applied) -> int:
    """Return 16 bits of what an event says. Its context and times are left out, for they differ from try to try."""
    if not isinstance(record, Event):
        return 0
    said = (record.type, record.name, record.user_id, record.anonymous_id, record.properties, record.traits)
    return crc32(_ENCODER.encode(said)) & _BODY
