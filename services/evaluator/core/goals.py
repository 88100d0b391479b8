"""Credits goals to the sends that came before them. A goal does not end a run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from services.evaluator.core.conditions import holds, value_of
from services.evaluator.core.draft import Draft
from services.evaluator.core.experiments import report_conversion
from services.evaluator.core.marks import mark
from services.evaluator.core.state import Touch
from shared.journeys.model import Goal

CLICKED = "Message Clicked"
CLICKS_AT_MOST = 20
"""Clicks kept of one message; the oldest go first."""


def note_click(draft: Draft, name: str) -> None:
    """Remember a click on the message that the event being applied names.

    It names it by ``command_id``, or by ``journey`` and ``step``, with ``run_id`` where it is known: then the last such
    message before the click is meant.
    """
    if name != CLICKED or not draft.touches:
        return
    named = draft.event["properties"]
    meant = [touch for touch in draft.touches if _is_meant(touch, named) and touch.at <= draft.now]
    clicked = max(meant, key=lambda touch: touch.at, default=None)
    if clicked is None:
        return
    plan = draft.catalog.plan(clicked.journey, clicked.version)
    until = max(clicked.until, draft.now + (plan.goal_window if plan else 0))
    clicks = tuple(sorted((*clicked.clicks, draft.now))[-CLICKS_AT_MOST:])
    noted = msgspec.structs.replace(clicked, clicks=clicks, until=until)
    draft.touches = tuple(noted if touch is clicked else touch for touch in draft.touches)


def _is_meant(touch: Touch, named: Mapping[str, Any]) -> bool:
    if "command_id" in named:
        return bool(touch.command_id == named["command_id"])
    same_run = named.get("run_id") in (None, touch.run_id)
    return same_run and (touch.journey, touch.step) == (named.get("journey"), named.get("step"))


def credit_goals(draft: Draft, name: str, *, only: Collection[str] | None = None) -> None:
    """Note the conversions of each goal on the event being applied, once for each run.

    The credit goes to the last message of the journey, to the last that was clicked, or in each run to its last.
    ``only``: the ids of the runs whose messages are asked; None: all.
    """
    if not draft.touches:
        return
    draft.touches = tuple([touch for touch in draft.touches if touch.until > draft.log_time])
    for journey, goal in draft.catalog.goals_on.get(name, ()):
        asked = [touch for touch in draft.touches if only is None or touch.run_id in only]
        reached = ((touch, _reached(touch, goal, draft.now)) for touch in asked if touch.journey == journey)
        touches = sorted(((at, touch) for touch, at in reached if at is not None), key=lambda found: found[0])
        if touches and holds(goal.where, draft.scope()):
            last = {touch.run_id: touch for _, touch in touches}
            winners = last.values() if goal.attribution == "any_send" else (touches[-1][1],)
            for winner in winners:
                _credit(draft, goal, winner)


def _reached(touch: Touch, goal: Goal, now: int) -> int | None:
    """Return when the message last reached the contact in the goal's window before ``now``: sent, or clicked."""
    if goal.id in touch.credited:
        return None
    times = touch.clicks if goal.attribution == "last_click" else (touch.at,)
    return max((at for at in times if 0 <= now - at < goal.window), default=None)


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
