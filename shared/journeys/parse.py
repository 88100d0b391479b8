"""A journey document to a ``Journey``. Every fault of the file is found in one run, each with its line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, cast

from shared.clock import DAY
from shared.journeys import later
from shared.journeys.check import check_journey
from shared.journeys.conditions import optional_condition, parse_condition, parse_expression
from shared.journeys.document import read_document
from shared.journeys.faults import Fault, JourneyFaultsError
from shared.journeys.ids import parse_id
from shared.journeys.model import (
    Entry,
    ExitAfter,
    ExitIf,
    ExitOnEvent,
    ExitRule,
    Goal,
    Journey,
    Reentry,
    Template,
    Trigger,
)
from shared.journeys.policy import parse_policy
from shared.journeys.predicate import Expression
from shared.journeys.promises import InFlight
from shared.journeys.promises_reader import parse_in_flight, parse_invariants
from shared.journeys.reader import Node
from shared.journeys.sending import Policy
from shared.journeys.steps import Reading, parse_steps
from shared.journeys.triggers import parse_trigger

SCHEMA = "journey/v1"
_TOP = (
    *("schema", "id", "version", "name", "description", "owner", "tags", "trigger", "triggers", "entry", "context"),
    *("goals", "exit", "policy", "steps", "in_flight", "invariants"),
)
_DEFAULT_GOAL_WINDOW = 7 * DAY


class Source(NamedTuple):
    """A journey with the nodes that it was read from: those of the top by key, those of the steps by id."""

    journey: Journey
    fields: dict[str, Node]
    steps: dict[str, Node]


def parse_journey(file: str, text: str, templates: Mapping[str, Template | None]) -> Journey:
    """Return the journey in ``text``. Raises JourneyFaultsError with every fault of the file.

    ``templates`` are those that it may name; None: there is one, with faults of its own.
    """
    return parse_source(file, text, templates).journey


def parse_source(file: str, text: str, templates: Mapping[str, Template | None]) -> Source:
    """Return the journey in ``text`` and where its parts stand. Raises as ``parse_journey`` does."""
    faults: list[Fault] = []
    root = read_document(file, text, faults)
    source = None if root is None else _source(root, templates)
    if faults or source is None:
        raise JourneyFaultsError(faults)
    return source


def _source(root: Node, templates: Mapping[str, Template | None]) -> Source | None:
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
        one = parse_trigger(fields["trigger"])
        triggers = () if one is None else (one,)
    elif "triggers" in fields:
        triggers = fields["triggers"].each(parse_trigger)
    positions: dict[str, Node] = {}
    journey = Journey(
        id=parse_id(fields["id"]) if "id" in fields else "",
        version=fields["version"].integer(1, 1_000_000) if "version" in fields else 0,
        triggers=triggers,
        steps=parse_steps(fields["steps"], Reading(templates, positions)) if "steps" in fields else (),
        name=fields["name"].text() if "name" in fields else "",
        description=fields["description"].text() if "description" in fields else "",
        owner=fields["owner"].text() if "owner" in fields else "",
        tags=tuple(tag.text() for tag in fields["tags"].items()) if "tags" in fields else (),
        entry=_entry(fields["entry"]) if "entry" in fields else Entry(),
        context=_context(fields["context"]) if "context" in fields else {},
        goals=fields["goals"].each(_goal) if "goals" in fields else (),
        exits=fields["exit"].each(_exit_rule) if "exit" in fields else (),
        policy=parse_policy(fields["policy"]) if "policy" in fields else Policy(),
        in_flight=parse_in_flight(fields["in_flight"]) if "in_flight" in fields else InFlight(),
        invariants=parse_invariants(fields["invariants"]) if "invariants" in fields else (),
    )
    check_journey(journey, fields, positions)
    return Source(journey, fields, positions)


def _entry(node: Node) -> Entry:
    fields = node.fields(("where", "key", "on_retrigger", "reentry", "priority"), later=later.ENTRY)
    key = fields.get("key")
    retrigger = ("ignore", "restart", "update_context")
    return Entry(
        where=optional_condition(fields, "where"),
        key=None if key is None or key.value == "contact" else parse_expression(key),
        on_retrigger=cast(
            "Literal['ignore', 'restart', 'update_context']",
            fields["on_retrigger"].choice(retrigger, "on_retrigger") if "on_retrigger" in fields else "ignore",
        ),
        reentry=_reentry(fields["reentry"]) if "reentry" in fields else Reentry(),
        priority=fields["priority"].integer(0, 100) if "priority" in fields else 50,
    )


def _reentry(node: Node) -> Reentry:
    fields = node.fields(("mode", "cooldown"), later=later.REENTRY)
    modes = ("after_exit", "never", "always")
    mode = fields["mode"].choice(modes, "reentry mode", later.REENTRY_MODES) if "mode" in fields else "after_exit"
    return Reentry(
        mode=cast("Literal['never', 'after_exit', 'always']", mode),
        cooldown=fields["cooldown"].duration() if "cooldown" in fields else 0,
    )


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
    if "attribution" in fields:
        fields["attribution"].choice(("last_send",), "attribution", later.ATTRIBUTIONS)
    return Goal(
        id=parse_id(fields["id"]),
        event=fields["event"].text(),
        window=fields["window"].duration(least=1) if "window" in fields else _DEFAULT_GOAL_WINDOW,
        primary=fields["primary"].boolean() if "primary" in fields else False,
        where=optional_condition(fields, "where"),
        value=parse_expression(fields["value"]) if "value" in fields else None,
    )


def _exit_rule(node: Node) -> ExitRule | None:
    fields = node.fields(("reason", "event", "where", "if", "after"), required=("reason",), later=later.EXIT_RULE)
    kinds = [kind for kind in ("event", "if", "after") if kind in fields]
    if len(kinds) != 1:
        if node.is_a(dict) and not later.EXIT_RULE & node.value.keys():
            node.fault("an exit rule has exactly one of event, if, after")
        return None
    reason = parse_id(fields["reason"]) if "reason" in fields else ""
    if "where" in fields and kinds != ["event"]:
        fields["where"].fault("`where` belongs to an exit by `event`")
    if "after" in fields:
        return ExitAfter(reason=reason, after=fields["after"].duration())
    if "if" in fields:
        condition = parse_condition(fields["if"])
        return None if condition is None else ExitIf(reason=reason, condition=condition)
    where = optional_condition(fields, "where")
    return ExitOnEvent(reason=reason, event=fields["event"].text(), where=where)
