"""Parses who may enter."""

from __future__ import annotations

from typing import Literal, cast

from shared.journeys.conditions import optional_condition, parse_expression
from shared.journeys.model import Entry, Rate, Reentry, ReentryMode, Window
from shared.journeys.reader import Node
from shared.journeys.times import parse_moment
from shared.journeys.workspace import Surroundings


def parse_entry(node: Node, around: Surroundings) -> Entry:
    """Return the entry rules of ``node``."""
    known = ("where", "key", "on_retrigger", "reentry", "priority", "rate", "backfill", "window", "limit")
    fields = node.fields(known)
    key = fields.get("key")
    retrigger = ("ignore", "restart", "update_context")
    keyed = None if key is None or key.value == "contact" else parse_expression(key)
    return Entry(
        where=optional_condition(fields, "where"),
        key=keyed,
        on_retrigger=cast(
            "Literal['ignore', 'restart', 'update_context']",
            fields["on_retrigger"].choice(retrigger, "on_retrigger") if "on_retrigger" in fields else "ignore",
        ),
        reentry=_reentry(fields["reentry"], keyed=keyed is not None) if "reentry" in fields else Reentry(),
        priority=fields["priority"].integer(0, 100) if "priority" in fields else 50,
        rate=_rate(fields["rate"]) if "rate" in fields else None,
        backfill=cast(
            "Literal['none', 'current']",
            fields["backfill"].choice(("none", "current"), "backfill") if "backfill" in fields else "none",
        ),
        window=_window(fields["window"], around.workspace.timezone) if "window" in fields else None,
        limit=fields["limit"].integer(1, 1_000_000_000) if "limit" in fields else None,
    )


def _reentry(node: Node, *, keyed: bool) -> Reentry:
    fields = node.fields(("mode", "cooldown", "max", "per"))
    modes = ("after_exit", "never", "always", "per_key")
    mode = fields["mode"].choice(modes, "reentry mode") if "mode" in fields else "after_exit"
    if mode == "per_key" and not keyed:
        fields["mode"].fault("`per_key` needs an entry `key`, such as event.properties.order_id")
    if "per" in fields and "max" not in fields:
        fields["per"].fault("`per` belongs to `max`: how many entries in that time?")
    return Reentry(
        mode=cast("ReentryMode", mode),
        cooldown=fields["cooldown"].duration() if "cooldown" in fields else 0,
        max=fields["max"].integer(1, 1000) if "max" in fields else None,
        per=fields["per"].duration(least=1) if "per" in fields else None,
    )


def _rate(node: Node) -> Rate | None:
    fields = node.fields(("max", "per"), required=("max", "per"))
    if not {"max", "per"} <= fields.keys():
        return None
    return Rate(max=fields["max"].integer(1, 1_000_000_000), per=fields["per"].duration(least=1000))


def _window(node: Node, zone: str) -> Window | None:
    fields = node.fields(("start", "end"))
    if node.is_a(dict) and not fields:
        node.fault("`window` has at least one of start, end")
    start = parse_moment(fields["start"], zone) if "start" in fields else None
    end = parse_moment(fields["end"], zone) if "end" in fields else None
    if start is not None and end is not None and end <= start:
        fields["end"].fault("the window ends before it starts")
    return Window(start=start, end=end)
