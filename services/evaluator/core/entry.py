"""Lets contacts into journeys, or says why not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, assert_never

import msgspec

from services.evaluator.core.audience_index import Edge
from services.evaluator.core.catalog import Dated, EntryTrigger, Plan, watched_key
from services.evaluator.core.conditions import holds, kept_value_of, value_of
from services.evaluator.core.draft import NO_EVENT, Draft
from services.evaluator.core.exits import ERROR, exit_run, passage_of
from services.evaluator.core.line import called, in_line, is_coordinated, join_line, line_key
from services.evaluator.core.own_events import announce_entry
from services.evaluator.core.state import OCCURRENCE, Run, Watch
from services.evaluator.core.steps import exit_timers, hear_way, proceed
from services.evaluator.core.thresholds import crosses, watches_threshold
from shared.ids import run_id
from shared.journeys.model import (
    ApiTrigger,
    AudienceTrigger,
    DateTrigger,
    EventTrigger,
    Journey,
    JourneyTrigger,
    ThresholdTrigger,
    Window,
)
from shared.messages.coordination import Reply
from shared.messages.enrolment import ENROLMENT, Enrolment

RESTARTED = "restarted"
"""Reason of a run that a new trigger replaced (``on_retrigger: restart``)."""
_DATE = len("2026-05-17")

_Trigger = EntryTrigger | AudienceTrigger
_Triggered = tuple[Plan, int, _Trigger]


def enter_by_event(draft: Draft, name: str, edge: Edge | None = None) -> None:
    """Enter each journey that the event being applied triggers, the highest priority first.

    One that raises is not entered; the event still does to the others what it should. ``edge`` is what an event of our
    own tells of; one from outside that has its name tells of none.
    """
    triggered: Iterable[_Triggered] = draft.catalog.triggered_by.get(name, ())
    if edge is not None:
        triggered = sorted((*triggered, *draft.catalog.entered_by.get(edge, ())), key=_by_priority)
    for plan, _, trigger in triggered:
        before: tuple[object, ...] | None = None
        try:
            if trigger.where is None or holds(trigger.where, draft.scope()):
                before = draft.savepoint()
                _enter_by_trigger(draft, plan, trigger)
        except Exception as error:  # noqa: BLE001 - whatever one journey does, the others go on
            if before is not None:
                draft.rewind(before)
            _refuse(draft, plan, error)


def take_reply(draft: Draft, reply: Reply) -> None:
    """Take the answer of the journey as a whole: a turn to enter, or a way to go."""
    if reply.step:
        hear_way(draft, reply)
    elif (watch := called(draft, reply)) is not None:
        enter_by_watch(draft, watch)


def enter_by_watch(draft: Draft, watch: Watch) -> None:
    """Enter the journey of a watch that came due: its trigger is fulfilled, or it is the contact's turn."""
    plan = draft.catalog.newest.get(watch.journey)
    dated = draft.catalog.dated.get(watch.key)
    asked = in_line(watch) or watches_threshold(watch.key) or watched_key(watch.key) in draft.catalog.watching
    if plan is None and in_line(watch):
        known = [version for name, version in draft.catalog.plans if name == watch.journey]
        draft.note("not_entered", watch.journey, max(known, default=0), reason="journey_stopped")
    if plan is None or not (dated or asked):
        return
    draft.event = {OCCURRENCE: watch.occurrence[:_DATE]} if watch.occurrence else watch.event
    cause, draft.cause = draft.cause, watch.cause or draft.cause
    if in_line(watch):
        draft.hops, draft.hops_since = watch.hops, watch.hops_since
    before = draft.savepoint()
    try:
        if dated is None or _lets_in(draft, dated):
            _try_enter(draft, plan, max_age=None, is_turn=in_line(watch))
    except Exception as error:  # noqa: BLE001 - whatever one journey does, the others go on
        draft.rewind(before)
        _refuse(draft, plan, error)
    draft.cause = cause  # what follows from it follows now: runs by it are others than those by the first cause


def enter_by_backfill(draft: Draft, plan: Plan) -> None:
    """Enter a journey because the contact is in one of its audiences already, as ``backfill: current`` asks."""
    journey = plan.journey
    draft.event, draft.cause = NO_EVENT, f"backfill:{journey.id}@{journey.version}"
    before = draft.savepoint()
    try:
        if any(
            isinstance(trigger, AudienceTrigger)
            and trigger.edge == "entered"
            and draft.audiences.get(trigger.audience, False)
            and holds(trigger.where, draft.scope())
            for trigger in journey.triggers
        ):
            _try_enter(draft, plan, max_age=None)
    except Exception as error:  # noqa: BLE001 - whatever one journey does, the others go on
        draft.rewind(before)
        _refuse(draft, plan, error)


def _lets_in(draft: Draft, dated: Dated) -> bool:
    """Tell whether the trigger's own conditions hold at the occurrence; when they do not, nothing is noted."""
    trigger, scope = dated.trigger, draft.scope()
    audience = None if isinstance(trigger, DateTrigger) else trigger.audience
    return (audience is None or scope.known.audiences.get(audience, False)) and holds(trigger.where, scope)


def enter_by_enrolment(draft: Draft, enrolment: Enrolment) -> None:
    """Enter the journey that ``enrolment`` names. Whoever asked hears from the journal alone, so all is noted there."""
    plan = draft.catalog.newest.get(enrolment.journey)
    triggers = () if plan is None else plan.journey.triggers
    trigger = next((trigger for trigger in triggers if isinstance(trigger, ApiTrigger)), None)
    if plan is None or trigger is None:
        draft.note(
            "not_entered", enrolment.journey, 0 if plan is None else plan.journey.version, reason="unknown_journey"
        )
        return
    before = draft.savepoint()
    try:
        if holds(trigger.where, draft.scope()):
            _try_enter(draft, plan, max_age=None)
        else:
            draft.note("not_entered", plan.journey.id, plan.journey.version, reason="filter_false")
    except Exception as error:  # noqa: BLE001 - whatever one journey does, the contact's others go on
        draft.rewind(before)
        _refuse(draft, plan, error)


def _refuse(draft: Draft, plan: Plan, error: Exception) -> None:
    detail = {"error": type(error).__name__}
    draft.note("not_entered", plan.journey.id, plan.journey.version, reason=ERROR, detail=detail)


def refuse_loop(draft: Draft, edge: Edge) -> None:
    """Note that ``edge`` lets nobody enter: too many of them followed from one another."""
    for plan, _, _ in draft.catalog.entered_by.get(edge, ()):
        draft.note("not_entered", plan.journey.id, plan.journey.version, reason="audience_loop")


def _by_priority(found: _Triggered) -> tuple[int, str, int]:
    plan, number, _ = found
    return -plan.journey.entry.priority, plan.journey.id, number


def _enter_by_trigger(draft: Draft, plan: Plan, trigger: _Trigger) -> None:
    match trigger:
        case EventTrigger():
            _try_enter(draft, plan, max_age=trigger.max_age)
        case AudienceTrigger():
            _try_enter(draft, plan, max_age=None)
        case JourneyTrigger():
            ended = draft.event["properties"]
            if trigger.outcome in (None, ended.get("reason")) and ended.get("journey") == trigger.journey:
                _try_enter(draft, plan, max_age=None)
        case ThresholdTrigger():
            if crosses(draft, plan, trigger):
                own = draft.now
                draft.now = draft.noticed_at
                _try_enter(draft, plan, max_age=None)
                draft.now = own
        case _:
            assert_never(trigger)


def _try_enter(draft: Draft, plan: Plan, *, max_age: int | None, is_turn: bool = False) -> None:
    """Enter ``plan``, or note why not. What history makes true is nobody's entry, and noted nowhere."""
    if draft.historical:
        return
    journey = plan.journey
    key = _instance_key(draft, plan)
    if key is None:
        draft.note("not_entered", journey.id, journey.version, reason="filter_false")
        return
    once = journey.entry.reentry.mode == "never"
    runs = (run for run in draft.runs.values() if run.journey == journey.id)
    inside = next((run for run in runs if once or run.key == key), None)
    if inside is not None and journey.entry.on_retrigger == "update_context":
        draft.change(inside, context={**inside.context, **_context(draft, plan, inside)})
    reason = _refusal(draft, plan, max_age, key, inside)
    if reason is not None:
        draft.note("not_entered", journey.id, journey.version, reason=reason)
        return
    if is_coordinated(journey.entry) and not is_turn:
        join_line(draft, plan, key)
        return
    if inside is not None and journey.entry.reentry.mode != "always":
        exit_run(draft, inside, RESTARTED)
    _enter(draft, plan, key)


def _refusal(draft: Draft, plan: Plan, max_age: int | None, key: str, inside: Run | None) -> str | None:  # noqa: PLR0911 - one per reason
    """Return why the contact may not enter, the first reason in a fixed order; None: it may."""
    entry = plan.journey.entry
    if max_age is not None and draft.log_time - draft.now > max_age:
        return "too_old"
    stopped = draft.catalog.stopped.get(plan.journey.id)
    if stopped is not None and draft.now <= stopped:
        return "journey_stopped"
    if entry.window is not None and not _is_open(entry.window, draft.now):
        return "outside_entry_window"
    if inside is not None and entry.on_retrigger != "restart" and entry.reentry.mode != "always":
        return "already_inside"
    if line_key(plan.journey.id, key) in draft.watches:
        return "already_inside"
    # By another trigger that the same cause fulfils: a second run would have the same ids, and so its messages.
    if (entered := draft.entered) and run_id(draft.contact, plan.journey.id, key, draft.cause) in entered:
        return "already_inside"
    if entry.where is not None and not holds(entry.where, draft.scope()):
        return "filter_false"
    passage = draft.passages.get(passage_of(plan.journey, key))
    if passage is not None and inside is None and (passage.again_at is None or draft.now < passage.again_at):
        return "cooldown"
    if _has_entered_enough(draft, plan.journey):
        return "reentry_max"
    return None


def _has_entered_enough(draft: Draft, journey: Journey) -> bool:
    reentry = journey.entry.reentry
    if reentry.max is None:
        return False
    times = draft.entries.get(journey.id, ())
    return sum(1 for at in times if reentry.per is None or at > draft.now - reentry.per) >= reentry.max


def _count_entry(draft: Draft, journey: Journey) -> None:
    most = journey.entry.reentry.max
    if most is not None:
        times = sorted((*draft.entries.get(journey.id, ()), draft.now))
        draft.entries = {**draft.entries, journey.id: tuple(times[-most:])}


def _is_open(window: Window, now: int) -> bool:
    return (window.start is None or window.start <= now) and (window.end is None or now < window.end)


def _enter(draft: Draft, plan: Plan, key: str) -> None:
    journey = plan.journey
    run = Run(
        run_id=run_id(draft.contact, journey.id, key, draft.cause),
        journey=journey.id,
        version=journey.version,
        key=key,
        cause=draft.cause,
        entered_at=draft.now,
        step="",
        step_at=draft.now,
        visits={},
        context={},
        event=draft.event,
        hops=draft.hops,
        hops_since=draft.hops_since,
    )
    run = msgspec.structs.replace(run, context=_context(draft, plan, run))
    if journey.id in draft.catalog.asked_ever and journey.id not in draft.been:
        draft.been = (*draft.been, journey.id)
    draft.keep(run)
    _count_entry(draft, journey)
    draft.note_run("entered", run)
    announce_entry(draft, run)
    for timer in exit_timers(plan, draft.now):
        run = draft.arm(run, timer)
    proceed(draft, plan, run, plan.first)


def _instance_key(draft: Draft, plan: Plan) -> str | None:
    """Return the run's key; None when the event lacks the value that the journey is keyed by."""
    path = plan.journey.entry.key
    if path is None:
        return ""
    value = value_of(path, draft.scope())
    return None if value is None else str(value)


def _context(draft: Draft, plan: Plan, run: Run) -> dict[str, Any]:
    """Return what the journey's expressions make of the event; an enrolment gives what it begins with."""
    given: dict[str, Any] = draft.event["properties"] if draft.event.get("type") == ENROLMENT else {}
    if given:
        run = msgspec.structs.replace(run, context=given)
    scope = draft.scope(run)
    made = {name: kept_value_of(expression, scope) for name, expression in plan.journey.context.items()}
    return {**given, **made}
