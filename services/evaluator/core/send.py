"""Decides on a message and makes its command."""

from __future__ import annotations

from typing import Any

from services.evaluator.core.addresses import addresses
from services.evaluator.core.catalog import Plan
from services.evaluator.core.conditions import value_of, values_of
from services.evaluator.core.consent import may_be_tracked
from services.evaluator.core.draft import Draft
from services.evaluator.core.exits import LATEST_EVENT, SEND_FAILED, end_run, exit_run
from services.evaluator.core.experiments import judged
from services.evaluator.core.gates import Verdict, judge
from services.evaluator.core.local_time import contact_zone
from services.evaluator.core.marks import unmarked
from services.evaluator.core.messages import message_id, note_message
from services.evaluator.core.parts import message_ids
from services.evaluator.core.state import Message, PendingCommand, Run, SentMark, Timer, Touch, visit_key
from shared.clock import DAY
from shared.ids import address_tag, command_id
from shared.journeys.locales import pick_locale
from shared.journeys.model import Notify, Send
from shared.journeys.predicate import Channel, Expression
from shared.journeys.sending import Policy
from shared.journeys.times import CONTACT
from shared.messages.command import Hours, OnAmbiguous, SendCommand
from shared.messages.contact import MessageStatus
from shared.walltime.zones import local

REGRET_WINDOW = DAY
"""How long a send can be regretted when its journey has no goal that looks back further."""
TOUCHES_AT_MOST = 200
"""Messages of one contact that goals and regrets can come back to, 110 bytes of its row each; the oldest go first. Else
who gets thousands would make each of its events dearer, and fill its row."""


def send(draft: Draft, plan: Plan, run: Run, step: Send) -> bool:
    """Decide on the messages of ``step``: commands, skips, deferrals or the end. True: the run goes on at once.

    ``mode: all`` decides on each channel by itself; the run goes on when all are decided. What was deferred is asked
    for again when its own time has come.
    """
    key = visit_key(step.id, run.visits[step.id])
    if step.on_fail == "exit" and run.tried_at is None:
        run = draft.change(run, undelivered={**run.undelivered, key: 0})
    asked = run.deferred or dict.fromkeys(_parts(draft, step), draft.now)
    waiting = {part: until for part, until in asked.items() if until > draft.now}
    for part in (part for part in asked if part not in waiting and part in ("", *step.channels)):
        run = draft.runs[run.run_id]
        verdict = judge(draft, plan, run, step, _channels(draft, step, part))
        match verdict.action:
            case "defer":
                waiting[part] = verdict.until
                _tell(draft, run, part, "deferred", verdict.reason)
                draft.note_run("deferred", run, **_told(step, part, verdict), next_timer_at=verdict.until)
            case "send":
                _emit(draft, plan, run, step, part, verdict)
            case "skip" | "exit":
                _tell(draft, run, part, "skipped", verdict.reason)
                draft.note_run("skip", run, **_told(step, part, verdict))
        if verdict.reason == "held_out":  # who is held out goes the way of those who are not
            draft.change(run, undelivered=_without(run.undelivered, key))
        if verdict.action == "exit":
            exit_run(draft, run, verdict.reason)
            return False
    run = draft.runs[run.run_id]
    if waiting:
        tried_at = draft.now if run.tried_at is None else run.tried_at
        run = draft.change(run, tried_at=tried_at, deferred=waiting if step.mode == "all" else {})
        draft.arm(run, Timer(min(waiting.values()), "send", step.id))
        return False
    run = draft.change(run, tried_at=None, deferred={})
    if run.undelivered.get(key) == 0:
        end_run(draft, run, SEND_FAILED)
        return False
    return True


def _parts(draft: Draft, step: Send) -> tuple[str, ...]:
    """Return what tells the messages of ``step`` apart in their ids: their channel, or nothing where there is one."""
    if step.mode != "all":
        return ("",)
    return tuple(addresses(draft.traits, step.channels)) or ("",)


def _channels(draft: Draft, step: Send, part: str) -> tuple[Channel, ...]:
    """Return the channels to try for the message ``part``, best first."""
    if part:
        return tuple(channel for channel in step.channels if channel == part)
    if step.mode != "preferred":
        return step.channels
    wanted = draft.traits.get("preferred_channel")
    return tuple(sorted(step.channels, key=lambda channel: channel != wanted))


def _told(step: Send, part: str, verdict: Verdict) -> dict[str, Any]:
    """Return what the journal says of a message that was not decided to leave now."""
    return {
        "step": step.id,
        "channel": part or None,
        "reason": verdict.reason,
        "checks": verdict.checks,
        "detail": verdict.detail,
    }


def _tell(draft: Draft, run: Run, part: str, status: MessageStatus, reason: str) -> None:
    """Keep for the profile what became of the message ``part``."""
    message = Message(message_id(run, part), run.journey, run.step, status, draft.now, part, reason)
    note_message(draft, message)


def _without(known: dict[str, int], key: str) -> dict[str, int]:
    return {name: count for name, count in known.items() if name != key}


def _emit(draft: Draft, plan: Plan, run: Run, step: Send, part: str, verdict: Verdict) -> None:
    command = _command(draft, plan, run, step, part, verdict)
    channel, policy, visit = command.channels[0], plan.policy(step), run.visits[step.id]
    topic = policy.topic if policy.purpose == "marketing" else None
    draft.commands = (*draft.commands, command)
    decided = PendingCommand(
        command.command_id,
        run.run_id,
        run.journey,
        run.version,
        step.id,
        visit=visit,
        channels=command.channels,
        topic=topic,
        places=tuple(address_tag(name, command.addresses[name]) for name in command.channels),
    )
    draft.pending = (*(other for other in draft.pending if other.command_id != decided.command_id), decided)
    # Of several messages of one send the first makes those of an earlier visit forgotten.
    ids = message_ids(run, step) if run.marks else frozenset()
    marks = run.marks if any(other.command_id in ids for other in draft.touches) else unmarked(run, step.id)
    until = draft.now + max(plan.goal_window, REGRET_WINDOW, plan.min_gap)
    touch = Touch(
        command.command_id,
        run.run_id,
        run.journey,
        run.version,
        step.id,
        draft.now,
        until,
        credited=next((other.credited for other in draft.touches if other.run_id == run.run_id), ()),
        variants=judged(plan, run) if run.variants else {},
    )
    draft.touches = (*draft.touches, touch)[-TOUCHES_AT_MOST:]
    if policy.purpose == "marketing" and draft.catalog.cap_window:
        oldest = draft.now - draft.catalog.cap_window - LATEST_EVENT  # a late event looks back from its own time
        kept = (mark for mark in draft.sent if mark.at > oldest)
        draft.sent = (*kept, SentMark(command.command_id, draft.now, run.journey, channel, policy.topic))
    key = visit_key(step.id, visit)
    undelivered = {**run.undelivered, key: run.undelivered[key] + 1} if key in run.undelivered else run.undelivered
    draft.change(run, sends=run.sends + 1, undelivered=undelivered, marks=marks)
    note_message(draft, Message(command.command_id, run.journey, step.id, "pending", draft.now, channel))
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


def _command(draft: Draft, plan: Plan, run: Run, step: Send, part: str, verdict: Verdict) -> SendCommand:
    policy = plan.policy(step)
    own = step.locale
    if isinstance(own, Expression):
        own = value_of(own, draft.scope(run, own=True))
    texts = pick_locale(step.template, own, draft.traits.get("locale"), draft.catalog.locale)
    first = draft.now if run.tried_at is None else run.tried_at
    name = command_id(run.run_id, step.id, run.visits[step.id], part)
    tracked = policy.tracking != "none" and may_be_tracked(draft.consent, required=draft.catalog.tracking.required)
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
        data=message_data(draft, run, step, name),
        purpose=policy.purpose,
        on_ambiguous=_on_ambiguous(policy),
        decided_at=draft.log_time,
        topic=policy.topic,
        expires_at=None if step.expires is None else first + step.expires,
        hours=_hours(draft, policy),
        tracked=tracked,
        utm=policy.utm,
        text_tracked=tracked and policy.tracking == "with_text",
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


def message_data(draft: Draft, run: Run, step: Send | Notify, command: str) -> dict[str, Any]:
    """Return what the texts may refer to (shared.rendering.ROOTS); ``now`` is on the contact's clock."""
    where = contact_zone(CONTACT, draft.traits, draft.catalog.zone)
    found = {
        "contact": {**draft.traits, "id": draft.contact.partition(":")[2]},
        "event": run.event,
        "context": run.context,
        "journey": {"id": run.journey, "version": run.version},
        "message": {"id": command, "step": step.id, "timezone": where.key},
        "now": local(draft.now, where).isoformat(timespec="milliseconds"),
    }
    if isinstance(step, Send) and step.data:
        found["data"] = values_of(step.data, draft.scope(run, own=True))
    return found
