"""The audiences that some journey asks for, in the order of what they ask of each other, by what may change them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import msgspec

from shared.journeys.model import Audience, ExitOnAudience, Journey
from shared.journeys.predicate import Aggregate, Condition, Consented, Expression, InAudience, Performed, Reachable
from shared.journeys.walk import conditions_of, parts_of

Way = Literal["entered", "left"]


class Edge(msgspec.Struct, frozen=True):
    """The contact has come into an audience, or is no longer in it."""

    audience: str
    way: Way


class AudienceIndex(msgspec.Struct, frozen=True):
    """The audiences whose members are kept: no others.

    ``order``: whoever is asked about comes first. ``by_event``, ``by_traits`` and ``by_consent`` are those that an
    event of that name, a change of traits or one of consent may change; ``after`` an audience itself and those that
    ask about it. Each is in the order of ``order``.
    """

    order: tuple[Audience, ...] = ()
    ids: frozenset[str] = frozenset()
    by_event: dict[str, tuple[Audience, ...]] = {}
    by_traits: tuple[Audience, ...] = ()
    by_consent: tuple[Audience, ...] = ()
    after: dict[str, tuple[Audience, ...]] = {}

    def ordered(self, audiences: Iterable[Audience]) -> tuple[Audience, ...]:
        """Return ``audiences`` in their order, each once."""
        ids = {audience.id for audience in audiences}
        return tuple(audience for audience in self.order if audience.id in ids)


def index_audiences(audiences: Iterable[Audience], journeys: Iterable[Journey]) -> AudienceIndex:
    """Return the index of those of ``audiences`` that ``journeys`` ask for, and of those that these ask about."""
    known = {audience.id: audience for audience in audiences}
    order: dict[str, Audience] = {}
    for journey in journeys:
        for name in sorted(_asked(journey)):
            _visit(name, known, order)
    after = {name: tuple(one for one in order.values() if name in _reached(one, known)) for name in order}
    events: dict[str, dict[str, Audience]] = {}
    traits: dict[str, Audience] = {}
    consent: dict[str, Audience] = {}
    for audience in order.values():
        further = {one.id: one for one in after[audience.id]}
        for part in parts_of(audience.where, events=False):
            match part:
                case Performed() | Aggregate():
                    events.setdefault(part.event, {}).update(further)
                case Expression() | Reachable():
                    traits |= further
                case Consented():
                    consent |= further
                case _:
                    pass
    bare = AudienceIndex(order=tuple(order.values()), ids=frozenset(order), after=after)
    return msgspec.structs.replace(
        bare,
        by_event={event: bare.ordered(found.values()) for event, found in events.items()},
        by_traits=bare.ordered(traits.values()),
        by_consent=bare.ordered(consent.values()),
    )


def _asked(journey: Journey) -> set[str]:
    """Return the audiences that ``journey`` names anywhere."""
    named = {getattr(trigger, "audience", None) for trigger in journey.triggers}
    named |= {rule.audience for rule in journey.exits if isinstance(rule, ExitOnAudience)}
    for condition in conditions_of(journey):
        named |= set(_named(condition, events=True))
    return {name for name in named if name is not None}


def _visit(name: str, known: Mapping[str, Audience], order: dict[str, Audience]) -> None:
    if name in order or name not in known:
        return
    where = known[name].where
    for asked in _named(where, events=False):
        _visit(asked, known, order)
    order[name] = known[name]
    # What is asked of single events is asked of who is a member before them: that is no order.
    for asked in _named(where, events=True):
        _visit(asked, known, order)


def _reached(audience: Audience, known: Mapping[str, Audience]) -> set[str]:
    found = {audience.id}
    for name in _named(audience.where, events=False):
        if name in known:
            found |= _reached(known[name], known)
    return found


def _named(condition: Condition, *, events: bool) -> Iterator[str]:
    return (part.id for part in parts_of(condition, events=events) if isinstance(part, InAudience))
