"""What ``call`` asks of a connector, and what its answer changes: the run that waits for it has it in its context."""

from __future__ import annotations

from services.evaluator.core.conditions import values_of
from services.evaluator.core.draft import Draft
from services.evaluator.core.state import PendingCommand, Run, Timer
from shared.ids import command_id
from shared.journeys.model import Call
from shared.messages.answer import Answer
from shared.messages.command import CallCommand, Purpose

TIMEOUT = "timeout"
"""Reason of a call that nobody answered in time."""
LATE = "late_answer"
"""Reason of an answer that came when its run had gone on without it."""


def call(draft: Draft, run: Run, step: Call, purpose: Purpose) -> None:
    """Ask the connector; the run stays until it answers or the time is up.

    The time counts from when the call was decided in the log, not from an event of long ago that led to it.
    """
    asked = CallCommand(
        command_id=command_id(run.run_id, step.id, run.visits[step.id]),
        contact=draft.contact,
        run_id=run.run_id,
        journey=run.journey,
        version=run.version,
        step=step.id,
        connector=step.connector,
        arguments=values_of(step.arguments, draft.scope(run, own=True)),
        purpose=purpose,
        decided_at=draft.log_time,
        expires_at=draft.log_time + step.timeout,
    )
    draft.commands = (*draft.commands, asked)
    waiting = PendingCommand(asked.command_id, run.run_id, run.journey, run.version, step.id)
    draft.pending = (*draft.pending, waiting)
    run = draft.change(run, asked=asked.command_id)
    draft.arm(run, Timer(asked.expires_at, "step", step.id))
    detail = {"connector": step.connector}
    draft.note_run("call", run, step=step.id, command_id=asked.command_id, detail=detail)


def give_up(draft: Draft, run: Run, step: Call) -> Run:
    """Wait no more: nobody answered. The call stays unsettled until the dispatcher says what became of it."""
    draft.note_run("answered", run, step=step.id, command_id=run.asked, reason=TIMEOUT)
    return draft.change(run, asked="")


def settle_answer(draft: Draft, answer: Answer) -> None:
    """Take note of ``answer``. One to a call that is not pending (settled already) is noted nowhere."""
    unsettled = tuple(command for command in draft.pending if command.command_id != answer.command_id)
    if len(unsettled) == len(draft.pending):
        return
    draft.pending = unsettled
    if all(command.run_id != answer.run_id for command in unsettled):
        draft.ended = tuple(run for run in draft.ended if run.run_id != answer.run_id)
    draft.note(
        "answered",
        answer.journey,
        answer.version,
        run=answer.run_id,
        step=answer.step,
        command_id=answer.command_id,
        reason=answer.error or (None if awaiting(draft, answer) else LATE),
        detail={"detail": answer.detail} if answer.detail else {},
    )


def awaiting(draft: Draft, answer: Answer) -> Run | None:
    """Return the run that waits for ``answer``, or None when none does any more."""
    run = draft.runs.get(answer.run_id)
    return run if run is not None and run.asked == answer.command_id else None
