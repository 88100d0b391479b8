"""Journeys that others name: whether they are in the folder, and let themselves be entered so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.journeys.faults import suggestion
from shared.journeys.model import ApiTrigger, Enrol, JourneyTrigger, all_steps
from shared.journeys.parse import Source
from shared.journeys.predicate import InJourney
from shared.journeys.reader import Node
from shared.journeys.walk import conditions_of, parts_of
from shared.lint.finding import Finding, warning


def unknown_journeys(source: Source, newest: Sequence[Source]) -> Iterator[Finding]:
    """Yield a warning for each journey that ``source`` names and that is not there, or takes no enrolments."""
    known = {one.journey.id: one.journey for one in newest}
    for name, at in _named(source):
        if name not in known:
            yield warning(at, f"there is no journey `{name}` in this folder{suggestion(name, known)}")
    for step in all_steps(source.journey.steps):
        if not isinstance(step, Enrol) or step.journey not in known:
            continue
        if not any(isinstance(trigger, ApiTrigger) for trigger in known[step.journey].triggers):
            at = source.steps[step.id].place_of(step.journey)
            yield warning(at, f"`{step.journey}` takes no enrolments; give it a trigger of `type: api`")


def _named(source: Source) -> Iterator[tuple[str, Node]]:
    fields, journey = source.fields, source.journey
    for step in all_steps(journey.steps):
        if isinstance(step, Enrol):
            yield step.journey, source.steps[step.id].place_of(step.journey)
    for trigger in journey.triggers:
        if isinstance(trigger, JourneyTrigger):
            yield trigger.journey, fields.get("trigger", fields.get("triggers", fields["id"])).place_of(trigger.journey)
    for condition in conditions_of(journey):
        for part in parts_of(condition):
            if isinstance(part, InJourney):
                yield part.id, _place(source, part.id)


def _place(source: Source, name: str) -> Node:
    """Return where ``name`` is asked about: the first place that is it, or the journey's id."""
    for node in source.fields.values():
        if (found := node.place_of(name)) is not node:
            return found
    return source.fields["id"]
