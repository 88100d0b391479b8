"""States that an older release wrote, as this one has them: read from a row, or brought by a handover."""

from __future__ import annotations

import msgspec

from services.evaluator.core.applied_ids import with_id
from services.evaluator.core.recent import recent_of
from services.evaluator.core.state import ContactState


def upgraded(state: ContactState) -> ContactState:
    """Return ``state`` with what older releases kept in ``seen`` (number by hash) and ``recent`` (names and times)."""
    if not (state.seen or state.recent):
        return state
    ids = b"".join(with_id(b"", hashed, number) for hashed, number in state.seen.items())
    return msgspec.structs.replace(state, seen={}, recent=(), ids=ids, lately=recent_of(state.recent))
