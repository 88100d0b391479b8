"""Moves a run from step to step until one waits or the run ends."""

from __future__ import annotations

from typing import assert_never

from services.evaluator.core.catalog import Plan, resets
from services.evaluator.core.draft import Draft
from services.evaluator.core.exits import end_run
from services.evaluator.core.send import send
from services.evaluator.core.state import Run, Timer
from shared.journeys.model import Exit, ExitAfter, Send, Step, Wait

COMPLETED = "completed"
"""Reason of a run that went past its last step."""


def proceed(draft: Draft, plan: Plan, run: Run, step_id: str | None) -> None:
    """Enter ``step_id`` and those after it until one waits or the run ends. None: past the last step."""
    while step_id is not None:
        step = plan.steps[step_id]
        visits = {**run.visits, step.id: run.visits.get(step.id, 0) + 1}
        run = draft.change(run, step=step.id, step_at=draft.now, visits=visits)
        if not _enter(draft, plan, run, step):
            return
        run = draft.runs[run.run_id]
        step_id = plan.following[step.id]
    end_run(draft, run, COMPLETED)


def _enter(draft: Draft, plan: Plan, run: Run, step: Step) -> bool:
    """Do what ``step`` says; True when the run goes on to the next one at once."""
    match step:
        case Wait():
            draft.arm(run, Timer(draft.now + step.duration, "step", step.id))
            return False
        case Send():
            send(draft, plan, run, step)
            return True
        case Exit():
            end_run(draft, run, step.reason)
            return False
        case _:
            assert_never(step)


def wake(draft: Draft, plan: Plan, run: Run, timer: Timer) -> None:
    """Go on behind the wait that ``timer`` ended."""
    run = draft.disarm(run, "step", fired=True)
    proceed(draft, plan, run, plan.following[timer.step])


def reset_waits(draft: Draft, name: str) -> None:
    """Start the waits anew that the event being applied resets; an event from the past never shortens one."""
    for run in list(draft.runs.values()):
        plan = draft.catalog.plan(run.journey, run.version)
        step = None if plan is None else plan.steps.get(run.step)
        if not isinstance(step, Wait) or not resets(step, name):
            continue
        due = draft.now + step.duration
        if any(timer.kind == "step" and timer.due < due for timer in run.timers):
            draft.arm(draft.disarm(run, "step"), Timer(due, "step", step.id))


def exit_timers(plan: Plan, entered_at: int) -> tuple[Timer, ...]:
    """Return a timer for each exit rule that applies some time after entry; its ``step`` is the rule's number."""
    return tuple(
        Timer(entered_at + rule.after, "exit", str(number))
        for number, rule in enumerate(plan.journey.exits)
        if isinstance(rule, ExitAfter)
    )


def due_order(run: Run, timer: Timer) -> tuple[int, str, str, str]:
    """Return what timers of one contact are fired in the order of."""
    return timer.due, run.journey, run.run_id, timer.step
