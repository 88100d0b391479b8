"""The sequential oracle: what the pure core decides over a log, one contact after another, with no host at all.

Written apart from the processor on purpose: what both agree on is not agreed on by sharing code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

import msgspec

from services.evaluator.core.advance import abandon, advance, next_timer
from services.evaluator.core.catalog import UTC, Catalog, build_catalog
from services.evaluator.core.effects import Advance
from services.evaluator.core.occurrence import Applied, EventArrived
from services.evaluator.core.state import ContactState
from shared.ids import contact_key
from shared.journeys.model import Audience, Journey
from shared.log import LogRecord
from shared.messages import codec
from shared.messages.command import CallCommand, Cancel, SendCommand
from shared.messages.enrolment import Enrolment
from shared.messages.event import Event
from shared.messages.journal import JournalRecord
from shared.messages.outcome import Outcome, outcome_of
from shared.messages.topics import INCARNATION_KEY


class Verdict(msgspec.Struct):
    """Everything the core decided, in order, and the last state of each contact.

    ``places`` tells at which record of the log each command was decided, by number; past the last one: at the end.
    """

    journal: list[JournalRecord] = []
    commands: list[SendCommand] = []
    calls: list[CallCommand] = []
    cancels: list[Cancel] = []
    events: list[Event | Enrolment] = []
    states: dict[str, ContactState] = {}
    places: dict[str, int] = {}


def judge(
    journeys: Iterable[Journey],
    log: Sequence[LogRecord],
    *,
    until: int | None = None,
    zone: ZoneInfo = UTC,
    audiences: Iterable[Audience] = (),
) -> Verdict:
    """Return what the core decides over the records of one partition; ``until`` runs the log time on at the end.

    The log is all there is: what the core emits changes nothing unless it stands in the log, as a host puts it there.
    """
    catalog = build_catalog(journeys, zone, audiences)
    verdict = Verdict()
    log_time = 0
    for place, record in enumerate(log):
        log_time = max(log_time, record.timestamp)
        if record.key == INCARNATION_KEY:
            continue
        message = codec.EVENTS.decode(record.value)
        if record.key is None or not isinstance(message, Applied):
            continue
        contact = record.key.decode()
        _run_timers(catalog, verdict, contact, log_time)
        _take(verdict, advance(catalog, _state(verdict, contact), EventArrived(message, log_time)))
        _run_timers(catalog, verdict, contact, log_time)
        verdict.places |= {it.command_id: place for it in verdict.commands[len(verdict.places) :]}
    for contact in sorted(verdict.states):
        _run_timers(catalog, verdict, contact, log_time if until is None else until)
    verdict.places |= {it.command_id: len(log) for it in verdict.commands[len(verdict.places) :]}
    return verdict


def play(
    journeys: Sequence[Journey],
    log: Sequence[LogRecord],
    *,
    until: int | None = None,
    zone: ZoneInfo = UTC,
    audiences: Sequence[Audience] = (),
    deliver: bool = False,
) -> Verdict:
    """Return what the core decides over ``log`` when all that it emits joins the log one millisecond later.

    ``deliver``: and so does the outcome of each message, which is sent.
    """
    records = list(log)
    while True:
        verdict = judge(journeys, records, until=until, zone=zone, audiences=audiences)
        known = {record.value for record in records}
        fresh: list[tuple[int, bytes, Event | Enrolment | Outcome]] = [
            (event.received_at, codec.encode(event), event) for event in verdict.events
        ]
        if deliver:
            sent = [outcome_of(it, "sent", it.decided_at) for it in verdict.commands]
            fresh += [(outcome.at, codec.encode(outcome), outcome) for outcome in sent]
        new = sorted((it for it in fresh if it[1] not in known), key=lambda it: it[:2])
        if not new:
            return verdict
        at, value, event = new[0]
        key = event.contact if isinstance(event, Outcome) else contact_key(event.user_id, event.anonymous_id) or ""
        place = sum(1 for record in records if record.timestamp <= at)
        records.insert(place, LogRecord(len(records), at + 1, key.encode(), value))


def _state(verdict: Verdict, contact: str) -> ContactState:
    return verdict.states.get(contact) or ContactState(contact=contact)


def _run_timers(catalog: Catalog, verdict: Verdict, contact: str, before: int) -> None:
    while (due := next_timer(_state(verdict, contact), before)) is not None:
        try:
            result = advance(catalog, _state(verdict, contact), due)
        except Exception:  # noqa: BLE001 - a run that raises ends, and no other
            result = abandon(catalog, _state(verdict, contact), due)
        _take(verdict, result)


def _take(verdict: Verdict, result: Advance) -> None:
    verdict.states[result.state.contact] = result.state
    verdict.journal += result.journal
    verdict.commands += [command for command in result.commands if isinstance(command, SendCommand)]
    verdict.calls += [command for command in result.commands if isinstance(command, CallCommand)]
    verdict.cancels += result.cancels
    verdict.events += result.events
