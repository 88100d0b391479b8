"""The journeys that are live, indexed by what the engine looks up. Immutable; built once per change."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from shared.journeys.model import (
    All,
    Any,
    Condition,
    EventTrigger,
    ExitOnEvent,
    Goal,
    Journey,
    Not,
    Performed,
    Reachable,
    Step,
    Wait,
)

V = TypeVar("V")


class Plan(msgspec.Struct, frozen=True):
    """One journey version, ready to run: its steps by id and what follows each. ``first`` None: it has no steps."""

    journey: Journey
    steps: dict[str, Step]
    following: dict[str, str | None]
    first: str | None
    goal_window: int


class Catalog(msgspec.Struct, frozen=True):
    """Every journey version that may hold contacts, and the newest of each journey, which takes entries.

    ``history`` maps each event that some condition asks for to the longest span asked for: nothing else is kept.
    """

    plans: dict[tuple[str, int], Plan] = {}
    triggered_by: dict[str, tuple[tuple[Plan, EventTrigger], ...]] = {}
    goals_on: dict[str, tuple[tuple[str, Goal], ...]] = {}
    history: dict[str, int] = {}

    def plan(self, journey: str, version: int) -> Plan | None:
        """Return that version, or None when this catalogue does not hold it."""
        return self.plans.get((journey, version))


def build_catalog(journeys: Iterable[Journey]) -> Catalog:
    """Return the catalogue of ``journeys``; of several versions of one journey the highest takes the entries."""
    plans = {(journey.id, journey.version): _plan(journey) for journey in journeys}
    newest: dict[str, Plan] = {}
    for (name, version), plan in sorted(plans.items()):
        if name not in newest or newest[name].journey.version < version:
            newest[name] = plan
    triggered: dict[str, list[tuple[Plan, EventTrigger]]] = {}
    for plan in sorted(newest.values(), key=lambda plan: (-plan.journey.entry.priority, plan.journey.id)):
        for trigger in plan.journey.triggers:
            triggered.setdefault(trigger.event, []).append((plan, trigger))
    goals: dict[str, list[tuple[str, Goal]]] = {}
    for plan in newest.values():
        for goal in plan.journey.goals:
            goals.setdefault(goal.event, []).append((plan.journey.id, goal))
    return Catalog(
        plans=plans,
        triggered_by={event: tuple(found) for event, found in triggered.items()},
        goals_on={event: tuple(found) for event, found in goals.items()},
        history=_history(plans.values()),
    )


def _plan(journey: Journey) -> Plan:
    ids = [step.id for step in journey.steps]
    return Plan(
        journey=journey,
        steps={step.id: step for step in journey.steps},
        following=dict(zip(ids, [*ids[1:], None], strict=True)),
        first=ids[0] if ids else None,
        goal_window=max((goal.window for goal in journey.goals), default=0),
    )


def _history(plans: Iterable[Plan]) -> dict[str, int]:
    spans: dict[str, int] = {}
    for plan in plans:
        for condition in _conditions(plan.journey):
            for performed in _performed(condition):
                spans[performed.event] = max(spans.get(performed.event, 0), performed.within)
    return spans


def _conditions(journey: Journey) -> Iterable[Condition]:
    found = [journey.entry.where]
    found += [trigger.where for trigger in journey.triggers]
    found += [goal.where for goal in journey.goals]
    found += [rule.where for rule in journey.exits if isinstance(rule, ExitOnEvent)]
    return (condition for condition in found if condition is not None)


def _performed(condition: Condition) -> Iterable[Performed]:
    match condition:
        case All() | Any():
            for part in condition.of:
                yield from _performed(part)
        case Not():
            yield from _performed(condition.of)
        case Performed():
            yield condition
        case Reachable():
            return


def resets(step: Step, event: str) -> bool:
    """Tell whether ``event`` starts the wait of ``step`` anew."""
    return isinstance(step, Wait) and event in step.reset_by
