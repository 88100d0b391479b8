"""The records of ``journal``: every decision of the engine, sends and non-sends alike."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Decision = Literal[
    "entered",
    "not_entered",
    "send",
    "deferred",
    "skip",
    "sent",
    "failed",
    "ambiguous",
    "notify",
    "call",
    "answered",
    "update",
    "emit",
    "winner",
    "migrated",
    "enrol",
    "exited",
    "converted",
    "regret",
    "suppressed",
    "unsuppressed",
]


class JournalRecord(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="kind", tag="journal"
):
    """One decision about one contact.

    ``seq`` counts the contact's decisions from 1 without a gap; ``id`` is derived from the contact and ``seq``. That a
    repeated event started nothing is no decision: the note has the ``seq`` of the last one. ``at`` is the time of the
    cause (the event's own time, or the timer's due time). ``cause`` is the messageId, or the timer's step and due time.
    ``checks`` are the send-time checks in their order, each with its result.
    """

    id: str
    contact: str
    seq: int
    at: int
    decision: Decision
    journey: str
    version: int
    cause: str
    run: str | None = None
    step: str | None = None
    channel: str | None = None
    command_id: str | None = None
    reason: str | None = None
    goal: str | None = None
    value: float | None = None
    next_timer_at: int | None = None
    checks: tuple[tuple[str, bool], ...] = ()
    detail: dict[str, Any] = {}
