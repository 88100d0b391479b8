"""Moves a run from step to step until one waits or the run ends."""

from __future__ import annotations

from collections.abc import Collection
from typing import assert_never

from services.evaluator.core import gathering
from services.evaluator.core.calls import awaiting, call, give_up
from services.evaluator.core.catalog import Plan, resets
from services.evaluator.core.changes import emit, enrol, update
from services.evaluator.core.conditions import holds
from services.evaluator.core.draft import Draft
from services.evaluator.core.earlier import counts_after, has_happened
from services.evaluator.core.exits import ERROR, MAX_DURATION, end_run, exit_run
from services.evaluator.core.experiments import go, picked, stays_at, way
from services.evaluator.core.notify import notify
from services.evaluator.core.own_events import longest_chain
from services.evaluator.core.send import send
from services.evaluator.core.state import Run, Timer
from services.evaluator.core.waiting import wait_end
from shared.journeys.model import (
    Awaited,
    Branch,
    Call,
    Collect,
    Emit,
    Enrol,
    Exit,
    ExitAfter,
    Experiment,
    Goto,
    Notify,
    Send,
    Step,
    Update,
    Wait,
    WaitFor,
)
from shared.journeys.promises import MaxDuration
from shared.messages.answer import Answer
from shared.messages.coordination import Reply

COMPLETED = "completed"
"""Reason of a run that went past its last step."""
PAST = "past"
"""Reason of a run whose wait was for a date that is over (``past: exit``)."""
CALL_FAILED = "call_failed"
"""Reason of a run whose call got no answer, or one that it failed (``on_fail: exit``)."""
_MOST_STEPS = 1_000
"""Steps that one run may go at one moment. The linter finds loops without a wait; this stops what it cannot see."""


class EndlessRunError(RuntimeError):
    """A run went through a thousand steps without waiting."""


def proceed(draft: Draft, plan: Plan, run: Run, step_id: str | None) -> None:
    """Enter ``step_id`` and those after it until one waits or the run ends. None: past the last step."""
    for _ in range(_MOST_STEPS):
        if step_id is None:
            end_run(draft, run, COMPLETED)
            return
        step = plan.steps[step_id]
        visits = {**run.visits, step.id: run.visits.get(step.id, 0) + 1}
        run = draft.change(run, step=step.id, step_at=draft.now, visits=visits)
        if step.id in plan.marked:
            run = draft.change(run, passed={**run.passed, step.id: draft.now})
        goes_on, step_id = _enter(draft, plan, run, step)
        if not goes_on or run.run_id not in draft.runs:
            return
        run = draft.runs[run.run_id]
    raise EndlessRunError


def _enter(draft: Draft, plan: Plan, run: Run, step: Step) -> tuple[bool, str | None]:  # noqa: PLR0911, PLR0912 - one per verb
    """Do what ``step`` says; (True, next step) when the run goes on at once."""
    behind = plan.following[step.id]
    match step:
        case Wait():
            return _wait(draft, run, step), behind
        case WaitFor():
            return _wait_for(draft, plan, run, step)
        case Branch():
            for case in step.cases:
                if holds(case.condition, draft.scope(run, own=True)):
                    return True, plan.into(step, case.then)
            return True, behind
        case Experiment():
            return way(draft, plan, run, step)
        case Send():
            return send(draft, plan, run, step), behind
        case Call():
            call(draft, run, step, plan.journey.policy.purpose)
            return False, None
        case Collect():
            return _collect(draft, run, step), behind
        case Update() | Emit() | Enrol() | Notify():
            _act(draft, run, step)
            return True, behind
        case Goto():
            again = step.max_visits is None or run.visits.get(step.step, 0) < step.max_visits
            return True, step.step if again else behind
        case Exit():
            end_run(draft, run, step.reason)
            return False, None
        case _:
            assert_never(step)


def _act(draft: Draft, run: Run, step: Update | Emit | Enrol | Notify) -> None:
    match step:
        case Update():
            update(draft, run, step)
        case Emit():
            emit(draft, run, step)
        case Enrol():
            enrol(draft, run, step)
        case Notify():
            notify(draft, run, step)
        case _:
            assert_never(step)


def _wait(draft: Draft, run: Run, step: Wait) -> bool:
    end = wait_end(draft, run, step)
    if end is None and step.past == "exit":
        end_run(draft, run, PAST)
        return False
    if end is None:
        return True
    draft.arm(run, Timer(end, "step", step.id))
    return False


def _wait_for(draft: Draft, plan: Plan, run: Run, step: WaitFor) -> tuple[bool, str | None]:
    for awaited in step.any:
        known = awaited.condition is not None and holds(awaited.condition, draft.scope(run, own=True))
        if known or has_happened(draft, run, step, awaited):
            return True, plan.into(step, awaited.then)
    if step.timeout is not None:
        draft.arm(run, Timer(draft.now + step.timeout, "step", step.id))
    return False, None


def hear_way(draft: Draft, reply: Reply) -> None:
    """Let the run that asked for its way at an experiment go on; nobody may wait for ``reply`` any more."""
    for run in draft.runs.values():
        plan = draft.catalog.plan(run.journey, run.version)
        step = None if plan is None else plan.steps.get(run.step)
        if plan is not None and isinstance(step, Experiment) and stays_at(step, run, reply.ask_id):
            # Another version's variant, of a journey that has changed since: that is no way here.
            known = any(variant.id == reply.variant for variant in step.variants)
            chosen = reply.variant if known else picked(draft.contact, step)
            first = go(draft, plan, draft.disarm(run, "step"), step, chosen)
            proceed(draft, plan, draft.runs[run.run_id], first)
            return


def _collect(draft: Draft, run: Run, step: Collect) -> bool:
    run = gathering.begin(draft, run, step)
    if gathering.is_full(run, step):
        gathering.end(draft, run, step)
        return True
    draft.arm(run, Timer(draft.now + step.duration, "step", step.id))
    return False


def wake(draft: Draft, plan: Plan, run: Run, timer: Timer) -> None:
    """Go on where ``timer`` ended a wait, a wait_for or a deferral."""
    step = plan.steps[timer.step]
    run = draft.disarm(run, timer.kind, fired=True)
    if isinstance(step, Send):
        if send(draft, plan, run, step):
            proceed(draft, plan, draft.runs[run.run_id], plan.following[step.id])
    elif isinstance(step, WaitFor):
        proceed(draft, plan, run, plan.into(step, step.timeout_then))
    elif isinstance(step, Experiment):
        first = go(draft, plan, run, step, picked(draft.contact, step))
        proceed(draft, plan, draft.runs[run.run_id], first)
    elif isinstance(step, Call):
        _call_failed(draft, plan, give_up(draft, run, step), step)
    elif isinstance(step, Collect):
        proceed(draft, plan, gathering.end(draft, run, step), plan.following[step.id])
    else:
        proceed(draft, plan, run, plan.following[step.id])


def _call_failed(draft: Draft, plan: Plan, run: Run, step: Call) -> None:
    if step.on_fail == "exit":
        end_run(draft, run, CALL_FAILED)
    else:
        proceed(draft, plan, run, plan.following[step.id])


def feed_waits(draft: Draft, name: str, *, only: Collection[str] | None = None) -> None:
    """Let the event being applied end what waits for it, start the waits anew that it resets, and be collected.

    ``only``: the ids of the runs that it is applied to; None: all. A run that raises on its way ends with reason
    ``error``; the event still does to the others what it should.
    """
    for run_id in list(draft.runs if only is None else only):
        run = draft.runs.get(run_id)  # None: one before it has withdrawn its consent
        plan = None if run is None else draft.catalog.plan(run.journey, run.version)
        step = None if run is None or plan is None else plan.steps.get(run.step)
        if run is None or plan is None or not isinstance(step, (Wait, WaitFor, Collect)):
            continue
        before: tuple[object, ...] | None = None
        try:
            if isinstance(step, Wait):
                if resets(step, name):
                    before = draft.savepoint()
                    _reset(draft, run, step)
            elif isinstance(step, Collect):
                if step.event == name and draft.now >= run.step_at:
                    before = draft.savepoint()
                    _gather(draft, plan, run, step)
            elif (met := next((one for one in step.any if _is_met(draft, run, step, one, name)), None)) is not None:
                before = draft.savepoint()
                _go_on(draft, plan, run, plan.into(step, met.then))
        except Exception as error:  # noqa: BLE001 - whatever one journey does, the others go on
            if before is not None:
                draft.rewind(before)
            exit_run(draft, run, ERROR, detail={"error": type(error).__name__})


def _go_on(draft: Draft, plan: Plan, run: Run, step_id: str | None) -> None:
    """Go on from a step at which ``run`` stayed until something happened.

    What is known late may fulfil an ``if``; the run goes on from then, not from before it came to the step.
    """
    now, draft.now = draft.now, max(draft.now, run.step_at)
    if draft.hops:
        hops, since = longest_chain(draft, run)
        run = draft.change(run, hops=hops, hops_since=since)
    proceed(draft, plan, draft.disarm(run, "step"), step_id)
    draft.now = now


def _is_met(draft: Draft, run: Run, step: WaitFor, awaited: Awaited, name: str) -> bool:
    if awaited.event is None:
        return holds(awaited.condition, draft.scope(run))
    # What happened before what it counts from and only arrives now is not what is waited for.
    return awaited.event == name and draft.now > counts_after(run, step) and holds(awaited.where, draft.scope(run))


def _gather(draft: Draft, plan: Plan, run: Run, step: Collect) -> None:
    run = gathering.add(draft, run, step, draft.event)
    if gathering.is_full(run, step):
        _go_on(draft, plan, gathering.end(draft, run, step), plan.following[step.id])


def take_answer(draft: Draft, answer: Answer) -> None:
    """Let the run that waits for ``answer`` go on with it; a run that raises on its way ends with reason ``error``."""
    run = awaiting(draft, answer)
    plan = None if run is None else draft.catalog.plan(run.journey, run.version)
    step = None if run is None or plan is None else plan.steps.get(run.step)
    if run is None or plan is None or not isinstance(step, Call):
        return
    before = draft.savepoint()
    try:
        run = draft.change(run, asked="")
        if not answer.ok:
            now, draft.now = draft.now, max(draft.now, run.step_at)
            _call_failed(draft, plan, draft.disarm(run, "step"), step)
            draft.now = now
        else:
            if step.save_as is not None:
                run = draft.change(run, context={**run.context, step.save_as: answer.data})
            _go_on(draft, plan, run, plan.following[step.id])
    except Exception as error:  # noqa: BLE001 - whatever one journey does, the others go on
        draft.rewind(before)
        exit_run(draft, run, ERROR, detail={"error": type(error).__name__})


def _reset(draft: Draft, run: Run, step: Wait) -> None:
    """Start the wait anew; an event from the past never shortens it."""
    end = wait_end(draft, run, step)
    if end is not None and any(timer.kind == "step" and timer.due < end for timer in run.timers):
        draft.rearm(run, Timer(end, "step", step.id))


def exit_timers(plan: Plan, entered_at: int) -> tuple[Timer, ...]:
    """Return a timer for each exit that applies some time after entry: its ``step`` is the rule's number.

    The last is for the longest time that the journey's invariants allow.
    """
    rules = (
        Timer(entered_at + rule.after, "exit", str(number))
        for number, rule in enumerate(plan.journey.exits)
        if isinstance(rule, ExitAfter)
    )
    invariants = plan.journey.invariants
    return (
        *rules,
        *(Timer(entered_at + it.most, "exit", MAX_DURATION) for it in invariants if isinstance(it, MaxDuration)),
    )


def due_order(run: Run, timer: Timer) -> tuple[int, str, str, str]:
    """Return what timers of one contact are fired in the order of."""
    return timer.due, run.journey, run.run_id, timer.step
