"""Parses times of day, weekdays, time zones and dates."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, time
from typing import TypeVar

from shared.clock import from_iso
from shared.journeys.faults import shown
from shared.journeys.reader import Node
from shared.walltime.calendar_spans import parse_span
from shared.walltime.cron import check_cron, next_cron
from shared.walltime.instants import at_local, parse_time
from shared.walltime.instants import parse_days as read_days
from shared.walltime.zones import load_zone

T = TypeVar("T")
MIDNIGHT = time()
UTC = load_zone("UTC")
_TRAIT = re.compile(r"contact\.([A-Za-z_][A-Za-z0-9_]*)")
"""As an expression names a trait, and as the schema for editors has it."""
_OFFSET = re.compile(r"([+-]?)([0-9]{1,5})d")
CONTACT, WORKSPACE = "contact", "workspace"


def parse_clock(node: Node) -> str:
    """Return a quoted ``HH:MM`` or ``HH:MM:SS``; a fault and midnight for anything else."""
    text = node.text("00:00")
    _checked(node, parse_time, text)
    return text


def parse_days(node: Node) -> tuple[int, ...]:
    """Return weekdays, Monday being 0."""
    if not node.expect(list):
        return ()
    try:
        return tuple(sorted(read_days([item.value for item in node.items()])))
    except ValueError as error:
        node.fault(str(error))
        return ()


def parse_zone(node: Node) -> str:
    """Return ``contact``, ``workspace`` or an IANA name."""
    text = node.text(CONTACT)
    if text not in (CONTACT, WORKSPACE):
        _checked(node, load_zone, text)
    return text


def parse_date(node: Node) -> str:
    """Return an ISO date such as ``2026-12-24``."""
    text = node.text("2000-01-01")
    try:
        date.fromisoformat(text)
    except ValueError:
        node.fault(f"`{text[:40]}` is not a date; write one such as 2026-12-24")
    return text


def parse_offset(node: Node) -> int:
    """Return the days of a signed offset such as ``-10d``."""
    text = node.text("0d")
    found = _OFFSET.fullmatch(text)
    if found is None or int(found[2]) > 36_525:
        node.fault(f"`{text[:40]}` is not an offset; write days with a sign, such as -10d, 0d or +3d")
        return 0
    return -int(found[2]) if found[1] == "-" else int(found[2])


def parse_trait(node: Node) -> str:
    """Return the trait NAME of ``contact.NAME``."""
    text = node.text()
    found = _TRAIT.fullmatch(text)
    if found is None:
        if text:
            node.fault(f"{shown(text)} is not a trait; write contact.NAME, such as contact.birthday")
        return ""
    return found[1]


def parse_cron(node: Node) -> str:
    """Return a cron expression of five fields that comes some time."""
    text = node.text("0 9 * * MON")
    if _checked(node, check_cron, text) is not None and next_cron(text, 0, UTC) is None:
        node.fault(f"{shown(text)} never comes")
    return text


def parse_moment(node: Node, zone: str) -> int:
    """Return an ISO date (its midnight in ``zone``) or an ISO time with its offset, as ms since the epoch."""
    text = node.text("2000-01-01")
    try:
        if len(text) == len("2000-01-01"):
            return at_local(date.fromisoformat(text), MIDNIGHT, load_zone(zone))
        return from_iso(text)
    except ValueError:
        node.fault(f"{shown(text)} is neither a date such as 2026-12-24 nor a time such as 2026-12-24T09:00:00+09:00")
        return 0


def parse_calendar_span(node: Node) -> str:
    """Return an ISO span such as ``P1M``."""
    _checked(node, parse_span, node.value)
    return str(node.value)


def _checked(node: Node, read: Callable[[object], T], value: object) -> T | None:
    try:
        return read(value)
    except ValueError as error:
        node.fault(str(error))
        return None
