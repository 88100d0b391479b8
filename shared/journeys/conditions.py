"""Parses conditions and expressions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, cast

from shared.expressions import check_expression, compile_expression
from shared.journeys.faults import suggestion
from shared.journeys.ids import parse_id
from shared.journeys.predicate import (
    Aggregate,
    All,
    Any,
    Bucket,
    Channel,
    Condition,
    Consented,
    Expression,
    InAudience,
    InJourney,
    MessageWas,
    Not,
    Online,
    Performed,
    Reachable,
    TimeIs,
)
from shared.journeys.reader import Node
from shared.journeys.targets import parse_target
from shared.journeys.times import parse_clock, parse_days, parse_zone

CHANNELS: tuple[Channel, ...] = ("email", "sms", "whatsapp", "line", "push", "web_push", "in_app", "webhook", "slack")


_PARTS = {
    "event": ("name", "properties", "late"),
    "trigger": ("name", "properties", "occurrence"),
    "journey": ("id", "version"),
}
"""What stands right below these roots; below ``contact`` and ``context`` stands what the site and the journey name."""


def sound_expression(node: Node, *, condition: bool = False) -> str:
    """Return the expression's text; "" if it has faults, which are noted with the place inside the text."""
    text = node.text()
    faults = check_expression(text, condition=condition) if text else ()
    for fault in faults:
        node.fault(f"{fault.message} (at character {fault.offset + 1} of the expression)")
    return "" if faults else text


def parse_expression(node: Node, *, condition: bool = False) -> Expression | None:
    """Return the expression of ``node``; its faults are noted, and names that are not below their root."""
    text = sound_expression(node, condition=condition)
    if not text:
        return None
    for path in sorted(compile_expression(text).paths):
        root, _, rest = path.partition(".")
        first = rest.partition(".")[0]
        if root in _PARTS and first and first not in _PARTS[root]:
            node.fault(f"`{root}` has no `{first}`{suggestion(first, _PARTS[root])}")
    return Expression(text)


def parse_channels(node: Node) -> tuple[Channel, ...]:
    """Return the channels listed in ``node``; at least one."""
    channels = tuple(parse_channel(item) for item in node.items())
    if not channels and node.is_a(list):
        node.fault("expected at least one channel")
    known = [item.value for item in node.items() if item.value in CHANNELS] if node.is_a(list) else []
    if len(set(known)) != len(known):
        node.fault("a channel is listed twice")
    return channels


def parse_channel(node: Node) -> Channel:
    """Return one channel."""
    return cast("Channel", node.choice(CHANNELS, "channel"))


def parse_condition(node: Node) -> Condition | None:
    """Return the condition of ``node``: an expression, or a mapping with one of ``_KINDS``."""
    if node.is_a(str):
        return parse_expression(node, condition=True)
    fields = node.fields(_KINDS)
    if len(fields) != 1:
        # An unknown word was probably meant to be the one.
        if node.is_a(dict) and (fields or not node.value):
            node.fault(f"a condition has exactly one of {', '.join(_KINDS)}")
        return None
    [(kind, child)] = fields.items()
    return _KINDS[kind](child)


def optional_condition(fields: dict[str, Node], name: str) -> Condition | None:
    """Return the condition in the field ``name``, None when there is none."""
    return parse_condition(fields[name]) if name in fields else None


def _not(node: Node) -> Condition | None:
    inner = parse_condition(node)
    return None if inner is None else Not(inner)


def _performed(node: Node) -> Condition | None:
    fields = node.fields(("event", "where", "count", "within", "since"), required=("event",))
    if ("within" in fields) == ("since" in fields):
        if node.is_a(dict):
            node.fault("`performed` has either `within` (a duration) or `since: entry`")
        return None
    if "since" in fields:
        fields["since"].choice(("entry",), "since")
    if "event" not in fields:
        return None
    return Performed(
        event=fields["event"].text(),
        within=fields["within"].duration(least=1) if "within" in fields else None,
        count=fields["count"].integer(1, 1000) if "count" in fields else 1,
        where=optional_condition(fields, "where"),
    )


def _consent(node: Node) -> Condition | None:
    fields = node.fields(("topic", "channel"), required=("topic",))
    if "topic" not in fields:
        return None
    return Consented(fields["topic"].text(), parse_channel(fields["channel"]) if "channel" in fields else None)


def _time(node: Node) -> Condition | None:
    fields = node.fields(("days", "from", "to", "timezone"))
    if not fields:
        node.fault("`time` has at least one of days, from, to")
        return None
    return TimeIs(
        start=parse_clock(fields["from"]) if "from" in fields else "00:00",
        end=parse_clock(fields["to"]) if "to" in fields else "00:00",
        days=parse_days(fields["days"]) if "days" in fields else (),
        timezone=parse_zone(fields["timezone"]) if "timezone" in fields else "contact",
    )


def _bucket(node: Node) -> Condition | None:
    fields = node.fields(("percent", "salt"), required=("percent", "salt"))
    if not {"percent", "salt"} <= fields.keys():
        return None
    return Bucket(fields["percent"].number(0, 100), fields["salt"].text())


def _in_journey(node: Node) -> Condition | None:
    fields = node.fields(("id", "state"), required=("id",))
    if "id" not in fields:
        return None
    state = fields["state"].choice(("active", "ever"), "state") if "state" in fields else "active"
    return InJourney(id=fields["id"].text(), state=cast("Literal['active', 'ever']", state))


_FNS = ("count", "sum", "distinct", "avg", "min", "max", "last")


def _aggregate(node: Node) -> Condition | None:
    fields = node.fields(("event", "field", "fn", "within", "is", "where"), required=("event", "fn", "is"))
    if not {"event", "fn", "is"} <= fields.keys():
        return None
    fn = fields["fn"].choice(_FNS, "fn")
    if fn != "count" and "field" not in fields:
        node.fault(f"`fn: {fn}` needs a `field`, such as event.properties.total")
    if fn == "count" and "field" in fields:
        fields["field"].fault("`fn: count` counts events; which ones, says `where`")
    return Aggregate(
        event=fields["event"].text(),
        fn=cast("Literal['count', 'sum', 'distinct', 'avg', 'min', 'max', 'last']", fn),
        target=parse_target(fields["is"]),
        field=parse_expression(fields["field"]) if "field" in fields else None,
        within=fields["within"].duration(least=1) if "within" in fields else None,
        where=optional_condition(fields, "where"),
    )


_WAS = ("sent", "delivered", "opened", "clicked", "bounced", "converted")


def _message(node: Node) -> Condition | None:
    fields = node.fields(("step", "was", "within"), required=("step", "was"))
    if not {"step", "was"} <= fields.keys():
        return None
    was = fields["was"].choice(_WAS, "was")
    return MessageWas(
        step=fields["step"].text(),
        was=cast("Literal['sent', 'delivered', 'opened', 'clicked', 'bounced', 'converted']", was),
        within=fields["within"].duration(least=1) if "within" in fields else None,
    )


def _online(node: Node) -> Condition | None:
    fields = node.fields(("within",), required=("within",))
    return Online(fields["within"].duration(least=1)) if "within" in fields else None


_KINDS: dict[str, Callable[[Node], Condition | None]] = {
    "all": lambda node: All(node.each(parse_condition)),
    "any": lambda node: Any(node.each(parse_condition)),
    "not": _not,
    "performed": _performed,
    "reachable": lambda node: Reachable(parse_channels(node)),
    "consent": _consent,
    "time": _time,
    "bucket": _bucket,
    "in_journey": _in_journey,
    "aggregate": _aggregate,
    "in_audience": lambda node: InAudience(parse_id(node)),
    "message": _message,
    "online": _online,
}
