"""How long a record may make its contact's row, and what is left of one that would make it longer."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from services.evaluator.core.advance import advance
from services.evaluator.core.catalog import Catalog
from services.evaluator.core.effects import Advance
from services.evaluator.core.handover import tightened
from services.evaluator.core.occurrence import EventArrived
from services.evaluator.core.state import ContactState
from services.evaluator.rows import Row, encode_row
from shared.errors import BadMessageError
from shared.messages.answer import Answer
from shared.messages.event import Event
from shared.messages.identity import Handover
from shared.messages.outcome import Outcome

ROW_BYTES = 256 * 1024
"""A record that makes a contact's row longer than this is dead-lettered: one contact harms itself only. What the row
holds back (``builder.HELD_BYTES``) comes on top."""
ROW_RESERVE = 2 * ROW_BYTES
"""So long may what stops messages make a row: an exit, consent, an outcome. A full row must not keep a run alive."""


class Bounded(msgspec.Struct, frozen=True):
    """What follows from a record, with the stored form of the row without what it holds.

    ``refused``: what the record would have started or brought besides has no room; it is to be put aside as well.
    """

    result: Advance
    value: bytes
    refused: BadMessageError | None = None


def advance_bounded(
    catalog: Catalog,
    without_entries: Catalog,
    row: Row,
    arrived: EventArrived,
    stored: Callable[[ContactState], bytes],
) -> Bounded:
    """Return what follows from the record that ``arrived``; ``stored`` makes the row's stored form of a state.

    Raises BadMessageError when the row becomes too long. A record that stops messages is not refused for that: it
    is applied, if need be without the runs that it would start (``without_entries``) or bring.
    """
    result = advance(catalog, row.state, arrived)
    value = stored(result.state)
    size = len(value)
    if result.duplicate or size <= ROW_BYTES or size <= len(encode_row(msgspec.structs.replace(row, held=()))):
        return Bounded(result, value)
    record = arrived.record
    error = BadMessageError(f"the contact's row would pass {ROW_BYTES} bytes")
    less = tightened(record) if isinstance(record, Handover) else record
    stopping = advance(without_entries, row.state, EventArrived(less, arrived.log_time))
    stops = stopping.cancels or len(stopping.state.runs) < len(row.state.runs)
    consents = isinstance(record, Event) and record.type == "consent"
    if not (stops or consents or isinstance(record, Outcome | Answer | Handover)):
        raise error
    if size <= ROW_RESERVE:
        return Bounded(result, value)
    value = stored(stopping.state)
    if len(value) > ROW_RESERVE:
        raise error
    return Bounded(stopping, value, error)
