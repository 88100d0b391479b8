"""A catalogue as data."""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec

Kind = str | dict[str, Any]
"""Of a value: one of ``KINDS``, or a JSON Schema."""
KINDS = ("string", "number", "integer", "boolean", "date", "array", "object")

Enforcement = Literal["off", "warn", "reject"]
"""What ingest does about an event that is not as its catalogue says: nothing, count it, refuse it."""
ENFORCEMENTS: tuple[Enforcement, ...] = get_args(Enforcement)


class EventKind(msgspec.Struct, frozen=True, kw_only=True):
    """One event: its properties by name. ``properties`` None: it may have any.

    ``required`` are the properties without which it means nothing; ``mode`` is what ingest does about one that is not
    so (None: as the catalogue's says).
    """

    properties: dict[str, Kind] | None = None
    description: str = ""
    required: tuple[str, ...] = ()
    mode: Enforcement | None = None


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """Events and traits by name; ``aliases`` maps other names of an event to its own.

    ``mode`` is what ingest does about events that are not as said here, or not here at all (None: nothing).
    """

    events: dict[str, EventKind] = {}
    traits: dict[str, Kind] = {}
    aliases: dict[str, str] = {}
    mode: Enforcement | None = None

    def joined(self, other: Catalogue) -> Catalogue:
        """Return both; an event that both have has the properties of both, and any if one says so.

        Of two modes ``other``'s counts.
        """
        events = dict(self.events)
        for name, kind in other.events.items():
            former = events.get(name, EventKind(properties={}))
            both = None
            if former.properties is not None and kind.properties is not None:
                both = {**former.properties, **kind.properties}
            events[name] = EventKind(
                properties=both,
                description=kind.description or former.description,
                required=tuple(dict.fromkeys((*former.required, *kind.required))),
                mode=kind.mode or former.mode,
            )
        aliases = {name: own for name, own in {**self.aliases, **other.aliases}.items() if name not in events}
        return Catalogue(
            events=events, traits={**self.traits, **other.traits}, aliases=aliases, mode=other.mode or self.mode
        )
