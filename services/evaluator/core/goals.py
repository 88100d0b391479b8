"""Credits goals to the sends that came before them. A goal does not end a run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from services.evaluator.core.conditions import holds, value_of
from services.evaluator.core.draft import Draft
from services.evaluator.core.experiments import report_conversion
from services.evaluator.core.marks import mark
from services.evaluator.core.state import Claim, Touch
from shared.journeys.model import Goal

CLICKED = "Message Clicked"
CLICKS_AT_MOST = 20
"""Clicks kept of one message; the oldest go first."""


def note_click(draft: Draft) -> None:
    """Remember the click (``CLICKED``) that is being applied, on the message that it names.

    It names it by ``command_id``, or by ``journey`` and ``step``, with ``run_id`` where it is known: then the last such
    message before the click is meant.
    """
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
            value = None if goal.value is None else _number(value_of(goal.value, draft.scope()))
            for winner in winners:
                _give(draft, goal, winner, draft.now, value)


def settle_claims(draft: Draft, command_id: str, *, left_at: int | None) -> None:
    """Decide on the goals that were reached while nobody knew whether the message had left.

    ``left_at`` None: it never did. What it is not credited with goes to the message before it.
    """
    touch = next((touch for touch in draft.touches if touch.command_id == command_id), None)
    if touch is None:
        return
    plan = draft.catalog.plan(touch.journey, touch.version)
    bare = msgspec.structs.replace(touch, claims=())
    draft.touches = tuple(
        bare if one is touch else one for one in draft.touches if one is not touch or left_at is not None
    )
    for claim in touch.claims:
        goal = next((goal for goal in plan.journey.goals if goal.id == claim.goal), None) if plan else None
        if goal is None:
            continue
        if left_at is not None and left_at <= claim.at:
            _credit(draft, goal, bare, claim.value)
        elif (other := _before(draft, goal, bare, claim.at)) is not None:
            _give(draft, goal, other, claim.at, claim.value)


def _before(draft: Draft, goal: Goal, touch: Touch, at: int) -> Touch | None:
    """Return the message that is credited in the place of ``touch``; of ``any_send`` one of the same run."""
    alike = (one for one in draft.touches if one.journey == touch.journey and one.command_id != touch.command_id)
    if goal.attribution == "any_send":
        alike = (one for one in alike if one.run_id == touch.run_id)
    reached = [(when, one) for one in alike if (when := _reached(one, goal, at)) is not None]
    return max(reached, key=lambda found: found[0])[1] if reached else None


def _give(draft: Draft, goal: Goal, winner: Touch, at: int, value: float | None) -> None:
    """Credit ``winner``, or let it wait for its outcome: a message that never left has brought nothing."""
    if all(command.command_id != winner.command_id for command in draft.pending):
        _credit(draft, goal, winner, value)
        return
    claimed = msgspec.structs.replace(winner, claims=(*winner.claims, Claim(goal.id, at, value)))
    draft.touches = tuple(claimed if touch is winner else touch for touch in draft.touches)


def _reached(touch: Touch, goal: Goal, now: int) -> int | None:
    """Return when the message last reached the contact in the goal's window before ``now``: sent, or clicked."""
    if goal.id in touch.credited or any(claim.goal == goal.id for claim in touch.claims):
        return None
    times = touch.clicks if goal.attribution == "last_click" else (touch.at,)
    return max((at for at in times if 0 <= now - at < goal.window), default=None)


def _credit(draft: Draft, goal: Goal, winner: Touch, value: float | None) -> None:
    draft.note(
        "converted",
        winner.journey,
        winner.version,
        run=winner.run_id,
        step=winner.step,
        command_id=winner.command_id,
        goal=goal.id,
        value=value,
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
