"""Any audiences over any history: the engine says at every moment what a look at the whole history says."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.evaluator.core.advance import advance, next_timer
from services.evaluator.core.catalog import Catalog, build_catalog
from services.evaluator.core.occurrence import EventArrived
from services.evaluator.core.state import ContactState
from shared.clock import HOUR, MINUTE
from shared.journeys.model import Audience
from shared.messages.event import Event
from tests.builders import an_event, at, identified
from tests.unit.evaluator.test_audiences import an_audience, on_edge

NAMES = ("buyers", "quiet", "vip", "rich", "spenders")
START = at("10:00")
Answer = Callable[[list[Event], int], bool]
"""Says of all that happened so far whether the contact is in the audience at a time."""

OPERATORS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "==": operator.eq}
FUNCTIONS: dict[str, Callable[[list[int]], float | None]] = {
    "count": len,
    "sum": sum,
    "distinct": lambda values: len(set(values)),
    "avg": lambda values: sum(values) / len(values) if values else None,
    "min": lambda values: min(values, default=None),
    "max": lambda values: max(values, default=None),
    "last": lambda values: values[-1] if values else None,
}


class Asked(msgspec.Struct, frozen=True):
    """A condition as it is written, and what it means."""

    text: str
    holds: Answer


def inside_window(events: list[Event], name: str, hours: int | None, now: int) -> list[Event]:
    found = [event for event in events if event.name == name]
    found.sort(key=lambda event: event.timestamp)
    return [event for event in found if hours is None or now - hours * HOUR < event.timestamp <= now]


def performed(name: str, hours: int, count: int) -> Asked:
    text = f"{{performed: {{event: {name}, within: {hours}h, count: {count}}}}}"
    return Asked(text, lambda events, now: len(inside_window(events, name, hours, now)) >= count)


def aggregate(fn: str, name: str, hours: int | None, sign: str, number: int) -> Asked:
    window = "" if hours is None else f"within: {hours}h, "
    field = "" if fn == "count" else "field: event.properties.total, "
    text = f'{{aggregate: {{event: {name}, fn: {fn}, {field}{window}is: "{sign} {number}"}}}}'

    def holds(events: list[Event], now: int) -> bool:
        value = FUNCTIONS[fn]([event.properties["total"] for event in inside_window(events, name, hours, now)])
        return value is not None and OPERATORS[sign](value, number)

    return Asked(text, holds)


def trait(expected: int) -> Asked:
    def holds(events: list[Event], _now: int) -> bool:
        told = [event.traits["level"] for event in events if event.type == "identify"]
        return bool(told) and told[-1] == expected

    return Asked(f"contact.level == {expected}", holds)


def negated(part: Asked) -> Asked:
    return Asked(f"{{not: {quoted(part)}}}", lambda events, now: not part.holds(events, now))


def joined(word: str, parts: list[Asked]) -> Asked:
    of = all if word == "all" else any
    text = f"{{{word}: [{', '.join(quoted(part) for part in parts)}]}}"
    return Asked(text, lambda events, now: of(part.holds(events, now) for part in parts))


def quoted(part: Asked) -> str:
    return part.text if part.text.startswith("{") else f'"{part.text}"'


EVENTS = st.sampled_from(["Bought", "Browsed"])
HOURS = st.sampled_from([1, 2, 5])
PARTS: st.SearchStrategy[Asked] = st.one_of(
    st.builds(performed, EVENTS, HOURS, st.integers(1, 3)),
    st.builds(
        aggregate,
        st.sampled_from(sorted(FUNCTIONS)),
        EVENTS,
        st.one_of(st.none(), HOURS, HOURS),
        st.sampled_from(sorted(OPERATORS)),
        st.integers(-1, 6),
    ),
    st.builds(trait, st.integers(0, 1)),
)


@st.composite
def definitions(draw: st.DrawFn) -> dict[str, Asked]:
    """Return audiences of which later ones may ask about those before them."""
    found: dict[str, Asked] = {}
    for name in NAMES[: draw(st.integers(1, len(NAMES)))]:
        leaves = PARTS
        if found:
            others = st.sampled_from([Asked(f"{{in_audience: {one}}}", asked.holds) for one, asked in found.items()])
            leaves = st.one_of(PARTS, PARTS, others)
        grown = st.recursive(
            leaves,
            lambda inner: st.one_of(
                st.builds(negated, inner),
                st.builds(joined, st.sampled_from(["all", "any"]), st.lists(inner, min_size=1, max_size=3)),
            ),
            max_leaves=4,
        )
        found[name] = draw(grown)
    return found


def made(kind: str, now: int, late: int, value: int, place: int) -> Event:
    if kind == "Identified":
        return msgspec.structs.replace(identified(now, level=value % 2), message_id=f"m{place}")
    return an_event(kind, now - late, received=now, message_id=f"m{place}", total=value)


GAPS = st.sampled_from([0, 1, 30 * MINUTE, HOUR, HOUR, HOUR - 1, 2 * HOUR, 3 * HOUR, 9 * HOUR])
KINDS = st.sampled_from(["Bought", "Bought", "Browsed", "Identified", "Other"])


def histories(late: st.SearchStrategy[int]) -> st.SearchStrategy[list[Event]]:
    def build(steps: list[tuple[int, str, int, int]]) -> list[Event]:
        now, found = START, []
        for place, (gap, kind, lateness, value) in enumerate(steps):
            now += gap
            found.append(made(kind, now, lateness, value, place))
        return found

    return st.lists(st.tuples(GAPS, KINDS, late, st.integers(-2, 4)), min_size=1, max_size=14).map(build)


def catalog_for(asked: dict[str, Asked]) -> Catalog:
    audiences: list[Audience] = [an_audience(name, quoted(part)) for name, part in asked.items()]
    journeys = [on_edge(name, way) for name in asked for way in ("entered", "left")]
    return build_catalog(journeys, audiences=reversed(audiences))


class Played:
    """One contact, its events and the timers between them; what it was told of edges, and where it was after each."""

    def __init__(self, catalog: Catalog, events: list[Event], *, twice: bool = False) -> None:
        self.catalog = catalog
        self.state = ContactState(contact="u:c1")
        self.edges: dict[str, list[tuple[str, int]]] = {}
        self.members: list[tuple[int, dict[str, bool]]] = []
        for event in events:
            for _ in range(2 if twice else 1):
                self.run(event.received_at)
                self.take(advance(catalog, self.state, EventArrived(event, event.received_at)))
            self.members.append((event.received_at, self.state.audiences))
        self.run(events[-1].received_at + 100 * HOUR)

    def run(self, before: int) -> None:
        while (due := next_timer(self.state, before)) is not None:
            self.take(advance(self.catalog, self.state, due))
            self.members.append((due.timer.due, self.state.audiences))

    def take(self, result: Any) -> None:
        self.state = result.state
        for record in result.journal:
            if record.decision == "entered":
                name, _, way = record.journey.rpartition("_")
                self.edges.setdefault(name, []).append((way, record.at))


def expected_edges(asked: Asked, events: list[Event]) -> list[tuple[str, int]]:
    """Return the changes of a look at the whole history at each moment at which anything can change."""
    moments = {event.received_at for event in events}
    moments |= {event.timestamp + hours * HOUR for event in events for hours in (1, 2, 5)}
    found: list[tuple[str, int]] = []
    inside = False
    for now in sorted(moment for moment in moments if moment >= events[0].received_at):
        is_now = asked.holds([event for event in events if event.received_at <= now], now)
        if is_now is not inside:
            found.append(("entered" if is_now else "left", now))
        inside = is_now
    return found


def one_at_a_time(events: list[Event]) -> list[Event]:
    """Return the first of those that arrive at one moment: between two of them the contact may come and go."""
    return list({event.received_at: event for event in reversed(events)}.values())[::-1]


@settings(max_examples=120, deadline=None)
@given(definitions(), histories(st.just(0)))
def test_each_edge_comes_at_the_very_millisecond(asked: dict[str, Asked], history: list[Event]) -> None:
    events = one_at_a_time(history)
    played = Played(catalog_for(asked), events)
    assert {name: expected_edges(part, events) for name, part in asked.items()} == {
        name: played.edges.get(name, []) for name in asked
    }


@settings(max_examples=120, deadline=None)
@given(definitions(), histories(st.sampled_from([0, 0, MINUTE, HOUR, 4 * HOUR, 30 * HOUR])))
def test_who_is_in_which_audience_is_known_at_every_moment(asked: dict[str, Asked], history: list[Event]) -> None:
    """Events that come late included. At the moment at which a window closes an event may still go first."""
    played = Played(catalog_for(asked), history)
    final = played.members[-1][0]
    arrivals = [event.received_at for event in history]
    for number, (now, members) in enumerate(played.members):
        last_of_moment = number + 1 == len(played.members) or played.members[number + 1][0] > now
        if last_of_moment:
            known = [event for event in history if event.received_at <= now]
            assert {name: part.holds(known, now) for name, part in asked.items()} == members, (now, final, arrivals)


@settings(max_examples=60, deadline=None)
@given(definitions(), histories(st.sampled_from([0, HOUR, 30 * HOUR])))
def test_the_edges_of_an_audience_alternate_and_a_repeat_changes_nothing(
    asked: dict[str, Asked], history: list[Event]
) -> None:
    catalog = catalog_for(asked)
    played, again = Played(catalog, history), Played(catalog, history, twice=True)
    assert (played.state, played.edges) == (again.state, again.edges)
    for found in played.edges.values():
        ways = [way for way, _ in found]
        assert ["entered", "left"] * (len(ways) // 2) + ["entered"] * (len(ways) % 2) == ways
