"""Parses conditions and expressions."""

from __future__ import annotations

import re
from typing import Literal, cast

from shared.journeys import later
from shared.journeys.faults import shown
from shared.journeys.model import All, Any, Channel, Condition, Not, Path, Performed, Reachable
from shared.journeys.reader import Node

CHANNELS: tuple[Channel, ...] = ("email", "sms", "whatsapp", "line", "push", "web_push", "in_app", "webhook", "slack")
_ROOTS = ("contact", "event", "context")
_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_KINDS = ("all", "any", "not", "performed", "reachable")


def parse_path(node: Node) -> Path | None:
    """Return the path expression of ``node``, such as ``event.properties.name``."""
    text = node.text()
    if not text:
        return None
    if not _PATH.fullmatch(text):
        node.fault(f"{shown(text)} is not a path; write one such as event.properties.name or contact.email")
        return None
    root, *keys = text.split(".")
    if root in later.ROOTS:
        node.fault(f"`{root}` is not part of this release yet; a path starts with one of {', '.join(_ROOTS)}")
        return None
    if root not in _ROOTS:
        node.fault(f"a path starts with one of {', '.join(_ROOTS)}, not {shown(root)}")
        return None
    return Path(cast("Literal['contact', 'event', 'context']", root), tuple(keys))


def parse_channels(node: Node) -> tuple[Channel, ...]:
    """Return the channels listed in ``node``; at least one."""
    channels = tuple(cast("Channel", item.choice(CHANNELS, "channel")) for item in node.items())
    if not channels and node.is_a(list):
        node.fault("expected at least one channel")
    if len(set(channels)) != len(channels):
        node.fault("a channel is listed twice")
    return channels


def parse_condition(node: Node) -> Condition | None:
    """Return the condition of ``node``."""
    if node.is_a(str):
        node.fault("expressions are not part of this release yet; use all, any, not, performed or reachable")
        return None
    fields = node.fields(_KINDS, later=later.CONDITIONS)
    if len(fields) != 1:
        # An unknown word was probably meant to be the one.
        if node.is_a(dict) and (fields or not node.value):
            node.fault(f"a condition has exactly one of {', '.join(_KINDS)}")
        return None
    [(kind, child)] = fields.items()
    match kind:
        case "all":
            return All(child.each(parse_condition))
        case "any":
            return Any(child.each(parse_condition))
        case "not":
            inner = parse_condition(child)
            return None if inner is None else Not(inner)
        case "performed":
            return _performed(child)
        case _:
            return Reachable(parse_channels(child))


def _performed(node: Node) -> Condition | None:
    fields = node.fields(("event", "count", "within"), required=("event", "within"), later=later.PERFORMED)
    if not {"event", "within"} <= fields.keys():
        return None
    count = fields["count"].integer(1, 1000) if "count" in fields else 1
    return Performed(fields["event"].text(), fields["within"].duration(least=1), count)
