"""An epoch: the decisions of one batch, to be made durable as a whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import msgspec

from services.evaluator.core.effects import Remark
from services.evaluator.meta import Meta
from shared.log import Output
from shared.messages.journal import Decision


class Tally(msgspec.Struct, frozen=True):
    """One decision of an epoch, for the metrics."""

    journey: str
    decision: Decision
    reason: str


class Epoch(msgspec.Struct, frozen=True):
    """Rows, outputs and cursor that agree. ``consumed`` is how many of the records that were offered it covers.

    ``lateness`` has, for each timer that fired, how many ms of log time it was overdue; ``invalid_zones`` is how many
    time zones were learned that are none; ``remarks`` what is to be counted of the records.
    """

    rows: dict[str, bytes]
    outputs: tuple[Output, ...]
    meta: Meta
    consumed: int
    tallies: tuple[Tally, ...] = ()
    lateness: tuple[int, ...] = ()
    invalid_zones: int = 0
    remarks: tuple[Remark, ...] = ()

    @property
    def empty(self) -> bool:
        """Nothing happened."""
        return not (self.rows or self.outputs or self.consumed)


class ContactStore(Protocol):
    """The rows of one partition. Adapters: SQLite, Kafka changelog, memory; tests/contract/test_contact_store.py."""

    def load(self, contact: str) -> bytes | None:
        """Return the contact's row as last saved, or None."""

    def load_meta(self) -> bytes | None:
        """Return the meta row as last saved, or None for a partition that never saved one."""

    def scan(self) -> Iterable[tuple[str, bytes]]:
        """Return every contact with at least the head of its row (``rows.read_head``), in any order."""
