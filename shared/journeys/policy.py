"""Parses what a send may do, and what workspace, topic, journey and step inherit from each other."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Literal, cast

from shared.journeys.conditions import parse_channel
from shared.journeys.faults import shown
from shared.journeys.ids import parse_id
from shared.journeys.reader import Node
from shared.journeys.sending import Cap, Holdout, Policy, QuietHours, SendWindow, WhenClosed
from shared.journeys.times import parse_clock, parse_days, parse_zone
from shared.messages.command import Utm

_HOST = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*")
_CLOSED = ("defer", "skip", "exit")


Given = dict[str, Any]
"""The fields of a ``Policy`` that one layer says; what it does not say comes from the layer above."""

INHERITED = ("on_ambiguous", "holdout", "frequency_cap", "quiet_hours", "send_window", "tracking", "utm")
"""What a workspace and a topic can say for every journey."""
JOURNEY = ("purpose", "topic", "max_sends", *INHERITED)
STEP = ("purpose", "topic", "frequency_cap", "quiet_hours")


def parse_given(node: Node, known: Collection[str]) -> Given:
    """Return what the mapping ``node`` says of a policy; ``known`` are the words that it may use."""
    return given(node.fields(known))


def given(fields: dict[str, Node]) -> Given:
    """Return what ``fields`` say of a policy; those that are no policy's are passed over."""
    found: Given = {}
    for name, child in fields.items():
        if name == "frequency_cap":
            if not (child.is_a(str) and child.value == INHERIT):
                found["caps"] = child.each(_cap)
        elif name in _FIELDS:
            found[name] = _FIELDS[name](child)
    return found


def resolve(*layers: Given) -> Policy:
    """Return the policy of several layers, the widest first: the narrowest that says something counts."""
    return Policy(**{name: value for layer in layers for name, value in layer.items()})


INHERIT = "inherit"
NONE = "none"
"""A holdout, quiet hours or a send window of a narrower layer that lifts that of a wider one."""


def _holdout(node: Node) -> Holdout | None:
    if node.is_a(str) and node.value == NONE:
        return None
    fields = node.fields(("percent", "salt"), required=("percent", "salt"))
    if not {"percent", "salt"} <= fields.keys():
        return None
    return Holdout(fields["percent"].number(0, 100), fields["salt"].text())


def _cap(node: Node) -> Cap | None:
    known = ("max", "per", "scope", "channel", "topic", "when_capped", "max_defer")
    fields = node.fields(known, required=("max", "per"))
    if not {"max", "per"} <= fields.keys():
        return None
    scope = fields["scope"].choice(("contact", "journey"), "scope") if "scope" in fields else "contact"
    actions = ("skip", "defer", "exit", "next_channel")
    capped = fields["when_capped"].choice(actions, "when_capped") if "when_capped" in fields else "skip"
    return Cap(
        max=fields["max"].integer(1, 1000),
        per=fields["per"].duration(least=1),
        scope=cast("Literal['contact', 'journey']", scope),
        channel=parse_channel(fields["channel"]) if "channel" in fields else None,
        topic=parse_id(fields["topic"]) if "topic" in fields else None,
        when_capped=cast("Literal['skip', 'defer', 'exit', 'next_channel']", capped),
        max_defer=fields["max_defer"].duration(least=1) if "max_defer" in fields else None,
    )


def _quiet_hours(node: Node) -> QuietHours | None:
    if node.is_a(str) and node.value == NONE:
        return None
    known = ("from", "to", "timezone", "fallback_timezone", "when_quiet", "max_defer", "spread")
    fields = node.fields(known, required=("from", "to"))
    if not {"from", "to"} <= fields.keys():
        return None
    start, end = parse_clock(fields["from"]), parse_clock(fields["to"])
    if start == end:
        node.fault(f"quiet hours from {start} to {end} never end")
    return QuietHours(
        start=start,
        end=end,
        timezone=parse_zone(fields["timezone"]) if "timezone" in fields else "contact",
        fallback_timezone=parse_zone(fields["fallback_timezone"]) if "fallback_timezone" in fields else None,
        when_quiet=_closed(fields, "when_quiet"),
        max_defer=fields["max_defer"].duration(least=1) if "max_defer" in fields else None,
        spread=fields["spread"].duration() if "spread" in fields else 0,
    )


def _send_window(node: Node) -> SendWindow | None:
    if node.is_a(str) and node.value == NONE:
        return None
    fields = node.fields(("days", "from", "to", "timezone", "when_outside", "max_defer"), required=("from", "to"))
    if not {"from", "to"} <= fields.keys():
        return None
    return SendWindow(
        start=parse_clock(fields["from"]),
        end=parse_clock(fields["to"]),
        days=parse_days(fields["days"]) if "days" in fields else (),
        timezone=parse_zone(fields["timezone"]) if "timezone" in fields else "contact",
        when_outside=_closed(fields, "when_outside"),
        max_defer=fields["max_defer"].duration(least=1) if "max_defer" in fields else None,
    )


def _utm(node: Node) -> Utm | None:
    if node.is_a(str) and node.value == NONE:
        return None
    texts = ("source", "medium", "campaign", "content")
    fields = node.fields(("hosts", *texts), required=("hosts", "source"))
    if not {"hosts", "source"} <= fields.keys():
        return None
    if fields["hosts"].value == []:
        fields["hosts"].fault("expected at least one host")
    return Utm(
        hosts=fields["hosts"].each(_host),
        **{name: fields[name].text() for name in texts if name in fields},
    )


def _host(node: Node) -> str | None:
    text = node.text()
    if text and not _HOST.fullmatch(text):
        node.fault(f"{shown(text)} is not a host; write one such as shop.example.com")
        return None
    return text


def _closed(fields: dict[str, Node], name: str) -> WhenClosed:
    return cast("WhenClosed", fields[name].choice(_CLOSED, name) if name in fields else "defer")


_FIELDS: dict[str, Any] = {
    "purpose": lambda node: node.choice(("marketing", "transactional"), "purpose"),
    "topic": parse_id,
    "max_sends": lambda node: node.integer(1, 1000),
    "on_ambiguous": lambda node: node.choice(("hold", "retry"), "on_ambiguous"),
    "holdout": _holdout,
    "quiet_hours": _quiet_hours,
    "send_window": _send_window,
    "utm": _utm,
    "tracking": lambda node: node.choice(("all", "with_text", "none"), "tracking"),
}
