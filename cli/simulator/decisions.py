"""Decisions as lines of JSON: the same bytes for the same input."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

from cli.simulator.engine import Decided
from shared.messages.journal import Decision, JournalRecord
from shared.walltime.zones import local, zone

SHOWN: frozenset[Decision] = frozenset(
    {
        "entered",
        "not_entered",
        "send",
        "deferred",
        "skip",
        "notify",
        "call",
        "answered",
        "update",
        "emit",
        "migrated",
        "enrol",
        "exited",
        "converted",
        "regret",
        "suppressed",
        "unsuppressed",
    }
)
"""What the engine decides. That a message was sent is assumed, and so is no line of its own."""

_UTC = ZoneInfo("UTC")
_TICK = 1
"""A timer fires at a tick 1 ms past its due time: that is no delay."""
_FIELDS = ("run", "step", "channel", "command_id", "reason", "goal", "value")


def effective(decided: Iterable[Decided]) -> Iterator[Decided]:
    """Yield the decisions to show, in the order in which they were made.

    A message that was decided and then not handed over (``template_error``) is a skip and no send.
    """
    kept = list(decided)
    skipped = {found.record.command_id for found in kept if found.record.decision == "skip"} - {None}
    for found in kept:
        record = found.record
        if record.decision in SHOWN and not (record.decision in ("send", "notify") and record.command_id in skipped):
            yield found


def line_of(decided: Decided, *, explain: bool = False) -> str:
    """Return the decision as one line of JSON, its keys sorted, without what it does not have.

    ``explain`` adds what it was caused by, when it was made if that is later than ``at``, each check, and when the run
    goes on.
    """
    record = decided.record
    shown: dict[str, Any] = {
        "at": in_zone(record.at, decided.timezone),
        "contact": record.contact.partition(":")[2],
        "decision": record.decision,
        "journey": f"{record.journey}@{record.version}" if record.journey else None,
    }
    shown.update((field, getattr(record, field)) for field in _FIELDS)
    if explain:
        shown["cause"] = record.cause
        if decided.log_time - record.at > _TICK:
            shown["decided_at"] = in_zone(decided.log_time, decided.timezone)
        shown["checks"] = [{"check": name, "passed": passed} for name, passed in record.checks] or None
        shown["detail"] = record.detail or None
        if decided.next_timer_at is not None:
            shown["next_timer_at"] = in_zone(decided.next_timer_at, decided.timezone)
    return json.dumps({key: value for key, value in shown.items() if value is not None}, sort_keys=True)


def said(record: JournalRecord) -> str:
    """Return the decision in words, without when and by whom."""
    words = [record.decision, record.step if record.decision not in ("exited", "not_entered") else None, record.reason]
    text = " ".join(word for word in words if word)
    if record.channel and record.decision == "send":
        text = f"{text} by {record.channel}"
    return f"{text} {record.goal}" if record.goal else text


def in_zone(at: int, timezone: object) -> str:
    """Return ``at`` as ISO 8601 in ``timezone``, in UTC where that is none; with milliseconds only if it has some."""
    where, _ = zone(timezone, _UTC)
    try:
        moment = local(at, where)
    except ValueError:  # past the years that calendars count to
        return f"{at} ms"
    if where is _UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds" if at % 1000 else "seconds")
