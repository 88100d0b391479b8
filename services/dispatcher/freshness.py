"""Freshness by marks: what a host knows of ``cancels`` that it reads from a log."""

from __future__ import annotations

import msgspec

from services.dispatcher.core.freshness import CancelsSeen, may_send
from shared.messages.command import Mark


class CancelsFresh:
    """A ``Freshness`` for one partition whose cancels come through a log of their own."""

    def __init__(self) -> None:
        self.seen = CancelsSeen()

    def allows(self, decided_at: int, now: int) -> bool:
        """Return whether a command decided at ``decided_at`` may be sent at machine time ``now``."""
        return may_send(decided_at, now, self.seen)

    def note_mark(self, mark: Mark) -> None:
        """Take notice of ``mark``, the newest in the order of the log."""
        self.seen = msgspec.structs.replace(self.seen, marked_at=mark.written_at, caught_up=mark.caught_up)

    def note_end(self, now: int) -> None:
        """``cancels`` was read to its end at machine time ``now``."""
        self.seen = msgspec.structs.replace(self.seen, end_read_at=now)
