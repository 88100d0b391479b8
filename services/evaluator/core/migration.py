"""Takes runs of older versions of a journey over into a newer one, as its ``in_flight`` says.

Applied to a contact whenever something touches it, before anything else: so a run is never worked on in a version that
it has left. Each newer version in turn has its say, whether the contact was touched between them or not.
"""

from __future__ import annotations

from collections.abc import Mapping

from services.evaluator.core.catalog import Plan
from services.evaluator.core.draft import Draft
from services.evaluator.core.exits import ERROR, exit_run
from services.evaluator.core.messages import rename_messages
from services.evaluator.core.state import Run, Timer
from services.evaluator.core.steps import exit_timers, proceed
from services.evaluator.core.waiting import wait_end
from shared.journeys.model import Branch, Emit, Enrol, Exit, Experiment, Goto, Notify, Send, Step, Update, Wait, WaitFor
from shared.journeys.promises import Migration

NEW_VERSION = "new_version"
"""Reason of a run that a newer version of its journey ended (``in_flight: exit``)."""
UNMAPPED_STEP = "unmapped_step"
"""Reason of a run on a step that the newer version does not have, of a version that is gone."""
_PASSING = Branch | Experiment | Update | Emit | Notify | Enrol | Goto | Exit
"""Steps that are done at once, or may be asked again: a run of which nothing is known enters them anew."""


def migrate_runs(draft: Draft) -> None:
    """Move or end the contact's runs of versions that a newer one takes over. Twice changes nothing more."""
    adopting = draft.catalog.adopting
    for known in list(draft.runs.values()) if adopting else ():
        for plan in adopting.get(known.journey, ()):
            run = draft.runs.get(known.run_id)  # None: it has ended meanwhile
            if run is not None and run.version < plan.journey.version:
                _adopt(draft, plan, run)


def _adopt(draft: Draft, plan: Plan, run: Run) -> None:
    rules = plan.journey.in_flight
    rule = next((migration for migration in rules.migrate if migration.source == run.version), None)
    if rule is None and rules.default == "exit":
        exit_run(draft, run, NEW_VERSION)
    elif rule is not None or rules.default == "migrate":
        before = draft.savepoint()
        try:
            # A late event does not take the run back to before it came to its step.
            now, draft.now = draft.now, max(draft.now, run.step_at)
            _move(draft, plan, run, rule or Migration(source=run.version))
            draft.now = now
        except Exception as error:  # noqa: BLE001 - whatever one journey does, the others go on
            draft.rewind(before)
            exit_run(draft, run, ERROR, detail={"error": type(error).__name__})


def _move(draft: Draft, plan: Plan, run: Run, rule: Migration) -> None:
    former = draft.catalog.plan(run.journey, run.version)
    step = plan.steps.get(rule.map.get(run.step, run.step))
    if step is None:
        if former is None:
            exit_run(draft, run, UNMAPPED_STEP)
        return
    stays = _stays(run, None if former is None else former.steps.get(run.step), step)
    version, before = run.version, run
    run = draft.change(
        run,
        version=plan.journey.version,
        step=step.id,
        visits=_visits(run, rule.map, stays=stays),
        variants={rule.map.get(name, name): variant for name, variant in run.variants.items()},
        passed={rule.map.get(name, name): at for name, at in run.passed.items()},
        marks={_renamed_mark(name, rule.map): at for name, at in run.marks.items()},
        timers=tuple(it if it.kind == "exit" else Timer(it.due, it.kind, step.id) for it in run.timers),
    )
    if stays:
        rename_messages(draft, before, run)
    draft.note_run("migrated", run, step=step.id, detail={"from": version})
    run = draft.disarm(run, "exit")
    for timer in exit_timers(plan, run.entered_at):
        run = draft.arm(run, Timer(max(timer.due, draft.now), timer.kind, timer.step))
    if not stays:
        _enter_anew(draft, plan, run, step)
    elif rule.timers == "recompute" and isinstance(step, Wait | WaitFor):
        _recompute(draft, run, step)


def _renamed_mark(name: str, names: Mapping[str, str]) -> str:
    step, _, was = name.partition("/")
    return f"{names.get(step, step)}/{was}"


def _stays(run: Run, former: Step | None, step: Step) -> bool:
    """Tell whether the run can go on standing on ``step`` as it stood on ``former`` (None: not known any more)."""
    kinds = {timer.kind for timer in run.timers}
    if isinstance(step, Send) != ("send" in kinds) or (isinstance(step, Wait) and "step" not in kinds):
        return False
    return type(step) is type(former) if former is not None else not isinstance(step, _PASSING)


def _enter_anew(draft: Draft, plan: Plan, run: Run, step: Step) -> None:
    run = draft.disarm(draft.disarm(run, "step"), "send")
    proceed(draft, plan, draft.change(run, tried_at=None, deferred={}, asked=""), step.id)


def _recompute(draft: Draft, run: Run, step: Wait | WaitFor) -> None:
    """Let the wait end when it would, had the step been as it is now when the run came to it; never before now."""
    now, draft.now = draft.now, run.step_at
    due: int | None
    if isinstance(step, Wait):
        due = wait_end(draft, run, step) or now
    else:
        due = None if step.timeout is None else run.step_at + step.timeout
    draft.now = now
    run = draft.disarm(run, "step")
    if due is not None:
        draft.arm(run, Timer(max(due, now), "step", step.id))


def _visits(run: Run, names: Mapping[str, str], *, stays: bool) -> dict[str, int]:
    """Return the visits under the new names, added up where two become one: no visit has the number of another."""
    found: dict[str, int] = {}
    for name, count in run.visits.items():
        new = name if name == run.step and not stays else names.get(name, name)
        found[new] = found.get(new, 0) + count
    return found
