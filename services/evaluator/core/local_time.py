"""The contact's own time zone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from shared.journeys.times import CONTACT, UTC, WORKSPACE
from shared.walltime.zones import load_zone, zone


def is_invalid(name: object) -> bool:
    """Tell whether the trait ``timezone`` is known and names no zone."""
    return name is not None and zone(name, UTC)[1]


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
