"""What was published: the ``journeys`` topic as read so far, and the records that publish."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from shared.errors import ConfigurationError
from shared.journeys.model import Audience, Definitions, ExitOnAudience, Journey
from shared.journeys.predicate import InAudience
from shared.journeys.walk import conditions_of, parts_of
from shared.messages.event import Marker
from shared.messages.journeys import Definition, JourneyRecord, Order, OrderKind


class Live(msgspec.Struct, frozen=True, array_like=True):
    """What one partition has read of a journey's orders: the last, and when the journey was last stopped (0: never)."""

    version: int
    order: OrderKind
    stopped_at: int = 0


def ordered(live: Mapping[str, Live], marker: Marker, at: int) -> dict[str, Live]:
    """Return ``live`` after ``marker``, which stands in the log at ``at``; the last order stands last."""
    former = live.get(marker.journey)
    stopped_at = at if marker.order == "stop" else 0 if former is None else former.stopped_at
    others = {name: one for name, one in live.items() if name != marker.journey}
    return {**others, marker.journey: Live(marker.version, marker.order, stopped_at)}


class Published:
    """Definitions by id and version, and the last order about each journey with its number."""

    def __init__(self) -> None:
        """Nothing was published."""
        self.journeys: dict[tuple[str, int], Journey] = {}
        self.audiences: dict[tuple[str, int], tuple[Audience, ...]] = {}
        self.orders: dict[str, tuple[int, Order]] = {}
        self._given: list[tuple[int, Order]] = []
        self.number = -1
        """Of the newest record that was taken."""

    def take(self, number: int, record: JourneyRecord) -> None:
        """Take the record at offset ``number``. Raises ValueError when it is of another release."""
        match record:
            case Definition():
                name = record.id, record.version
                self.journeys[name] = msgspec.convert(record.journey, Journey)
                self.audiences[name] = tuple(msgspec.convert(one, Audience) for one in record.audiences)
            case Order():
                self.orders[record.journey] = number, record
                self._given.append((number, record))
        self.number = max(self.number, number)

    def markers(self, after: int) -> list[Marker]:
        """Return what a partition that has read the orders up to number ``after`` has yet to read, in their order.

        Also those that a later one has overtaken: what was stopped and published again has been stopped.
        """
        due = [(number, order) for number, order in self._given if number > after]
        return [
            Marker(
                number=number,
                order=order.order,
                journey=order.journey,
                version=order.version,
                at=order.at,
                by=order.by,
            )
            for number, order in due
        ]

    def publication(self, defined: Definitions, *, at: int, by: str) -> list[JourneyRecord]:
        """Return the records that publish what ``defined`` has and this has not; none: all of it is live as it is.

        Of several versions of a journey the highest takes the entries. Raises ConfigurationError for a version that was
        published with other words, and for one below that which is live.
        """
        records: list[JourneyRecord] = []
        newest: dict[str, Journey] = {}
        for journey in sorted(defined.journeys, key=lambda one: (one.id, one.version)):
            newest[journey.id] = journey
            audiences = named_audiences(journey, defined.audiences)
            known = self.journeys.get((journey.id, journey.version))
            if known is None:
                records.append(_definition(journey, audiences, at=at, by=by))
            elif (known, self.audiences[journey.id, journey.version]) != (journey, audiences):
                name = f"{journey.id}@{journey.version}"
                raise ConfigurationError(f"{name} was published with other words; give the changed file a new version")
        for journey in newest.values():
            _, order = self.orders.get(journey.id, (0, None))
            if order is not None and order.version > journey.version:
                live = f"{journey.id}@{order.version}"
                raise ConfigurationError(f"{live} is live; version {journey.version} is older: give it a higher one")
            if order is None or (order.version, order.order) != (journey.version, "publish"):
                records.append(Order(journey=journey.id, version=journey.version, order="publish", at=at, by=by))
        return records

    def order(self, journey: str, kind: OrderKind, *, at: int, by: str) -> list[JourneyRecord]:
        """Return the record that drains or stops ``journey``; none: it is so already. Raises ConfigurationError."""
        if journey not in self.orders:
            raise ConfigurationError(f"there is no published journey {journey}; `kikkake journeys list` names them")
        _, order = self.orders[journey]
        if order.order == kind:
            return []
        return [Order(journey=journey, version=order.version, order=kind, at=at, by=by)]


def named_audiences(journey: Journey, audiences: Iterable[Audience]) -> tuple[Audience, ...]:
    """Return those of ``audiences`` that ``journey`` names, and those that they name."""
    known = {audience.id: audience for audience in audiences}
    found: dict[str, Audience] = {}
    ahead = list(_names(journey))
    while ahead:
        name = ahead.pop()
        if name in known and name not in found:
            found[name] = known[name]
            ahead += [part.id for part in parts_of(known[name].where) if isinstance(part, InAudience)]
    return tuple(sorted(found.values(), key=lambda audience: audience.id))


def _names(journey: Journey) -> Iterator[str]:
    for condition in conditions_of(journey):
        yield from (part.id for part in parts_of(condition) if isinstance(part, InAudience))
    for trigger in journey.triggers:
        name = getattr(trigger, "audience", None)
        if name is not None:
            yield name
    yield from (rule.audience for rule in journey.exits if isinstance(rule, ExitOnAudience))


def _definition(journey: Journey, audiences: tuple[Audience, ...], *, at: int, by: str) -> Definition:
    return Definition(
        id=journey.id,
        version=journey.version,
        journey=msgspec.to_builtins(journey),
        audiences=tuple(msgspec.to_builtins(audience) for audience in audiences),
        at=at,
        by=by,
    )
