"""The contact's own time: its zone, and windows of the day in it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

from shared.journeys.times import CONTACT, WORKSPACE
from shared.walltime.instants import EVERY_DAY, parse_time
from shared.walltime.windows import Window
from shared.walltime.zones import load_zone, zone


def contact_zone(name: str, traits: Mapping[str, Any], workspace: ZoneInfo, fallback: str | None = None) -> ZoneInfo:
    """Return the zone that ``name`` (``contact``, ``workspace`` or an IANA name) means for the contact.

    A contact without a zone, or with one that does not exist, has ``fallback``, else the workspace's.
    """
    if name == WORKSPACE:
        return workspace
    if name != CONTACT:
        return load_zone(name)
    if fallback not in (None, CONTACT, WORKSPACE):
        workspace = load_zone(fallback)
    return zone(traits.get("timezone"), workspace)[0]


@lru_cache(1024)
def window_of(kind: Literal["quiet", "open"], start: str, end: str, days: tuple[int, ...]) -> Window:
    """Return the window from ``start`` to ``end`` on ``days``; no days: every day."""
    return Window(kind, parse_time(start), parse_time(end), frozenset(days) or EVERY_DAY)
