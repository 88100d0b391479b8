"""The records of ``events.dlq`` and ``commands.dlq``: what could not be processed, and why."""

from __future__ import annotations

import msgspec


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="dead_letter"):
    """A record that could not be processed, whole, with its place in the log."""

    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    at: int
    key: bytes | None
    value: bytes | None
