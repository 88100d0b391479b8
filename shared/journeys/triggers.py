"""Parses triggers: one function per type, and the table of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, cast

from shared.journeys import later
from shared.journeys.conditions import optional_condition, parse_expression
from shared.journeys.model import (
    AbsenceTrigger,
    EventTrigger,
    InactivityTrigger,
    Target,
    ThresholdTrigger,
    Trigger,
)
from shared.journeys.reader import Node

_TARGET = re.compile(r"(>=|<=|==|>|<)\s*(-?\d{1,15}(?:\.\d{1,6})?)")


def parse_trigger(node: Node) -> Trigger | None:
    """Return the trigger of ``node``."""
    kind = "event"
    if node.is_a(dict) and "type" in node.value:
        kind = node.value["type"].choice(_TYPES, "trigger type", later.TRIGGER_TYPES)
        if node.value["type"].value != kind:
            return None  # its other keys are those of the type that is not here
    return _TYPES[kind](node)


def _event(node: Node) -> Trigger | None:
    fields = node.fields(("type", "event", "where", "max_age"), required=("type", "event"))
    if "event" not in fields:
        return None
    return EventTrigger(
        event=fields["event"].text(),
        where=optional_condition(fields, "where"),
        max_age=fields["max_age"].duration() if "max_age" in fields else None,
    )


def _threshold(node: Node) -> Trigger | None:
    known = ("type", "aggregate", "event", "field", "within", "group_by", "is", "where")
    fields = node.fields(known, required=("aggregate", "event", "is"))
    if not {"aggregate", "event", "is"} <= fields.keys():
        return None
    aggregate = fields["aggregate"].choice(("count", "sum", "distinct"), "aggregate", later.AGGREGATES)
    if aggregate != "count" and "field" not in fields:
        node.fault(f"`aggregate: {aggregate}` needs a `field`, such as event.properties.total")
    return ThresholdTrigger(
        aggregate=cast("Literal['count', 'sum', 'distinct']", aggregate),
        event=fields["event"].text(),
        target=_target(fields["is"]),
        field=parse_expression(fields["field"]) if "field" in fields else None,
        within=fields["within"].duration(least=1) if "within" in fields else None,
        group_by=parse_expression(fields["group_by"]) if "group_by" in fields else None,
        where=optional_condition(fields, "where"),
    )


def _target(node: Node) -> Target:
    text = node.text()
    found = _TARGET.fullmatch(text)
    if found is None:
        if text:
            node.fault(f'`{text[:40]}` is no comparison with a number; write one in quotes such as ">= 3"')
        return Target(">=", 0)
    return Target(cast("Literal['>', '>=', '<', '<=', '==']", found[1]), float(found[2]))


def _inactivity(node: Node) -> Trigger | None:
    fields = node.fields(("type", "events", "for", "where", "start"), required=("events", "for"))
    if not {"events", "for"} <= fields.keys():
        return None
    if fields["events"].value == []:
        fields["events"].fault("expected at least one event")
    start = fields["start"].choice(("first_event", "first_seen"), "start") if "start" in fields else "first_event"
    return InactivityTrigger(
        events=tuple(item.text() for item in fields["events"].items()),
        duration=fields["for"].duration(least=1),
        where=optional_condition(fields, "where"),
        start=cast("Literal['first_event', 'first_seen']", start),
    )


def _absence(node: Node) -> Trigger | None:
    fields = node.fields(("type", "after", "missing", "within", "match", "where"), ("after", "missing", "within"))
    if not {"after", "missing", "within"} <= fields.keys():
        return None
    after, missing = _named(fields["after"]), _named(fields["missing"])
    if after and after == missing:
        fields["missing"].fault("`missing` is the same event as `after`")
    return AbsenceTrigger(
        after=after,
        missing=missing,
        within=fields["within"].duration(least=1),
        match=tuple(item.text() for item in fields["match"].items()) if "match" in fields else (),
        where=optional_condition(fields, "where"),
    )


def _named(node: Node) -> str:
    """Return the event of ``{event: NAME}``."""
    fields = node.fields(("event",), required=("event",))
    return fields["event"].text() if "event" in fields else ""


_TYPES: dict[str, Callable[[Node], Trigger | None]] = {
    "event": _event,
    "threshold": _threshold,
    "inactivity": _inactivity,
    "absence": _absence,
}
