"""Audiences: groups of contacts by a condition, in a file ``audiences/<id>.yaml`` each."""

from __future__ import annotations

from collections.abc import Collection

from shared.expressions import compile_expression
from shared.journeys.conditions import parse_condition
from shared.journeys.document import read_document
from shared.journeys.faults import Fault, JourneyFaultsError
from shared.journeys.ids import parse_id
from shared.journeys.model import EDGE_EVENTS, Audience
from shared.journeys.predicate import (
    Aggregate,
    Condition,
    Expression,
    InAudience,
    InJourney,
    MessageWas,
    Online,
    Performed,
    TimeIs,
)
from shared.journeys.reader import Node
from shared.journeys.walk import parts_of

SCHEMA = "audience/v1"


def parse_audience(file: str, text: str) -> Audience:
    """Return the audience in ``text``. Raises JourneyFaultsError with every fault of the file."""
    faults: list[Fault] = []
    root = read_document(file, text, faults)
    audience = None if root is None else _audience(root)
    if faults or audience is None:
        raise JourneyFaultsError(faults)
    return audience


def _audience(root: Node) -> Audience | None:
    fields = root.fields(("schema", "id", "name", "description", "where"), required=("schema", "id", "where"))
    if "schema" in fields:
        fields["schema"].choice((SCHEMA,), "schema")
    if not {"id", "where"} <= fields.keys():
        return None
    where = parse_condition(fields["where"])
    if where is None:
        return None
    for part in parts_of(where, events=False):
        _check(part, fields["where"])
    return Audience(
        id=parse_id(fields["id"]),
        where=where,
        name=fields["name"].text() if "name" in fields else "",
        description=fields["description"].text() if "description" in fields else "",
    )


def _check(part: Condition, at: Node) -> None:
    """An audience is about the contact alone: it has no run, and no event at the moment when a window closes."""
    match part:
        case MessageWas() | InJourney():
            at.fault("an audience cannot ask about a run (`message`, `in_journey`)")
        case TimeIs() | Online():
            at.fault("an audience cannot ask what time it is (`time`, `online`)")
        case Performed() | Aggregate() if part.event in EDGE_EVENTS.values():
            at.fault("an audience asks about another one with `in_audience`")
        case Performed() if part.within is None:
            at.fault("`since: entry` has no meaning in an audience, which has no run; write `within`")
        case Expression():
            for path in sorted(compile_expression(part.text).paths):
                root = path.partition(".")[0]
                if root != "contact":
                    at.fault(f"an audience can only look at `contact`, not at `{root}`")
        case _:
            pass


def check_audiences(audiences: dict[str, Audience], files: dict[str, str], faulty: Collection[str] = ()) -> list[Fault]:
    """Return the faults of audiences that name each other: unknown ones, and circles.

    ``faulty``: those whose files have faults of their own, which are no reason for more here.
    """
    faults: list[Fault] = []
    for audience in audiences.values():
        unknown = sorted(_named(audience) - {*audiences, *faulty})
        faults.extend(Fault(files[audience.id], 1, 1, f"unknown audience `{named}`") for named in unknown)
        if _reaches(audience.id, audience, audiences, frozenset()):
            faults.append(Fault(files[audience.id], 1, 1, f"audience `{audience.id}` is asked about by itself"))
    return faults


def _reaches(goal: str, audience: Audience, audiences: dict[str, Audience], seen: frozenset[str]) -> bool:
    for named in _named(audience):
        if named == goal:
            return True
        if named in audiences and named not in seen and _reaches(goal, audiences[named], audiences, seen | {named}):
            return True
    return False


def _named(audience: Audience) -> set[str]:
    return {part.id for part in parts_of(audience.where, events=False) if isinstance(part, InAudience)}
