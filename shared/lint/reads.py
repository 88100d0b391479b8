"""What a journey asks about: events by name, and the values that its expressions, conditions and texts read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, assert_never

from shared.expressions import compile_expression
from shared.journeys.model import (
    AbsenceTrigger,
    ApiTrigger,
    AudienceTrigger,
    Branch,
    CalendarTrigger,
    Call,
    Collect,
    DateTrigger,
    Emit,
    Enrol,
    EventTrigger,
    Exit,
    ExitAfter,
    ExitIf,
    ExitOnAudience,
    ExitOnEvent,
    Experiment,
    Goto,
    InactivityTrigger,
    JourneyTrigger,
    Notify,
    ScheduleTrigger,
    Send,
    Step,
    Template,
    ThresholdTrigger,
    Trigger,
    Update,
    Value,
    Wait,
    WaitFor,
    all_steps,
)
from shared.journeys.parse import Source
from shared.journeys.predicate import Aggregate, All, Any, Condition, Expression, Not, Performed
from shared.journeys.reader import Node
from shared.rendering import uses_of

Events = tuple[str, ...] | None
"""Those that ``event`` may be; None: any, or none."""


class Asked(NamedTuple):
    """An event that the journey waits for, counts or is started by."""

    at: Node
    event: str


class Read(NamedTuple):
    """A value that is read, such as ``("event", "properties", "total")``; ``template``: the texts that read it.

    ``given`` are the names that the step puts under ``data`` for them.
    """

    at: Node
    path: tuple[str, ...]
    events: Events
    template: str = ""
    given: frozenset[str] = frozenset()


Item = Asked | Read


def reads_of(source: Source) -> Iterator[Item]:
    """Yield all that ``source`` asks about, with where it stands."""
    journey, fields = source.journey, source.fields
    events = entry_events(journey.triggers)
    for trigger, at in zip(journey.triggers, _triggers(fields), strict=True):
        yield from _trigger(trigger, at)
    if "entry" in fields:
        yield from _condition(fields["entry"], journey.entry.where, events)
        yield from _expressions(fields["entry"], [journey.entry.key], events)
    if "context" in fields:
        yield from _expressions(fields["context"], journey.context.values(), events)
    for goal in journey.goals:
        yield _asked(fields["goals"], goal.event)
        yield from _condition(fields["goals"], goal.where, (goal.event,))
        yield from _expressions(fields["goals"], [goal.value], (goal.event,))
    for rule in journey.exits:
        match rule:
            case ExitOnEvent():
                yield _asked(fields["exit"], rule.event)
                yield from _condition(fields["exit"], rule.where, (rule.event,))
            case ExitIf():
                yield from _condition(fields["exit"], rule.condition, None)
            case ExitAfter() | ExitOnAudience():
                pass
    for promised in journey.invariants:
        if (event := getattr(promised, "event", None)) is not None:
            yield _asked(fields["invariants"], event)
    for step in all_steps(journey.steps):
        yield from _step(step, source.steps[step.id], events)


def reads_of_condition(condition: Condition, at: Node) -> Iterator[Item]:
    """Yield all that ``condition``, which stands at ``at``, asks about."""
    yield from _condition(at, condition, None)


def entry_events(triggers: Iterable[Trigger]) -> Events:
    """Return the events that may start a run; None when something else may."""
    found: list[str] = []
    for trigger in triggers:
        match trigger:
            case EventTrigger() | ThresholdTrigger():
                found.append(trigger.event)
            case InactivityTrigger():
                found += trigger.events
            case AbsenceTrigger():
                found.append(trigger.after)
            case _:
                return None
    return tuple(found)


def _triggers(fields: dict[str, Node]) -> list[Node]:
    return [fields["trigger"]] if "trigger" in fields else fields["triggers"].items()


def _trigger(trigger: Trigger, at: Node) -> Iterator[Item]:
    own = entry_events((trigger,))
    yield from (_asked(at, event) for event in own or ())
    yield from _condition(at, trigger.where, own)
    match trigger:
        case ThresholdTrigger():
            yield from _expressions(at, [trigger.field, trigger.group_by], own)
        case AbsenceTrigger():
            yield _asked(at, trigger.missing)
            for name in trigger.match:
                path = ("event", "properties", name)
                yield Read(at.place_of(name), path, (trigger.after,))
                yield Read(at.place_of(name), path, (trigger.missing,))
        case DateTrigger():
            yield Read(at.place_of("property"), ("contact", trigger.property), None)
        case (
            EventTrigger()
            | AudienceTrigger()
            | InactivityTrigger()
            | CalendarTrigger()
            | ScheduleTrigger()
            | ApiTrigger()
            | JourneyTrigger()
        ):
            pass
        case _:
            assert_never(trigger)


def _step(step: Step, at: Node, events: Events) -> Iterator[Item]:  # noqa: C901, PLR0912 - one case per verb
    match step:
        case Wait():
            yield from (_asked(at, event) for event in step.reset_by)
            if step.until is not None and step.until.property is not None:
                yield Read(at.place_of("property"), ("contact", step.until.property), None)
        case WaitFor():
            for awaited in step.any:
                if awaited.event is not None:
                    yield _asked(at, awaited.event)
                yield from _condition(at, awaited.where, None if awaited.event is None else (awaited.event,))
                yield from _condition(at, awaited.condition, None)
        case Branch():
            for case in step.cases:
                yield from _condition(at, case.condition, events)
        case Send():
            yield from _values(at, [*step.data.values(), step.locale], events)
            yield from _texts(at, step.template, step.channels, events, frozenset(step.data))
        case Update():
            yield from _values(at, step.set.values(), events)
        case Emit():
            yield from _values(at, step.properties.values(), events)
        case Call():
            yield from _values(at, step.arguments.values(), events)
        case Notify():
            yield from _values(at, step.to, events)
            yield from _texts(at, step.template, (step.channel,), events)
        case Enrol():
            yield from _values(at, step.context.values(), events)
        case Collect():
            yield _asked(at, step.event)
            yield from _expressions(at, [step.by], (step.event,))
        case Experiment() | Goto() | Exit():
            pass
        case _:
            assert_never(step)


def _condition(at: Node, condition: Condition | None, events: Events) -> Iterator[Item]:
    match condition:
        case Expression():
            yield from _expressions(at, [condition], events)
        case All() | Any():
            for part in condition.of:
                yield from _condition(at, part, events)
        case Not():
            yield from _condition(at, condition.of, events)
        case Performed() | Aggregate():
            yield _asked(at, condition.event)
            yield from _condition(at, condition.where, (condition.event,))
            if isinstance(condition, Aggregate):
                yield from _expressions(at, [condition.field], (condition.event,))
        case _:
            pass


def _values(at: Node, values: Iterable[Value], events: Events) -> Iterator[Item]:
    yield from _expressions(at, (value for value in values if isinstance(value, Expression)), events)


def _expressions(at: Node, expressions: Iterable[Expression | None], events: Events) -> Iterator[Item]:
    for expression in expressions:
        if expression is not None:
            place = at.place_of(expression.text)
            for path in sorted(compile_expression(expression.text).paths):
                yield Read(place, tuple(part.strip("`") for part in path.split(".")), events)


def _texts(
    at: Node, template: Template, channels: Iterable[str], events: Events, given: frozenset[str] = frozenset()
) -> Iterator[Item]:
    wanted = frozenset(channels)
    parts = (
        part
        for texts in template.locales.values()
        for channel, named in texts.items()
        if channel in wanted
        for part in named.values()
    )
    for path in sorted({use.path for part in parts for use in uses_of(part)}):
        yield Read(at.place_of("template"), path, events, template.id, given)


def _asked(at: Node, event: str) -> Asked:
    return Asked(at.place_of(event), event)
