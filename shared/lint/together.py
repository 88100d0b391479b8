"""Journeys that get in each other's way: who is first, who sets whom off, what they share without meaning to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

from shared.journeys.flow.proofs import Study
from shared.journeys.model import (
    AbsenceTrigger,
    Emit,
    Enrol,
    EventTrigger,
    Experiment,
    InactivityTrigger,
    Journey,
    JourneyTrigger,
    ThresholdTrigger,
    all_steps,
)
from shared.journeys.parse import Source
from shared.journeys.reader import Node
from shared.lint.finding import Finding, warning
from shared.lint.week import Week, bound, marketing_caps, sends_marketing, worst_week


def conflicts(sources: Sequence[Source], studies: Sequence[Study]) -> Iterator[Finding]:
    """Yield what is doubtful about ``sources`` (of each journey its newest version) side by side."""
    yield from _ties(sources, studies)
    yield from _circles(sources)
    yield from _salts(sources)
    for source, known in zip(sources, studies, strict=True):
        week = worst_week(known)
        # Where each marketing message counts against a cap over all of them, the others are none of a week's business.
        if week.most is None and sends_marketing(known) and marketing_caps(known) is None:
            message = (
                f"nothing bounds the messages that one contact gets in a week: {week.because}; add a `frequency_cap`"
            )
            yield warning(source.fields.get("entry", source.fields["id"]), message)


def all_weeks(studies: Sequence[Study]) -> Week:
    """Return the worst week of one contact in all marketing of ``studies``."""
    marketing = [known for known in studies if sends_marketing(known)]
    bounded, total = [], 0
    for known in marketing:
        caps, week = marketing_caps(known), worst_week(known)
        if caps is not None:
            bounded += caps
        if week.most is None:
            if caps is None:
                return Week(None, f"`{known.journey.id}`: {week.because}")
            continue
        total += 0 if caps is not None else week.most
    alone = [worst_week(known).most for known in marketing if marketing_caps(known) is not None]
    shared = None
    if bounded:
        # Every message is one of at most ``max`` within the shortest span of them all.
        shared = max(cap.max for cap in bounded) * max(bound(cap) // cap.max for cap in bounded)
    apart = sum(most for most in alone if most is not None) if None not in alone else None
    least = min((most for most in (shared, apart) if most is not None), default=0)
    return Week(total + least, "the sum of all marketing, or the frequency caps over all of it")


def meetings(sources: Sequence[Source]) -> dict[str, list[Journey]]:
    """Return the journeys that one event starts together, the first to send first."""
    started: dict[str, list[Journey]] = defaultdict(list)
    for source in sources:
        for event in sorted(_starts(source.journey)):
            started[event].append(source.journey)
    return {
        event: sorted(found, key=lambda journey: (-journey.entry.priority, journey.id))
        for event, found in sorted(started.items())
        if len(found) > 1
    }


def _starts(journey: Journey) -> set[str]:
    return {trigger.event for trigger in journey.triggers if isinstance(trigger, EventTrigger | ThresholdTrigger)}


def _listens(journey: Journey) -> set[str]:
    """Return the events that may start a run, also by what does not follow them."""
    found = _starts(journey)
    for trigger in journey.triggers:
        if isinstance(trigger, InactivityTrigger):
            found |= set(trigger.events)
        elif isinstance(trigger, AbsenceTrigger):
            found.add(trigger.after)
    return found


def _ties(sources: Sequence[Source], studies: Sequence[Study]) -> Iterator[Finding]:
    """Two that one event starts, where a cap may leave room for one: the id decides, which nobody meant."""
    capped = {known.journey.id for known in studies if any(_contact_caps(known))}
    sending = {known.journey.id for known in studies if sends_marketing(known)}
    places = {source.journey.id: source.fields for source in sources}
    for event, journeys in meetings(sources).items():
        for first, second in combinations([journey for journey in journeys if journey.id in sending], 2):
            if first.entry.priority == second.entry.priority and {first.id, second.id} & capped:
                at = places[second.id]
                message = (
                    f"`{event}` starts `{first.id}` too, with the same priority {first.entry.priority}; where a cap has"
                    f" room for one message, `{first.id}` gets it by its id; give them different priorities"
                )
                yield warning(at.get("entry", at["id"]), message)


def _contact_caps(known: Study) -> Iterator[bool]:
    yield from (cap.scope == "contact" for cap in known.journey.policy.caps)


def _circles(sources: Sequence[Source]) -> Iterator[Finding]:
    """Journeys that start each other round and round: by an event, an enrolment, or the end of a run."""
    after = {source.journey.id: _sets_off(source.journey, sources) for source in sources}
    for source in sources:
        circle = _way(after, source.journey.id)
        if circle and source.journey.id == min(circle):
            shown = " -> ".join(circle)
            yield warning(
                _cause(source), f"journeys set each other off without end: {shown}; break the circle by a `where`"
            )


def _sets_off(journey: Journey, sources: Sequence[Source]) -> list[str]:
    emitted = {step.event for step in all_steps(journey.steps) if isinstance(step, Emit)}
    enrolled = {step.journey for step in all_steps(journey.steps) if isinstance(step, Enrol)}
    return [
        other.journey.id
        for other in sources
        if other.journey.id in enrolled
        or emitted & _listens(other.journey)
        or any(
            isinstance(trigger, JourneyTrigger) and trigger.journey == journey.id for trigger in other.journey.triggers
        )
    ]


def _way(after: dict[str, list[str]], start: str) -> tuple[str, ...]:
    """Return a shortest circle from ``start`` to itself; empty when there is none."""
    waiting: list[tuple[str, ...]] = [(start,)]
    seen = {start}
    while waiting:
        way = waiting.pop(0)
        for name in after.get(way[-1], ()):
            if name == start:
                return (*way, start)
            if name not in seen:
                seen.add(name)
                waiting.append((*way, name))
    return ()


def _cause(source: Source) -> Node:
    """Return the step by which ``source`` sets others off, or its head."""
    steps = (step for step in all_steps(source.journey.steps) if isinstance(step, Emit | Enrol))
    return next((source.steps[step.id] for step in steps), source.fields["id"])


def _salts(sources: Sequence[Source]) -> Iterator[Finding]:
    """One salt draws the same contacts each time: what is drawn by it is not independent."""
    tests: dict[str, list[tuple[Source, Experiment]]] = defaultdict(list)
    for source in sources:
        for step in all_steps(source.journey.steps):
            if isinstance(step, Experiment):
                tests[step.salt].append((source, step))
    held = {one.salt: source for source in reversed(sources) if (one := source.journey.policy.holdout) is not None}
    for salt, found in sorted(tests.items()):
        first = found[0]
        for source, step in found[1:]:
            if source.journey.id != first[0].journey.id:
                message = (
                    f"the experiment `{step.id}` shares the salt `{salt}` with `{first[1].id}` of"
                    f" `{first[0].journey.id}`: the same contacts get the same share of both; give it a salt of its own"
                )
                yield warning(source.steps[step.id].place_of(salt), message)
        if salt in held:
            message = (
                f"the salt `{salt}` also picks the holdout of `{held[salt].journey.id}`: its variants are then no fair"
                " sample of the rest; give the experiment a salt of its own"
            )
            yield warning(first[0].steps[first[1].id].place_of(salt), message)
    yield from _holdouts(sources)


def _holdouts(sources: Sequence[Source]) -> Iterator[Finding]:
    percents: dict[str, tuple[str, float]] = {}
    for source in sources:
        holdout = source.journey.policy.holdout
        if holdout is None:
            continue
        other, percent = percents.setdefault(holdout.salt, (source.journey.id, holdout.percent))
        if percent != holdout.percent:
            message = (
                f"`{other}` holds out {percent:g} % by the salt `{holdout.salt}`, and this journey"
                f" {holdout.percent:g} %: the smaller group is part of the"
                " larger; write the same percent, or another salt"
            )
            yield warning(source.fields.get("policy", source.fields["id"]).place_of(holdout.salt), message)
