"""Every condition of a journey, and every event that it listens to, wherever they stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shared.journeys.model import (
    AbsenceTrigger,
    Audience,
    Awaited,
    Branch,
    Collect,
    EventTrigger,
    ExitAfter,
    ExitIf,
    ExitOnAudience,
    ExitOnEvent,
    InactivityTrigger,
    Journey,
    JourneyTrigger,
    Send,
    ThresholdTrigger,
    Trigger,
    Wait,
    WaitFor,
    all_steps,
)
from shared.journeys.predicate import Aggregate, All, Any, Condition, Not, Performed
from shared.journeys.sending import Policy

JOURNEY_ENTERED, JOURNEY_EXITED = "Journey Entered", "Journey Exited"
"""The events that tell that a run began and ended; they are written only where somebody listens."""
CONTACT_MERGED = "Contact Merged"
"""The event of a user to whom a visitor was handed over; written only where somebody listens."""


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


def heard_by(journey: Journey) -> Iterator[str]:
    """Yield the names of the events that change something for ``journey``; its ``journey`` triggers ask apart."""
    for trigger in journey.triggers:
        yield from _heard(trigger)
    yield from (rule.event for rule in journey.exits if isinstance(rule, ExitOnEvent))
    yield from (goal.event for goal in journey.goals)
    for step in all_steps(journey.steps):
        match step:
            case Wait():
                yield from step.reset_by
            case WaitFor():
                yield from (awaited.event for awaited in step.any if awaited.event is not None)
            case Collect():
                yield step.event
            case _:
                pass
    for condition in conditions_of(journey):
        yield from counted_in(condition)


def counted_in(condition: Condition) -> Iterator[str]:
    """Yield the names of the events that ``condition`` counts."""
    return (part.event for part in parts_of(condition) if isinstance(part, Performed | Aggregate))


def _heard(trigger: Trigger) -> tuple[str, ...]:
    match trigger:
        case EventTrigger() | ThresholdTrigger():
            return (trigger.event,)
        case InactivityTrigger():
            return trigger.events
        case AbsenceTrigger():
            return (trigger.after, trigger.missing)
        case _:
            return ()


def chained_to(journey: Journey) -> Iterator[str]:
    """Yield the journeys whose ends start ``journey``."""
    return (trigger.journey for trigger in journey.triggers if isinstance(trigger, JourneyTrigger))


def all_heard(journeys: Iterable[Journey], audiences: Iterable[Audience]) -> Iterator[str]:
    """Yield the names of the events that change something for one of these."""
    for journey in journeys:
        yield from heard_by(journey)
    for audience in audiences:
        yield from counted_in(audience.where)


def looking_back(journey: Journey) -> Iterator[WaitFor]:
    """Yield the steps that count what happened before they were reached."""
    return (step for step in all_steps(journey.steps) if isinstance(step, WaitFor) and step.since != "step")


def awaited_as_performed(awaited: Awaited) -> Performed:
    """Return the event that a ``wait_for`` with ``since`` waits for as what is counted of it."""
    return Performed(event=awaited.event or "", where=awaited.where)
