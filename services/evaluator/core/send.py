"""Decides on a message and makes its command."""

from __future__ import annotations

from typing import Any

from services.evaluator.core.catalog import Plan
from services.evaluator.core.draft import Draft
from services.evaluator.core.exits import LATEST_EVENT, exit_run
from services.evaluator.core.experiments import judged
from services.evaluator.core.gates import Verdict, judge
from services.evaluator.core.local_time import contact_zone
from services.evaluator.core.marks import unmarked
from services.evaluator.core.state import PendingCommand, Run, SentMark, Timer, Touch
from shared.clock import DAY
from shared.ids import command_id
from shared.journeys.locales import pick_locale
from shared.journeys.model import Send
from shared.journeys.sending import Policy
from shared.journeys.times import CONTACT
from shared.messages.command import Hours, OnAmbiguous, SendCommand
from shared.walltime.zones import local

REGRET_WINDOW = DAY
"""How long a send can be regretted when its journey has no goal that looks back further."""


def send(draft: Draft, plan: Plan, run: Run, step: Send) -> bool:
    """Decide on the message of ``step``: a command, a skip, a deferral or the end. True: the run goes on at once."""
    verdict = judge(draft, run, plan.journey.policy, step)
    match verdict.action:
        case "defer":
            _defer(draft, run, step, verdict)
            return False
        case "send":
            _emit(draft, plan, run, step, verdict)
        case "skip" | "exit":
            draft.note_run("skip", run, step=step.id, reason=verdict.reason, checks=verdict.checks)
    if verdict.action == "exit":
        exit_run(draft, draft.runs[run.run_id], verdict.reason)
        return False
    draft.change(draft.runs[run.run_id], tried_at=None)
    return True


def _defer(draft: Draft, run: Run, step: Send, verdict: Verdict) -> None:
    tried_at = draft.now if run.tried_at is None else run.tried_at
    run = draft.change(run, tried_at=tried_at)
    draft.arm(run, Timer(verdict.until, "send", step.id))
    draft.note_run(
        "deferred", run, step=step.id, reason=verdict.reason, checks=verdict.checks, next_timer_at=verdict.until
    )


def _emit(draft: Draft, plan: Plan, run: Run, step: Send, verdict: Verdict) -> None:
    command = _command(draft, plan, run, step, verdict)
    channel, policy = command.channels[0], plan.journey.policy
    draft.commands = (*draft.commands, command)
    decided = PendingCommand(command.command_id, run.run_id, run.journey, run.version, step.id)
    draft.pending = (*(other for other in draft.pending if other.command_id != decided.command_id), decided)
    until = draft.now + max(plan.goal_window, REGRET_WINDOW)
    touch = Touch(
        command.command_id,
        run.run_id,
        run.journey,
        run.version,
        step.id,
        draft.now,
        until,
        variants=judged(plan, run) if run.variants else {},
    )
    draft.touches = (*draft.touches, touch)
    if policy.purpose == "marketing" and draft.catalog.cap_window:
        oldest = draft.now - draft.catalog.cap_window - LATEST_EVENT  # a late event looks back from its own time
        kept = (mark for mark in draft.sent if mark.at > oldest)
        draft.sent = (*kept, SentMark(command.command_id, draft.now, run.journey, channel, policy.topic))
    draft.change(run, sends=run.sends + 1, marks=unmarked(run, step.id))
    detail = {"variants": run.variants} if run.variants else {}
    draft.note_run(
        "send",
        run,
        step=step.id,
        channel=channel,
        command_id=command.command_id,
        checks=verdict.checks,
        detail=detail,
    )


def _command(draft: Draft, plan: Plan, run: Run, step: Send, verdict: Verdict) -> SendCommand:
    policy = plan.journey.policy
    traits = draft.traits
    texts = pick_locale(step.template, traits.get("locale"), draft.catalog.locale)
    first = draft.now if run.tried_at is None else run.tried_at
    name = command_id(run.run_id, step.id, run.visits[step.id])
    return SendCommand(
        command_id=name,
        contact=draft.contact,
        run_id=run.run_id,
        journey=run.journey,
        version=run.version,
        step=step.id,
        channels=tuple(verdict.channels),
        addresses={str(channel): place for channel, place in verdict.channels.items()},
        content={channel: texts[channel] for channel in verdict.channels},
        data=_data(draft, run, step.id, name),
        purpose=policy.purpose,
        on_ambiguous=_on_ambiguous(policy),
        decided_at=draft.log_time,
        topic=policy.topic,
        expires_at=None if step.expires is None else first + step.expires,
        hours=_hours(draft, policy),
    )


def _hours(draft: Draft, policy: Policy) -> tuple[Hours, ...]:
    """Return the hours that the dispatcher asks again, in the contact's zone as it is known now."""
    if policy.purpose != "marketing":
        return ()
    traits, workspace = draft.traits, draft.catalog.zone
    found = []
    if (quiet := policy.quiet_hours) is not None:
        zone = contact_zone(quiet.timezone, traits, workspace, quiet.fallback_timezone).key
        found.append(
            Hours(
                reason="quiet_hours",
                start=quiet.start,
                end=quiet.end,
                zone=zone,
                when_closed=quiet.when_quiet,
                spread=quiet.spread,
            )
        )
    if (window := policy.send_window) is not None:
        zone = contact_zone(window.timezone, traits, workspace).key
        found.append(
            Hours(
                reason="outside_window",
                start=window.start,
                end=window.end,
                zone=zone,
                when_closed=window.when_outside,
                days=window.days,
            )
        )
    return tuple(found)


def _on_ambiguous(policy: Policy) -> OnAmbiguous:
    if policy.on_ambiguous is not None:
        return policy.on_ambiguous
    return "hold" if policy.purpose == "marketing" else "retry"


def _data(draft: Draft, run: Run, step: str, command: str) -> dict[str, Any]:
    """Return what the texts may refer to (shared.rendering.ROOTS); ``now`` is on the contact's clock."""
    where = contact_zone(CONTACT, draft.traits, draft.catalog.zone)
    return {
        "contact": {**draft.traits, "id": draft.contact.partition(":")[2]},
        "event": run.event,
        "context": run.context,
        "journey": {"id": run.journey, "version": run.version},
        "message": {"id": command, "step": step, "timezone": where.key},
        "now": local(draft.now, where).isoformat(timespec="milliseconds"),
    }
