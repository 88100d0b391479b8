"""Whether the data that a journey asks about is known: events, properties, traits, and what its context holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from shared.catalogue.model import Catalogue, EventKind
from shared.journeys.model import (
    ApiTrigger,
    Call,
    Collect,
    Emit,
    Enrol,
    Journey,
    Update,
    all_steps,
)
from shared.journeys.parse import Source
from shared.lint.finding import Finding, fault, warning
from shared.lint.reads import Asked, Item, Read, reads_of

_NOWHERE = "; correct it or add it to catalogue.yaml"


def made_here(journeys: Iterable[Journey]) -> Catalogue:
    """Return the events that ``journeys`` emit and the traits that they set."""
    made = Catalogue()
    for journey in journeys:
        for step in all_steps(journey.steps):
            match step:
                case Emit():
                    kind = EventKind(properties=dict.fromkeys(step.properties, "string"))
                    made = made.joined(Catalogue(events={step.event: kind}))
                case Update():
                    made = made.joined(Catalogue(traits=dict.fromkeys((*step.set, *step.increment), "string")))
                case _:
                    pass
    return made


def unknown_data(source: Source, catalogue: Catalogue, journeys: Iterable[Journey]) -> Iterator[Finding]:
    """Yield a warning for what ``catalogue`` does not know, and a fault for a value of our own that nobody sets."""
    context = _context(source.journey, journeys)
    items = tuple(reads_of(source))
    yield from unknown_in(items, catalogue)
    for item in items:
        match item:
            case Read(path=("context", name, *_)) if context is not None and name not in context:
                yield fault(item.at, f"nothing sets {_named(item, str(name), context, 'context.')}")
            case Read(path=("data", name, *_)) if name not in item.given:
                yield fault(item.at, f"nothing sets {_named(item, str(name), item.given, 'data.')}")
            case _:
                pass


def unknown_in(items: Iterable[Item], catalogue: Catalogue) -> Iterator[Finding]:
    """Yield a warning for each event, property and trait of ``items`` that ``catalogue`` does not know."""
    for item in items:
        match item:
            case Asked():
                yield from _event(item, catalogue)
            case Read(path=("event" | "trigger", "properties", name, *_)):
                yield from _property(item, str(name), catalogue)
            case Read(path=("contact", name, *_)) if name != "id" and name not in catalogue.traits:
                yield warning(item.at, f"no catalogue knows the trait {_named(item, str(name), catalogue.traits)}")
            case _:
                pass


def _event(asked: Asked, catalogue: Catalogue) -> Iterator[Finding]:
    if asked.event in catalogue.events:
        return
    if asked.event in catalogue.aliases:
        own = catalogue.aliases[asked.event]
        yield warning(asked.at, f"`{asked.event}` is another name of `{own}`, under which it comes in; ask for that")
    else:
        hint = _close(asked.event, catalogue.events) or _NOWHERE
        yield warning(asked.at, f"no catalogue knows the event `{asked.event}`{hint}")


def _property(read: Read, name: str, catalogue: Catalogue) -> Iterator[Finding]:
    """One that no event that may be meant has; of an event that is not known nothing is said twice."""
    if read.events is None:
        return
    kinds = [catalogue.events.get(event) for event in read.events]
    known: set[str] = set()
    for kind in kinds:
        if kind is None or kind.properties is None:
            return
        known |= kind.properties.keys()
    if name not in known:
        events = " or ".join(f"`{event}`" for event in read.events)
        yield warning(
            read.at, f"no catalogue knows the property {_named(read, name, known)}".replace("; ", f" of {events}; ", 1)
        )


def _context(journey: Journey, journeys: Iterable[Journey]) -> set[str] | None:
    """Return the names that the runs of ``journey`` may hold; None: a caller of the API gives what it likes."""
    if any(isinstance(trigger, ApiTrigger) for trigger in journey.triggers):
        return None
    names = set(journey.context)
    for step in all_steps(journey.steps):
        if isinstance(step, Call | Collect) and step.save_as is not None:
            names.add(step.save_as)
    for other in journeys:
        for step in all_steps(other.steps):
            if isinstance(step, Enrol) and step.journey == journey.id:
                names |= step.context.keys()
    return names


def _named(read: Read, name: str, known: Iterable[str], prefix: str = "") -> str:
    where = f" (in template `{read.template}`)" if read.template else ""
    hint = _close(name, known) or (f"; add it to `{prefix[:-1]}`" if prefix else _NOWHERE)
    return f"`{prefix}{name}`{where}{hint}"


def _close(word: str, known: Iterable[str]) -> str:
    found = get_close_matches(word, sorted(known), n=1)
    return f"; did you mean `{found[0]}`?" if found else ""
