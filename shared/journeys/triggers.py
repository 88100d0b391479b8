"""Parses triggers: one function per type, and the table of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, cast

from shared.journeys.conditions import optional_condition, parse_expression
from shared.journeys.faults import shown, suggestion
from shared.journeys.ids import parse_id
from shared.journeys.model import (
    AbsenceTrigger,
    ApiTrigger,
    AudienceTrigger,
    CalendarTrigger,
    DateTrigger,
    EventTrigger,
    InactivityTrigger,
    JourneyTrigger,
    ScheduleTrigger,
    ThresholdTrigger,
    Trigger,
)
from shared.journeys.reader import Node
from shared.journeys.targets import parse_target
from shared.journeys.times import parse_clock, parse_cron, parse_offset, parse_trait, parse_zone
from shared.journeys.workspace import Surroundings


def parse_trigger(node: Node, around: Surroundings) -> Trigger | None:
    """Return the trigger of ``node``."""
    kind = "event"
    if node.is_a(dict) and "type" in node.value:
        kind = node.value["type"].choice(_TYPES, "trigger type")
        if node.value["type"].value != kind:
            return None  # its other keys are those of the type that is not here
    return _TYPES[kind](node, around)


def parse_audience_id(node: Node, around: Surroundings) -> str:
    """Return the id of an audience; a fault when there is no such file."""
    name = node.text()
    if name and name not in around.audiences:
        node.fault(f"there is no file {shown(f'audiences/{name}.yaml')}{suggestion(name, around.audiences)}")
    return name


def _event(node: Node, _around: Surroundings) -> Trigger | None:
    fields = node.fields(("type", "event", "where", "max_age"), required=("type", "event"))
    if "event" not in fields:
        return None
    return EventTrigger(
        event=fields["event"].text(),
        where=optional_condition(fields, "where"),
        max_age=fields["max_age"].duration() if "max_age" in fields else None,
    )


def _threshold(node: Node, _around: Surroundings) -> Trigger | None:
    known = ("type", "aggregate", "event", "field", "within", "baseline", "group_by", "is", "where")
    fields = node.fields(known, required=("aggregate", "event", "is"))
    if not {"aggregate", "event", "is"} <= fields.keys():
        return None
    aggregate = fields["aggregate"].choice(("count", "sum", "distinct", "rate"), "aggregate")
    if aggregate in ("sum", "distinct") and "field" not in fields:
        node.fault(f"`aggregate: {aggregate}` needs a `field`, such as event.properties.total")
    within = fields["within"].duration(least=1) if "within" in fields else None
    return ThresholdTrigger(
        aggregate=cast("Literal['count', 'sum', 'distinct', 'rate']", aggregate),
        event=fields["event"].text(),
        target=parse_target(fields["is"]),
        baseline=_baseline(node, fields, aggregate, within),
        field=parse_expression(fields["field"]) if "field" in fields else None,
        within=within,
        group_by=parse_expression(fields["group_by"]) if "group_by" in fields else None,
        where=optional_condition(fields, "where"),
    )


def _baseline(node: Node, fields: dict[str, Node], aggregate: str, within: int | None) -> int | None:
    """Return what a rate is compared with: ``baseline``, else four times ``within``."""
    if aggregate != "rate":
        if "baseline" in fields:
            fields["baseline"].fault("`baseline` belongs to `aggregate: rate`")
        return None
    if within is None:
        node.fault("`aggregate: rate` needs `within`, such as 7d")
        return None
    baseline = fields["baseline"].duration(least=1) if "baseline" in fields else 4 * within
    if baseline <= within:
        fields["baseline"].fault("`baseline` is longer than `within`")
    return baseline


def _inactivity(node: Node, _around: Surroundings) -> Trigger | None:
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


def _absence(node: Node, _around: Surroundings) -> Trigger | None:
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


def _audience(node: Node, around: Surroundings) -> Trigger | None:
    fields = node.fields(("type", "audience", "edge", "where"), required=("audience",))
    if "audience" not in fields:
        return None
    edge = fields["edge"].choice(("entered", "left"), "edge") if "edge" in fields else "entered"
    return AudienceTrigger(
        audience=parse_audience_id(fields["audience"], around),
        edge=cast("Literal['entered', 'left']", edge),
        where=optional_condition(fields, "where"),
    )


def _date(node: Node, _around: Surroundings) -> Trigger | None:
    known = ("type", "property", "match", "offset", "at", "timezone", "feb29", "missed", "on_change", "where")
    fields = node.fields(known, required=("property",))
    if "property" not in fields:
        return None
    match = fields["match"].choice(("anniversary", "exact"), "match") if "match" in fields else "anniversary"
    feb29 = fields["feb29"].choice(("feb28", "mar1", "skip"), "feb29") if "feb29" in fields else "feb28"
    if "feb29" in fields and match != "anniversary":
        fields["feb29"].fault("`feb29` belongs to `match: anniversary`")
    change = (
        fields["on_change"].choice(("reschedule", "ignore"), "on_change") if "on_change" in fields else "reschedule"
    )
    return DateTrigger(
        property=parse_trait(fields["property"]),
        match=cast("Literal['anniversary', 'exact']", match),
        offset_days=parse_offset(fields["offset"]) if "offset" in fields else 0,
        at=parse_clock(fields["at"]) if "at" in fields else "00:00",
        timezone=parse_zone(fields["timezone"]) if "timezone" in fields else "contact",
        feb29=cast("Literal['feb28', 'mar1', 'skip']", feb29),
        send_within=_missed(fields["missed"]) if "missed" in fields else None,
        on_change=cast("Literal['reschedule', 'ignore']", change),
        where=optional_condition(fields, "where"),
    )


def _missed(node: Node) -> int | None:
    if not node.is_a(dict):
        node.choice(("skip",), "missed (or {send_within: 2d})")
        return None
    fields = node.fields(("send_within",), required=("send_within",))
    return fields["send_within"].duration(least=1) if "send_within" in fields else None


def _calendar(node: Node, around: Surroundings) -> Trigger | None:
    known = ("type", "calendar", "occasion", "day", "offset", "at", "timezone", "audience", "where")
    fields = node.fields(known, required=("calendar", "occasion"))
    if not {"calendar", "occasion"} <= fields.keys():
        return None
    name, occasion = fields["calendar"].text(), fields["occasion"].text()
    day = fields["day"].choice(("first", "last"), "day") if "day" in fields else "first"
    calendar = around.calendars.get(name)
    if calendar is None:
        fields["calendar"].fault(
            f"there is no file {shown(f'calendars/{name}.yaml')}{suggestion(name, around.calendars)}"
        )
        return None
    if occasion not in calendar.occasions:
        fields["occasion"].fault(
            f"calendar `{name}` has no occasion {shown(occasion)}{suggestion(occasion, calendar.occasions)}"
        )
        return None
    return CalendarTrigger(
        calendar=name,
        occasion=occasion,
        days=tuple(found.first if day == "first" else found.last for found in calendar.occasions[occasion]),
        offset_days=parse_offset(fields["offset"]) if "offset" in fields else 0,
        at=parse_clock(fields["at"]) if "at" in fields else "00:00",
        timezone=parse_zone(fields["timezone"]) if "timezone" in fields else "contact",
        audience=parse_audience_id(fields["audience"], around) if "audience" in fields else None,
        where=optional_condition(fields, "where"),
    )


def _schedule(node: Node, around: Surroundings) -> Trigger | None:
    fields = node.fields(("type", "cron", "timezone", "audience", "where"), required=("cron",))
    if "cron" not in fields:
        return None
    return ScheduleTrigger(
        cron=parse_cron(fields["cron"]),
        timezone=parse_zone(fields["timezone"]) if "timezone" in fields else "contact",
        audience=parse_audience_id(fields["audience"], around) if "audience" in fields else None,
        where=optional_condition(fields, "where"),
    )


def _api(node: Node, _around: Surroundings) -> Trigger | None:
    return ApiTrigger(where=optional_condition(node.fields(("type", "where")), "where"))


def _journey(node: Node, _around: Surroundings) -> Trigger | None:
    fields = node.fields(("type", "journey", "outcome", "where"), required=("journey",))
    if "journey" not in fields:
        return None
    return JourneyTrigger(
        journey=parse_id(fields["journey"]),
        outcome=parse_id(fields["outcome"]) if "outcome" in fields else None,
        where=optional_condition(fields, "where"),
    )


_TYPES: dict[str, Callable[[Node, Surroundings], Trigger | None]] = {
    "event": _event,
    "audience": _audience,
    "threshold": _threshold,
    "inactivity": _inactivity,
    "absence": _absence,
    "date": _date,
    "calendar": _calendar,
    "schedule": _schedule,
    "api": _api,
    "journey": _journey,
}
