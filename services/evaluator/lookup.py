"""What is told of one contact, out of its row as it was saved and the meta row that was saved with it."""

from __future__ import annotations

import msgspec

from services.evaluator.core.view import view_of
from services.evaluator.meta import Meta, decode_meta
from services.evaluator.rows import decode_row
from shared.messages.contact import AsOf


class Moved(msgspec.Struct, frozen=True):
    """The contact was an anonymous one that turned out to be the user of key ``to``: ask for that."""

    to: str


Answer = bytes | Moved | None
"""A ``ContactView`` as JSON, or whom to ask for; None: nobody knows the contact."""

_ENCODER = msgspec.json.Encoder()


def look_up(row: bytes | None, meta: bytes | None, *, partition: int, caught_up: bool) -> Answer:
    """Return the answer that ``row`` gives. Both rows are of one moment. Raises BadMessageError for an unreadable one.

    ``caught_up``: nothing lay between them and the end of ``partition`` of the log.
    """
    if row is None:
        return None
    state = decode_row(row).state
    # What was done on the device since is another visitor's, who must not be shown what is known of the user.
    if state.forward is not None and not state.lately.packed:
        return Moved(state.forward.to)
    known = Meta() if meta is None else decode_meta(meta)
    return _ENCODER.encode(view_of(state, AsOf(partition, known.next_offset, known.log_time, caught_up)))
