"""Credits goals to the sends that came before them. A goal does not end a run."""

from __future__ import annotations

from typing import Any

import msgspec

from services.evaluator.core.conditions import holds, value_of
from services.evaluator.core.draft import Draft
from services.evaluator.core.experiments import report_conversion
from services.evaluator.core.marks import mark
from services.evaluator.core.state import Touch
from shared.journeys.model import Goal


def credit_goals(draft: Draft, name: str) -> None:
    """Note a conversion for each goal on the event being applied that a send of its journey came before."""
    if not draft.touches:
        return
    draft.touches = tuple([touch for touch in draft.touches if touch.until > draft.log_time])
    for journey, goal in draft.catalog.goals_on.get(name, ()):
        touches = [touch for touch in draft.touches if touch.journey == journey and _counts(touch, goal, draft.now)]
        if touches and holds(goal.where, draft.scope()):
            _credit(draft, goal, max(touches, key=lambda touch: touch.at))


def _counts(touch: Touch, goal: Goal, now: int) -> bool:
    return goal.id not in touch.credited and 0 <= now - touch.at < goal.window


def _credit(draft: Draft, goal: Goal, winner: Touch) -> None:
    value = None if goal.value is None else value_of(goal.value, draft.scope())
    draft.note(
        "converted",
        winner.journey,
        winner.version,
        run=winner.run_id,
        step=winner.step,
        command_id=winner.command_id,
        goal=goal.id,
        value=_number(value),
    )
    plan = draft.catalog.plan(winner.journey, winner.version)
    if plan is not None and winner.variants:
        report_conversion(draft, plan, goal, winner)
    draft.touches = tuple(
        msgspec.structs.replace(touch, credited=(*touch.credited, goal.id)) if touch.run_id == winner.run_id else touch
        for touch in draft.touches
    )
    run = draft.runs.get(winner.run_id)
    if run is not None:
        mark(draft, run, winner.step, ("converted",))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
