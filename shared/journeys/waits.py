"""Parses the steps at which a run stays: ``wait``, ``wait_for``, ``collect``."""

from __future__ import annotations

from typing import Literal, cast

from shared.journeys.conditions import optional_condition, parse_expression
from shared.journeys.ids import parse_id
from shared.journeys.model import Awaited, Collect, Step, Until, Wait, WaitFor
from shared.journeys.reader import Node
from shared.journeys.reading import Reading
from shared.journeys.times import (
    parse_calendar_span,
    parse_clock,
    parse_date,
    parse_days,
    parse_offset,
    parse_trait,
    parse_zone,
)


def parse_wait(name: str, node: Node, _reading: Reading) -> Step | None:
    """Return the step ``wait``."""
    fields = node.fields(("for", "until", "reset_by", "jitter", "past"))
    if ("for" in fields) == ("until" in fields):
        if node.is_a(dict):
            node.fault("`wait` has either `for` (a duration) or `until` (a local time)")
        return None
    span = "for" in fields and fields["for"].is_a(str) and fields["for"].value.startswith("P")
    if "past" in fields and "until" not in fields:
        fields["past"].fault("`past` belongs to a wait `until` a date")
    past = fields["past"].choice(("continue", "exit"), "past") if "past" in fields else "continue"
    return Wait(
        id=name,
        duration=fields["for"].duration() if "for" in fields and not span else None,
        span=parse_calendar_span(fields["for"]) if span else None,
        until=_until(fields["until"]) if "until" in fields else None,
        reset_by=tuple(item.text() for item in fields["reset_by"].items()) if "reset_by" in fields else (),
        jitter=fields["jitter"].duration() if "jitter" in fields else 0,
        past=cast("Literal['continue', 'exit']", past),
    )


def _until(node: Node) -> Until:
    fields = node.fields(("time", "days", "date", "property", "match", "offset", "latest", "timezone"))
    if node.is_a(dict) and not {"time", "date", "property"} & fields.keys():
        node.fault("`until` has at least one of time, date, property")
    if "date" in fields and ("property" in fields or "days" in fields):
        fields["date"].fault("a wait until a `date` has no `days` and no `property`")
    if "days" in fields and "property" in fields:
        fields["days"].fault("a wait until a `property` has no `days`")
    for name in ("match", "offset"):
        if name in fields and "property" not in fields:
            fields[name].fault(f"`{name}` belongs to a wait until a `property`")
    match = fields["match"].choice(("exact", "anniversary"), "match") if "match" in fields else "exact"
    return Until(
        time=parse_clock(fields["time"]) if "time" in fields else "00:00",
        days=parse_days(fields["days"]) if "days" in fields else (),
        date=parse_date(fields["date"]) if "date" in fields else None,
        property=parse_trait(fields["property"]) if "property" in fields else None,
        match=cast("Literal['anniversary', 'exact']", match),
        offset_days=parse_offset(fields["offset"]) if "offset" in fields else 0,
        latest=fields["latest"].duration(least=1) if "latest" in fields else None,
        timezone=parse_zone(fields["timezone"]) if "timezone" in fields else "contact",
    )


def parse_wait_for(name: str, node: Node, reading: Reading) -> Step | None:
    """Return the step ``wait_for``."""
    fields = node.fields(("any", "timeout", "since"), required=("any",))
    if "any" in fields and fields["any"].value == []:
        fields["any"].fault("a `wait_for` waits for at least one thing")
    timeout: int | None = None
    then: tuple[Step, ...] = ()
    if "timeout" in fields:
        inner = fields["timeout"].fields(("after", "then"), required=("after",))
        timeout = inner["after"].duration(least=1) if "after" in inner else None
        then = reading.block(inner, "then")
    return WaitFor(
        id=name,
        any=fields["any"].each(lambda item: _awaited(item, reading)) if "any" in fields else (),
        timeout=timeout,
        timeout_then=then,
        since=fields["since"].text() if "since" in fields else "step",
    )


def _awaited(node: Node, reading: Reading) -> Awaited | None:
    fields = node.fields(("id", "event", "if", "where", "then"), required=("id",))
    if ("event" in fields) == ("if" in fields):
        if node.is_a(dict):
            node.fault("what is waited for is either an `event` or an `if`")
        return None
    if "where" in fields and "if" in fields:
        fields["where"].fault("`where` belongs to an `event`; join conditions with `all`")
    return Awaited(
        id=parse_id(fields["id"]) if "id" in fields else "",
        event=fields["event"].text() if "event" in fields else None,
        where=optional_condition(fields, "where"),
        condition=optional_condition(fields, "if"),
        then=reading.block(fields, "then"),
    )


def parse_collect(name: str, node: Node, _reading: Reading) -> Step | None:
    """Return the step ``collect``."""
    fields = node.fields(("event", "by", "for", "max", "save_as"), required=("event", "for", "save_as"))
    if not {"event", "for", "save_as"} <= fields.keys():
        return None
    return Collect(
        id=name,
        event=fields["event"].text(),
        duration=fields["for"].duration(least=1),
        save_as=parse_id(fields["save_as"]),
        by=parse_expression(fields["by"]) if "by" in fields else None,
        most=fields["max"].integer(1, 100) if "max" in fields else 100,
    )
