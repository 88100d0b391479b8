"""What a partition's changelog asks of whoever writes to the log for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from services.evaluator.changelog.records import Stamp
from shared.errors import KikkakeError


class FencedError(KikkakeError):
    """Another worker has claimed this partition: nothing more may be written for it here."""


class Writer(Protocol):
    """Appends record batches, each whole or not at all (``ChangelogWriter``)."""

    async def take_over(self, partition: int) -> None:
        """Become the partition's writer: the first batch written after this shuts out whoever was it before."""

    async def append(self, partition: int, records: Sequence[tuple[bytes, bytes | None]], stamp: Stamp) -> int:
        """Return the first record's offset once acknowledged.

        Raises LogUnavailableError (the same may be appended again) and FencedError (nothing was written, and somebody
        else is the partition's writer); any other error is final.
        """
