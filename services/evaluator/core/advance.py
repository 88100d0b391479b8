"""The engine's one entrance: what happens to a contact, and what follows from it."""

from __future__ import annotations

from typing import assert_never

import msgspec

from services.evaluator.core.adoption import adopt, backfill, is_behind
from services.evaluator.core.applied_ids import number_of_id
from services.evaluator.core.audiences import (
    adopt_audiences,
    judge_all,
    judge_by_event,
    judge_by_time,
    watches_audience,
)
from services.evaluator.core.calls import settle_answer
from services.evaluator.core.catalog import Catalog, Plan
from services.evaluator.core.consent import is_revoked, stated_channel
from services.evaluator.core.coordinator import coordinate
from services.evaluator.core.dates import follow_merge, follow_traits, occur
from services.evaluator.core.draft import Draft
from services.evaluator.core.duplicates import remembered, repeat
from services.evaluator.core.effects import Advance, Remark
from services.evaluator.core.entry import enter_by_enrolment, enter_by_watch, take_reply
from services.evaluator.core.exits import ERROR, JOURNEY_STOPPED, MAX_DURATION, exit_by_consent, exit_run
from services.evaluator.core.feedback import FEEDBACK, complete_feedback
from services.evaluator.core.goals import CLICKED, note_click
from services.evaluator.core.handover import forwarded_to, hand_over, take_over
from services.evaluator.core.happening import follow_edges, happen
from services.evaluator.core.history import note_activity, note_history
from services.evaluator.core.links import ask_again, is_link, keep_for_links, kept_answer, names_visitor
from services.evaluator.core.marks import BECAME, note_marks
from services.evaluator.core.migration import migrate_runs
from services.evaluator.core.occurrence import Adopted, EventArrived, Occurrence, TimerDue
from services.evaluator.core.own_events import chain_of
from services.evaluator.core.profile import apply_consent, apply_profile, event_data
from services.evaluator.core.quiet import is_quiet
from services.evaluator.core.recent import with_event
from services.evaluator.core.settle import settle
from services.evaluator.core.state import ContactState, Run, Timer, Watch
from services.evaluator.core.steps import due_order, take_answer, wake
from services.evaluator.core.suppression import ABOUT_ADDRESS, note_feedback
from services.evaluator.core.thresholds import crosses_by_time, watches_threshold
from services.evaluator.core.tracking import exit_untracked, may_track, refuse_untracked
from shared.ids import short_hash
from shared.journeys.model import TRACKING, ExitAfter
from shared.messages.answer import Answer
from shared.messages.coordination import Ask, Conversion, Reply
from shared.messages.enrolment import Enrolment
from shared.messages.event import HOPS, Event
from shared.messages.identity import Handover, Link
from shared.messages.outcome import Outcome


def advance(catalog: Catalog, state: ContactState, occurrence: Occurrence) -> Advance:
    """Return the contact's next state and what follows. Changes none of its arguments.

    Twice with the same event: the second is a ``duplicate``, and nothing follows but that the journal says so.
    """
    match occurrence:
        case EventArrived():
            return _event(catalog, state, occurrence)
        case TimerDue():
            return _timer(catalog, state, occurrence)
        case Adopted():
            draft = Draft(catalog, state, now=occurrence.at, log_time=occurrence.at, cause=f"adopted:{catalog.number}")
            migrate_runs(draft)
            adopt(draft)
            adopt_audiences(draft)
            backfill(draft)
            follow_edges(draft)
            follow_traits(draft, state.traits)
            return draft.finish()
        case _:
            assert_never(occurrence)


def next_own(catalog: Catalog, state: ContactState, before: int, *, since: int) -> TimerDue | Adopted | None:
    """Return what happens to the contact next of its own accord before ``before``, or None.

    ``since`` is when the catalogue came to be: what was due before goes first, what it arms comes after.
    """
    if not is_behind(catalog, state):
        return next_timer(state, before)
    return next_timer(state, since) or Adopted(since)


def next_timer(state: ContactState, before: int) -> TimerDue | None:
    """Return the timer to fire next of those due before ``before``, or None."""
    found: tuple[Run, Timer] | None = None
    for run in state.runs:
        for timer in run.timers:
            if timer.due < before and (found is None or due_order(run, timer) < due_order(*found)):
                found = run, timer
    watch = min(state.watches.values(), key=_watch_order, default=None) if state.watches else None
    if watch is not None and watch.due < before and (found is None or _watch_order(watch) < due_order(*found)):
        return TimerDue("", watch.journey, Timer(watch.due, "watch", watch.key))
    return None if found is None else TimerDue(found[0].run_id, found[0].journey, found[1])


def _watch_order(watch: Watch) -> tuple[int, str, str, str]:
    return watch.due, watch.journey, "", watch.key


def abandon(catalog: Catalog, state: ContactState, due: TimerDue | Adopted) -> Advance:
    """Return the state without the run whose timer raised: one bad run harms itself only.

    A contact that cannot adopt the catalogue goes on with what it had.
    """
    if isinstance(due, Adopted):
        return Advance(state=msgspec.structs.replace(state, adopted=catalog.number))
    draft = _timer_draft(catalog, state, due)
    if due.timer.kind == "watch":
        draft.unwatch(due.timer.step, fired=True)
    else:
        exit_run(draft, draft.runs[due.run_id], ERROR)
    return draft.finish()


def _event(catalog: Catalog, state: ContactState, occurrence: EventArrived) -> Advance:
    record = occurrence.record
    hashed = short_hash(record.message_id)
    known = number_of_id(state.ids, hashed)
    if known is not None:
        return repeat(catalog, state, known, occurrence)
    log_time = occurrence.log_time
    ids, forgets = remembered(state.ids, hashed, record, log_time)
    remarks: tuple[Remark, ...] = ("forgotten_id",) if forgets else ()
    if isinstance(record, Event) and is_quiet(catalog, state, record, log_time):
        lately = with_event(state.lately, record.name, occurrence.at)
        return Advance(state=msgspec.structs.replace(state, ids=ids, lately=lately), remarks=remarks)
    draft = Draft(catalog, state, now=occurrence.at, log_time=log_time, cause=record.message_id)
    draft.ids, draft.remarks = ids, remarks
    if draft.forward is not None and (to := forwarded_to(draft, record)) is not None:
        draft.post(to, record)
        return draft.finish()
    if catalog.adopting:
        migrate_runs(draft)
    match record:
        case Outcome() | Event() | Answer():
            _behaviour(draft, record)
        case Link():
            hand_over(draft, record)
        case Handover():
            _take_over(draft, record)
        case Ask() | Conversion():
            coordinate(draft, record)
        case Reply():
            take_reply(draft, record)
        case Enrolment():
            # No event that anything counts or waits for: it starts a run and does nothing else.
            draft.event = event_data(record)
            draft.hops, draft.hops_since = record.hops, record.hops_since
            enter_by_enrolment(draft, record)
        case _:
            assert_never(record)
    follow_edges(draft)
    follow_traits(draft, state.traits)
    return draft.finish()


def _take_over(draft: Draft, answer: Handover) -> None:
    take_over(draft, answer)
    follow_merge(draft)
    judge_all(draft)


def _behaviour(draft: Draft, record: Event | Outcome | Answer) -> None:
    """Apply what somebody did or what became of it. What its name, or an empty row, rules out is not even asked."""
    name, catalog, first_sight = record.name, draft.catalog, False
    draft.event = event_data(record)
    if isinstance(record, Event):
        first_sight = not draft.lately.packed
        if not _admit(draft, record):
            return
    if name in catalog.history:
        note_history(draft, name)
    if name in BECAME:
        note_marks(draft, record)
    match record:
        case Event():
            _learn(draft, record)
        case Outcome():
            settle(draft, record)
        case Answer():
            settle_answer(draft, record)
        case _:
            assert_never(record)
    if name == CLICKED:
        note_click(draft)
    judge_by_event(draft, name, first_sight=first_sight)
    happen(draft, name, first_sight=first_sight)
    if isinstance(record, Answer):
        take_answer(draft, record)
    if first_sight and catalog.number:
        adopt(draft)
        backfill(draft, first_sight=True)


def _admit(draft: Draft, event: Event) -> bool:
    """Take ``event`` in as one of the contact's; False: it may not be tracked, so nothing of it is applied."""
    if not may_track(draft, event):
        refuse_untracked(draft, event)
        return False
    draft.historical = event.historical
    if event.late:
        draft.remark("late")
    if event.name in FEEDBACK:
        complete_feedback(draft)
    draft.lately = with_event(draft.lately, event.name, draft.now)
    return True


def _learn(draft: Draft, event: Event) -> None:
    """Keep what ``event`` says of the contact itself."""
    if HOPS in event.context:
        draft.hops, draft.hops_since = chain_of(event)
    apply_profile(draft, event)
    if draft.catalog.asks_online:
        note_activity(draft, event)
    if draft.links or names_visitor(event):
        keep_for_links(draft, event)
    if event.type == "consent" and apply_consent(draft, event) and is_revoked(event):
        _lose_consent(draft, str(event.properties.get("topic")), stated_channel(event))
    if event.name in ABOUT_ADDRESS:
        note_feedback(draft, event.name)


def _lose_consent(draft: Draft, topic: str, channel: str | None) -> None:
    if topic == TRACKING and channel is None:
        exit_untracked(draft)
    else:
        exit_by_consent(draft, topic, channel)


def _timer(catalog: Catalog, state: ContactState, due: TimerDue) -> Advance:
    draft = _timer_draft(catalog, state, due)
    migrate_runs(draft)
    if due.timer.kind == "watch":
        _fire_watch(draft, due.timer.step)
    else:
        _fire_timer(draft, due)
    follow_edges(draft)
    follow_traits(draft, state.traits)
    return draft.finish()


def _fire_watch(draft: Draft, key: str) -> None:
    watch = draft.watches[key]
    draft.unwatch(key, fired=True)
    if watches_audience(key):
        judge_by_time(draft, watch)
    elif watches_threshold(key):
        if crosses_by_time(draft, watch):
            enter_by_watch(draft, watch)
    elif is_link(watch):
        answer = kept_answer(draft, watch)
        if answer is None:
            ask_again(draft, watch)
        else:
            _take_over(draft, answer)
    elif watch.occurrence:
        occur(draft, watch)
    else:
        enter_by_watch(draft, watch)


def _fire_timer(draft: Draft, due: TimerDue) -> None:
    run = draft.runs.get(due.run_id)
    if run is None or due.timer not in run.timers:  # its journey's new version ended it or has other times
        return
    plan = draft.catalog.plan(run.journey, run.version)
    if plan is None:
        exit_run(draft, run, JOURNEY_STOPPED)
    elif due.timer.kind == "exit":
        run = draft.disarm(run, "exit", fired=True)
        exit_run(draft, run, _reason(plan, due.timer))
    else:
        wake(draft, plan, run, due.timer)


def _reason(plan: Plan, timer: Timer) -> str:
    if timer.step == MAX_DURATION:
        return MAX_DURATION
    rule = plan.journey.exits[int(timer.step)]
    return rule.reason if isinstance(rule, ExitAfter) else JOURNEY_STOPPED


def _timer_draft(catalog: Catalog, state: ContactState, due: TimerDue) -> Draft:
    cause = f"timer:{due.run_id}:{due.timer.step}:{due.timer.due}"
    return Draft(catalog, state, now=due.timer.due, log_time=due.timer.due, cause=cause)
