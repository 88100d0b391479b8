"""The records of ``events.dlq`` and ``commands.dlq``: what could not be processed, and why."""

from __future__ import annotations

import msgspec

from shared.messages.event import EventType


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="dead_letter"):
    """A record that could not be processed, whole, with its place in the log.

    ``offset`` -1: it never was in the log, but is what ``source`` sent to ingest: a call (of ``event_type`` where its
    route says so), or, if ``foreign``, what a webhook or another format's library posts.
    """

    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    at: int
    key: bytes | None
    value: bytes | None
    source: str = ""
    event_type: EventType | None = None
    foreign: bool = False
