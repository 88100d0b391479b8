"""The sequential oracle: what the pure core decides over a log, one contact after another, with no host at all.

Written apart from the processor on purpose: what both agree on is not agreed on by sharing code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from services.evaluator.core.advance import advance, next_timer
from services.evaluator.core.catalog import Catalog, build_catalog
from services.evaluator.core.effects import Advance
from services.evaluator.core.occurrence import EventArrived, Occurrence
from services.evaluator.core.state import ContactState
from shared.journeys.model import Journey
from shared.log import LogRecord
from shared.messages import codec
from shared.messages.command import Cancel, SendCommand
from shared.messages.event import Event
from shared.messages.journal import JournalRecord
from shared.messages.outcome import Outcome
from shared.messages.topics import INCARNATION_KEY


class Verdict(msgspec.Struct):
    """Everything the core decided, in order, and the last state of each contact."""

    journal: list[JournalRecord] = []
    commands: list[SendCommand] = []
    cancels: list[Cancel] = []
    states: dict[str, ContactState] = {}


def judge(journeys: Iterable[Journey], log: Sequence[LogRecord], *, until: int | None = None) -> Verdict:
    """Return what the core decides over the records of one partition; ``until`` runs the log time on at the end."""
    catalog = build_catalog(journeys)
    verdict = Verdict()
    log_time = 0
    for record in log:
        log_time = max(log_time, record.timestamp)
        if record.key == INCARNATION_KEY:
            continue
        message = codec.EVENTS.decode(record.value)
        if record.key is None or not isinstance(message, Event | Outcome):
            continue
        contact = record.key.decode()
        _run_timers(catalog, verdict, contact, log_time)
        _advance(catalog, verdict, contact, EventArrived(message, log_time))
        _run_timers(catalog, verdict, contact, log_time)
    for contact in sorted(verdict.states):
        _run_timers(catalog, verdict, contact, log_time if until is None else until)
    return verdict


def _run_timers(catalog: Catalog, verdict: Verdict, contact: str, before: int) -> None:
    while True:
        state = verdict.states.get(contact)
        due = None if state is None else next_timer(state, before)
        if due is None:
            return
        _advance(catalog, verdict, contact, due)


def _advance(catalog: Catalog, verdict: Verdict, contact: str, occurrence: Occurrence) -> Advance:
    state = verdict.states.get(contact) or ContactState(contact=contact)
    result = advance(catalog, state, occurrence)
    verdict.states[contact] = result.state
    verdict.journal += result.journal
    verdict.commands += result.commands
    verdict.cancels += result.cancels
    return result
