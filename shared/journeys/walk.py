"""Every condition of a journey, wherever it stands."""

from __future__ import annotations

from collections.abc import Iterator

from shared.journeys.model import (
    Branch,
    ExitAfter,
    ExitIf,
    ExitOnAudience,
    ExitOnEvent,
    Journey,
    Send,
    WaitFor,
    all_steps,
)
from shared.journeys.predicate import Aggregate, All, Any, Condition, Not, Performed
from shared.journeys.sending import Policy


def conditions_of(journey: Journey) -> Iterator[Condition]:
    """Yield the conditions of ``journey`` as they stand, in the order of the file."""
    found: list[Condition | None] = [trigger.where for trigger in journey.triggers]
    found.append(journey.entry.where)
    found += [goal.where for goal in journey.goals]
    for rule in journey.exits:
        match rule:
            case ExitOnEvent():
                found.append(rule.where)
            case ExitIf():
                found.append(rule.condition)
            case ExitAfter() | ExitOnAudience():
                pass
    for step in all_steps(journey.steps):
        if isinstance(step, Branch):
            found += [case.condition for case in step.cases]
        elif isinstance(step, WaitFor):
            found += [one for awaited in step.any for one in (awaited.condition, awaited.where)]
    return (condition for condition in found if condition is not None)


def policies_of(journey: Journey) -> Iterator[Policy]:
    """Yield the policy of ``journey`` and those that its steps have of their own."""
    yield journey.policy
    for step in all_steps(journey.steps):
        if isinstance(step, Send) and step.policy is not None:
            yield step.policy


def parts_of(condition: Condition, *, events: bool = True) -> Iterator[Condition]:
    """Yield ``condition`` and those inside it; ``events``: also what is asked of single events (their ``where``)."""
    yield condition
    inner: tuple[Condition | None, ...] = ()
    match condition:
        case All() | Any():
            inner = condition.of
        case Not():
            inner = (condition.of,)
        case Performed() | Aggregate() if events:
            inner = (condition.where,)
        case _:
            pass
    for part in inner:
        if part is not None:
            yield from parts_of(part, events=events)
