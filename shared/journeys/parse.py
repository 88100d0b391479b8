"""A journey document to a ``Journey``. Every fault of the file is found in one run, each with its line."""

from __future__ import annotations

from typing import NamedTuple, cast

from shared.clock import DAY
from shared.journeys.check import check_journey
from shared.journeys.conditions import optional_condition, parse_condition, parse_expression
from shared.journeys.document import read_document
from shared.journeys.entry import parse_entry
from shared.journeys.faults import Fault, JourneyFaultsError
from shared.journeys.ids import parse_id
from shared.journeys.model import (
    Attribution,
    Entry,
    ExitAfter,
    ExitIf,
    ExitOnAudience,
    ExitOnEvent,
    ExitRule,
    Goal,
    Journey,
    Trigger,
)
from shared.journeys.policy import JOURNEY, Given, parse_given
from shared.journeys.predicate import Expression
from shared.journeys.promises import InFlight
from shared.journeys.promises_reader import parse_in_flight, parse_invariants
from shared.journeys.reader import Node
from shared.journeys.references import check_references
from shared.journeys.steps import parse_steps
from shared.journeys.triggers import parse_audience_id, parse_trigger
from shared.journeys.workspace import Surroundings

SCHEMA = "journey/v1"
_TOP = (
    *("schema", "id", "version", "name", "description", "owner", "tags", "trigger", "triggers", "entry", "context"),
    *("goals", "exit", "policy", "steps", "in_flight", "invariants"),
)
_DEFAULT_GOAL_WINDOW = 7 * DAY
NOTHING = Surroundings()


class Source(NamedTuple):
    """A journey with the nodes that it was read from: those of the top by key, those of the steps by id."""

    journey: Journey
    fields: dict[str, Node]
    steps: dict[str, Node]


def parse_journey(file: str, text: str, around: Surroundings = NOTHING) -> Journey:
    """Return the journey in ``text``, which may name what is ``around``. Raises JourneyFaultsError with every fault."""
    return parse_source(file, text, around).journey


def parse_source(file: str, text: str, around: Surroundings = NOTHING) -> Source:
    """Return the journey in ``text`` and where its parts stand. Raises as ``parse_journey`` does."""
    faults: list[Fault] = []
    root = read_document(file, text, faults)
    source = None if root is None else _source(root, around)
    if faults or source is None:
        raise JourneyFaultsError(faults)
    return source


def _source(root: Node, around: Surroundings) -> Source | None:
    fields = root.fields(_TOP, required=("schema", "id", "version", "steps"))
    if "schema" in fields:
        fields["schema"].choice((SCHEMA,), "schema")
    if not root.is_a(dict):
        return None
    if "trigger" in fields and "triggers" in fields:
        fields["triggers"].fault("write either `trigger` or `triggers`, not both")
    elif "trigger" not in fields and "triggers" not in fields:
        root.fault("`trigger` is missing: nothing starts this journey")
    triggers: tuple[Trigger, ...] = ()
    if "trigger" in fields:
        one = parse_trigger(fields["trigger"], around)
        triggers = () if one is None else (one,)
    elif "triggers" in fields:
        triggers = fields["triggers"].each(lambda node: parse_trigger(node, around))
    positions: dict[str, Node] = {}
    policy = _policy(fields["policy"], around) if "policy" in fields else {}
    journey = Journey(
        id=parse_id(fields["id"]) if "id" in fields else "",
        version=fields["version"].integer(1, 1_000_000) if "version" in fields else 0,
        triggers=triggers,
        steps=parse_steps(fields["steps"], around, policy, positions) if "steps" in fields else (),
        name=fields["name"].text() if "name" in fields else "",
        description=fields["description"].text() if "description" in fields else "",
        owner=fields["owner"].text() if "owner" in fields else "",
        tags=tuple(tag.text() for tag in fields["tags"].items()) if "tags" in fields else (),
        entry=parse_entry(fields["entry"], around) if "entry" in fields else Entry(),
        context=_context(fields["context"]) if "context" in fields else {},
        goals=fields["goals"].each(_goal) if "goals" in fields else (),
        exits=fields["exit"].each(lambda node: _exit_rule(node, around)) if "exit" in fields else (),
        policy=around.policy(policy),
        in_flight=parse_in_flight(fields["in_flight"]) if "in_flight" in fields else InFlight(),
        invariants=parse_invariants(fields["invariants"]) if "invariants" in fields else (),
    )
    check_journey(journey, fields, positions)
    check_references(journey, root, positions, around.audiences)
    return Source(journey, fields, positions)


def _policy(node: Node, around: Surroundings) -> Given:
    if node.is_a(dict) and "topic" in node.value:
        around.check_topic(node.value["topic"])
    return parse_given(node, JOURNEY)


def _context(node: Node) -> dict[str, Expression]:
    found = {}
    for name, child in node.pairs():
        expression = parse_expression(child)
        if expression is not None:
            found[str(name)] = expression
    return found


def _goal(node: Node) -> Goal | None:
    known = ("id", "primary", "event", "where", "window", "attribution", "value")
    fields = node.fields(known, required=("id", "event"))
    if not {"id", "event"} <= fields.keys():
        return None
    ways = ("last_send", "last_click", "any_send")
    attribution = fields["attribution"].choice(ways, "attribution") if "attribution" in fields else "last_send"
    return Goal(
        id=parse_id(fields["id"]),
        event=fields["event"].text(),
        window=fields["window"].duration(least=1) if "window" in fields else _DEFAULT_GOAL_WINDOW,
        primary=fields["primary"].boolean() if "primary" in fields else False,
        where=optional_condition(fields, "where"),
        attribution=cast("Attribution", attribution),
        value=parse_expression(fields["value"]) if "value" in fields else None,
    )


def _exit_rule(node: Node, around: Surroundings) -> ExitRule | None:
    kinds_known = ("event", "if", "audience_left", "after")
    fields = node.fields(("reason", "where", *kinds_known), required=("reason",))
    kinds = [kind for kind in kinds_known if kind in fields]
    if len(kinds) != 1:
        if node.is_a(dict):
            node.fault(f"an exit rule has exactly one of {', '.join(kinds_known)}")
        return None
    reason = parse_id(fields["reason"]) if "reason" in fields else ""
    if "where" in fields and kinds != ["event"]:
        fields["where"].fault("`where` belongs to an exit by `event`")
    if "after" in fields:
        return ExitAfter(reason=reason, after=fields["after"].duration())
    if "if" in fields:
        condition = parse_condition(fields["if"])
        return None if condition is None else ExitIf(reason=reason, condition=condition)
    if "audience_left" in fields:
        return ExitOnAudience(reason=reason, audience=parse_audience_id(fields["audience_left"], around))
    where = optional_condition(fields, "where")
    return ExitOnEvent(reason=reason, event=fields["event"].text(), where=where)
