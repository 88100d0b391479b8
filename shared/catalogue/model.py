"""A catalogue as data."""

from __future__ import annotations

from typing import Any

import msgspec

Kind = str | dict[str, Any]
"""Of a value: one of ``KINDS``, or a JSON Schema."""
KINDS = ("string", "number", "integer", "boolean", "date", "array", "object")


class EventKind(msgspec.Struct, frozen=True, kw_only=True):
    """One event: its properties by name. ``properties`` None: it may have any."""

    properties: dict[str, Kind] | None = None
    description: str = ""


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """Events and traits by name; ``aliases`` maps other names of an event to its own."""

    events: dict[str, EventKind] = {}
    traits: dict[str, Kind] = {}
    aliases: dict[str, str] = {}

    def joined(self, other: Catalogue) -> Catalogue:
        """Return both; an event that both have has the properties of both, and any if one says so."""
        events = dict(self.events)
        for name, kind in other.events.items():
            former = events.get(name, EventKind(properties={}))
            both = None
            if former.properties is not None and kind.properties is not None:
                both = {**former.properties, **kind.properties}
            events[name] = EventKind(properties=both, description=kind.description or former.description)
        aliases = {name: own for name, own in {**self.aliases, **other.aliases}.items() if name not in events}
        return Catalogue(events=events, traits={**self.traits, **other.traits}, aliases=aliases)
