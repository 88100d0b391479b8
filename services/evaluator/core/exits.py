"""Ends runs: by an event, by consent withdrawn, by a rule's time, or because their steps end."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

import msgspec

from services.evaluator.core.conditions import holds
from services.evaluator.core.draft import Draft
from services.evaluator.core.own_events import announce_exit
from services.evaluator.core.state import Passage, PendingCommand, Run
from shared.clock import DAY
from shared.journeys.model import ExitOnAudience, Journey, Reentry
from shared.messages.command import Cancel

CONSENT_REVOKED = "consent_revoked"
MAX_DURATION = "max_duration"
"""Reason of a run that lasted as long as its journey's ``invariants`` allow."""
SEND_FAILED = "send_failed"
"""Reason of a run that ends because no message of a send left (``on_fail: exit``)."""
LATEST_EVENT = DAY
"""An event later than this may enter a journey that the contact has left meanwhile."""
PASSAGES_AT_MOST = 500
"""Journeys and keys (orders, products) that are remembered as closed; the oldest go first."""
JOURNEY_STOPPED = "journey_stopped"
"""Reason of a run whose journey was stopped, or whose version is no longer in the catalogue."""
ENTRIES_AT_MOST = 1_000
"""The most entries that ``reentry.max`` counts, and so the most whose times are kept of one journey."""
ERROR = "error"
"""Reason of a run that raised, and of one that was not entered because it would have."""


def passage_key(journey: str, key: str) -> str:
    """Return the key under which a contact's passage through ``journey`` is kept."""
    return f"{journey}/{key}" if key else journey


def passage_of(journey: Journey, key: str) -> str:
    """Return where it is kept that a run of ``key`` is over: ``never`` closes the journey for every key."""
    return passage_key(journey.id, "" if journey.entry.reentry.mode == "never" else key)


def exit_run(draft: Draft, run: Run, reason: str, *, detail: dict[str, Any] | None = None) -> None:
    """End ``run`` because something came between: its timers go and its unsettled commands are cancelled."""
    _end(draft, run, reason, detail or {})
    _cancel_commands(draft, run)


def end_run(draft: Draft, run: Run, reason: str) -> None:
    """End ``run`` because its steps say so; what it decided to send on the way is still sent.

    While that is not settled the run's exit rules go on watching over it.
    """
    _end(draft, run, reason, {})
    if any(command.run_id == run.run_id for command in draft.pending):
        others = (ended for ended in draft.ended if ended.run_id != run.run_id)
        draft.ended = (*others, msgspec.structs.replace(run, timers=()))


def _end(draft: Draft, run: Run, reason: str, detail: dict[str, Any]) -> None:
    draft.drop(run)
    plan = draft.catalog.plan(run.journey, run.version)
    if plan is not None:
        _close(draft, plan.journey.entry.reentry, passage_of(plan.journey, run.key))
    draft.note_run("exited", run, step=run.step, reason=reason, detail=detail)
    announce_exit(draft, run, reason)


def _close(draft: Draft, reentry: Reentry, key: str) -> None:
    """Remember from when on the contact may enter again, and forget what is long over.

    Without a cooldown that is now: an event from before now that comes late does not let it in again.
    """
    if reentry.mode == "always" and not reentry.cooldown:
        return
    again_at = None if reentry.mode in ("never", "per_key") else draft.now + reentry.cooldown
    known = draft.passages
    over = draft.now - LATEST_EVENT
    kept = {name: one for name, one in known.items() if name != key and (one.again_at is None or one.again_at > over)}
    kept[key] = Passage(draft.now, again_at)
    # The last is the newest: every end is put behind the others. A journey weighs more than one of its keys.
    while len(kept) > PASSAGES_AT_MOST:
        del kept[next((name for name in kept if "/" in name), next(iter(kept)))]
    draft.passages = kept


def _cancel_commands(draft: Draft, run: Run) -> None:
    draft.ended = tuple(ended for ended in draft.ended if ended.run_id != run.run_id)
    for command in draft.pending:
        if command.run_id == run.run_id:
            cancel(draft, command, "exited")


def cancel(draft: Draft, command: PendingCommand, reason: Literal["exited", "no_consent", "suppressed"]) -> None:
    """Call ``command`` back, once: of two reasons the first stands."""
    if command.cancelled:
        return
    cancelled = msgspec.structs.replace(command, cancelled=True)
    draft.pending = tuple(cancelled if other is command else other for other in draft.pending)
    contact = command.contact or draft.contact
    called_back = Cancel(command_id=command.command_id, contact=contact, reason=reason, at=draft.log_time)
    draft.cancels = (*draft.cancels, called_back)


def exit_by_event(draft: Draft, name: str, *, only: Collection[str] | None = None) -> None:
    """End each run with an exit rule for the event being applied, unless it happened before the run was entered.

    ``only``: the ids of the runs that it is applied to; None: all.
    """
    for run in (*draft.runs.values(), *draft.ended):
        if draft.now < run.entered_at or (only is not None and run.run_id not in only):
            continue
        plan = draft.catalog.plan(run.journey, run.version)
        if plan is None:
            continue
        for rule, condition in plan.exits_at.get(name, plan.exits_asked):
            if condition is None or holds(condition, draft.scope(run)):
                _regret(draft, run)
                exit_any(draft, run, rule.reason)
                break


def exit_by_audience(draft: Draft, audience: str) -> None:
    """End each run with an exit rule for leaving ``audience``; one that was entered later than now, at its entry."""
    now = draft.now
    for run in (*draft.runs.values(), *draft.ended):
        plan = draft.catalog.plan(run.journey, run.version)
        rules = () if plan is None else plan.journey.exits
        rule = next((rule for rule in rules if isinstance(rule, ExitOnAudience) and rule.audience == audience), None)
        if rule is not None:
            draft.now = max(now, run.entered_at)
            _regret(draft, run)
            exit_any(draft, run, rule.reason)
            draft.now = now


def exit_by_consent(
    draft: Draft, topic: str, channel: str | None = None, *, only: Collection[str] | None = None
) -> None:
    """Stop what has lost the contact's consent for ``topic``: on all channels, or on one.

    On all, each marketing run of the topic ends. Unsettled messages that need this consent and may leave by such a
    channel are cancelled, also those that a step of a run of another topic sent; that run goes on. ``only``: the ids of
    the runs that it concerns; None: all.
    """
    for run in (*draft.runs.values(), *draft.ended) if channel is None else ():
        if only is not None and run.run_id not in only:
            continue
        plan = draft.catalog.plan(run.journey, run.version)
        policy = None if plan is None else plan.journey.policy
        if policy and policy.purpose == "marketing" and policy.topic == topic:
            exit_any(draft, run, CONSENT_REVOKED)
    for command in draft.pending if only is None else [one for one in draft.pending if one.run_id in only]:
        if command.topic == topic and (channel is None or channel in command.channels):
            cancel(draft, command, "no_consent")


def exit_stopped(draft: Draft, *, only: Collection[str] | None = None) -> None:
    """End each run of a journey that was stopped after it was entered; ``only``: of those of these ids."""
    for run in (*draft.runs.values(), *draft.ended):
        if only is not None and run.run_id not in only:
            continue
        stopped = draft.catalog.stopped.get(run.journey)
        if stopped is not None and run.entered_at <= stopped:
            exit_any(draft, run, JOURNEY_STOPPED)


def exit_any(draft: Draft, run: Run, reason: str) -> None:
    """End ``run``; of one that ended by itself only the unsettled commands are left to cancel."""
    if run.run_id in draft.runs:
        exit_run(draft, draft.runs[run.run_id], reason)
    else:
        _cancel_commands(draft, run)


def _regret(draft: Draft, run: Run) -> None:
    for touch in draft.touches:
        if touch.run_id == run.run_id and touch.at > draft.now:
            draft.note_run("regret", run, step=touch.step, command_id=touch.command_id, reason="late_event")
