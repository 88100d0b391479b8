"""Contacts for ``GET /v1/contacts/{id}``, read from the file that the evaluation writes."""

from __future__ import annotations

from collections.abc import Callable

from services.evaluator.lookup import Moved, look_up
from services.standalone.storage.contacts import SqliteContacts
from services.standalone.storage.log import PARTITION


class ContactLookup:
    """Reads the last commit. The writer is on a thread of its own and is not held up."""

    def __init__(self, contacts: SqliteContacts, caught_up: Callable[[], bool]) -> None:
        """``caught_up`` tells whether everything in the log has been applied."""
        self._contacts = contacts
        self._caught_up = caught_up

    async def find(self, contact: str) -> bytes | None:
        """Return the JSON of the contact of this key, None for one that nobody knows."""
        row, meta = self._contacts.load_with_meta(contact)
        answer = look_up(row, meta, partition=PARTITION, caught_up=self._caught_up())
        return await self.find(answer.to) if isinstance(answer, Moved) else answer
