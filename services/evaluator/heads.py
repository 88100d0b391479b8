"""What a partition knows of all its rows without decoding them: who is due, who waits for what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator
from itertools import islice

from services.evaluator.core.state import NEVER
from services.evaluator.rows import Head, read_head
from services.evaluator.timers import DueIndex
from shared.messages.coordination import PREFIX

_STEP = 5_000


class Heads:
    """An index over the heads of rows. ``number`` is that of the catalogue that contacts are to adopt."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.number = 0
        self.timers = DueIndex()
        self.held: set[str] = set()
        """Contacts with commands held back."""
        self.pending: Counter[str] = Counter()
        """Commands without an outcome, by contact."""
        self.behind: dict[str, None] = {}
        """Contacts that have not adopted the catalogue."""

    def note(self, contact: str, head: Head, was: int) -> None:
        """Take in the ``head`` that the contact's row has now; ``was`` is its ``next_due`` as noted last, or NEVER."""
        self.timers.set(contact, head.next_due, was)
        if head.pending:
            self.pending[contact] = head.pending
        else:
            self.pending.pop(contact, None)
        if head.held:
            self.held.add(contact)
        else:
            self.held.discard(contact)
        if head.adopted == self.number or contact.startswith(PREFIX):
            self.behind.pop(contact, None)
        else:
            self.behind[contact] = None

    def fill(self, rows: Iterable[tuple[str, bytes]]) -> Iterator[int]:
        """Take in the heads of all stored ``rows`` at the start; yield how many contacts those were, step by step.

        A step takes some ten ms.
        """
        rows = iter(rows)
        while True:
            seen, contacts = self._fill(islice(rows, _STEP))
            if not seen:
                return
            yield contacts

    def _fill(self, rows: Iterable[tuple[str, bytes]]) -> tuple[int, int]:
        """Take in ``rows``, each gone before the next is read; return how many they were, and how many contacts."""
        seen = others = 0
        number, arm = self.number, self.timers.add
        for contact, value in rows:
            seen += 1
            head = read_head(value)
            if head.next_due != NEVER:
                arm(contact, head.next_due)
            if head.pending:
                self.pending[contact] = head.pending
            if head.held:
                self.held.add(contact)
            if contact.startswith(PREFIX):
                others += 1
            elif head.adopted != number:
                self.behind[contact] = None
        return seen, seen - others

    def adopt(self, rows: Iterable[tuple[str, bytes]], but: Container[str]) -> None:
        """Take in the heads of stored ``rows`` again, as the catalogue is another; ``but`` are noted already."""
        for contact, value in rows:
            if contact not in but:
                head = read_head(value)
                self.note(contact, head, head.next_due)
