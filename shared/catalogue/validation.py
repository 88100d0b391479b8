"""JSON Schemas of values, compiled once: whether an event is as its catalogue says.

By jsonschema-rs, which needs about a microsecond for an event; the package jsonschema needs some hundred times that.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

import jsonschema_rs
import msgspec

from shared.catalogue.model import Catalogue, Enforcement, Kind

LIBRARYS_OWN = "$"
"""How events of a library's own accord begin (PostHog's ``$feature_flag_called``): no mistake of a site."""
UNKNOWN_EVENT, INVALID_PROPERTIES, INVALID_TRAITS = "unknown_event", "invalid_properties", "invalid_traits"
_TOLD_AT_MOST = 5
_DATES = ("date", "date-time")


class Doubt(msgspec.Struct, frozen=True):
    """What is wrong with an event, by the code of the rule, and what is to be done about it.

    ``event`` is the name of an event that the catalogue knows, else empty: a label of bounded values.
    """

    code: str
    message: str
    mode: Enforcement
    event: str = ""


def compiled(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """Return ``schema`` ready for use. Raises ValueError for one that is none, or that points outside of itself.

    What it says of a value never shows the value.
    """
    try:
        return jsonschema_rs.Draft202012Validator(
            schema, validate_formats=True, mask="the value", retriever=_nowhere, ignore_unknown_formats=True
        )
    except jsonschema_rs.ValidationError as error:
        where = "/".join(str(part) for part in error.instance_path)
        raise ValueError(f"{where}: {error.message}" if where else error.message) from error


class Judge:
    """Knows what events may look like. Immutable; made once of a catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Compile the schema of every event that is to be judged."""
        self._aliases = catalogue.aliases
        self._unknown: Enforcement = catalogue.mode or "off"
        self._known = frozenset(catalogue.events)
        self._modes: dict[str, Enforcement] = {}
        self._shapes: dict[str, _Shape] = {}
        for name, kind in catalogue.events.items():
            mode = kind.mode or self._unknown
            if mode != "off":
                self._modes[name] = mode
                self._shapes[name] = _Shape(kind.properties or {}, kind.required)
        self._traits = _Shape(catalogue.traits, ())

    def own_name(self, name: str) -> str:
        """Return the name under which journeys ask for the event ``name``."""
        return self._aliases.get(name, name)

    def reads(self, name: str) -> bool:
        """Return whether anything about the event ``name`` could be doubted."""
        return name in self._modes or (self._unknown != "off" and name not in self._known)

    def doubt_properties(self, name: str, properties: Mapping[str, Any]) -> Doubt | None:
        """Return what is wrong with the event ``name``, None: nothing, or nobody asks."""
        mode = self._modes.get(name)
        if mode is None:
            if self._unknown == "off" or name in self._known or name.startswith(LIBRARYS_OWN):
                return None
            return Doubt(UNKNOWN_EVENT, "no catalogue knows the event", self._unknown)
        faults = self._shapes[name].faults(properties)
        return Doubt(INVALID_PROPERTIES, faults, mode, name) if faults else None

    def doubt_traits(self, name: str, traits: Mapping[str, Any]) -> Doubt | None:
        """Return what is wrong with the ``traits`` of the call whose event is ``name``."""
        mode = self._modes.get(name)
        faults = self._traits.faults(traits) if mode is not None else ""
        return Doubt(INVALID_TRAITS, faults, mode, name) if mode is not None and faults else None


class _Shape:
    """An object of which some values are known; the others may be anything."""

    def __init__(self, kinds: Mapping[str, Kind], required: tuple[str, ...]) -> None:
        self._kinds = kinds
        values = {name: _value(kind, null=name not in required) for name, kind in kinds.items()}
        self._validator = compiled({"type": "object", "properties": values, "required": list(required)})

    def faults(self, value: Mapping[str, Any]) -> str:
        """Return what is wrong with ``value``, the first few faults with their places; empty: nothing."""
        if self._validator.is_valid(value):
            return ""
        return "; ".join(self._told(error) for error in islice(self._validator.iter_errors(value), _TOLD_AT_MOST))

    def _told(self, error: jsonschema_rs.ValidationError) -> str:
        where = "/".join(str(part) for part in error.instance_path)
        kind = self._kinds.get(where)
        return f"{where}: expected {kind}" if isinstance(kind, str) else f"{where}: {error.message}".removeprefix(": ")


def _value(kind: Kind, *, null: bool) -> dict[str, Any]:
    """Return the schema of a value. Null is as good as nothing where nothing is asked for, as in a journey."""
    if isinstance(kind, dict):
        return kind
    types = ["string" if kind == "date" else kind, *(["null"] if null else [])]
    return {"type": types, **({"anyOf": [{"format": form} for form in _DATES]} if kind == "date" else {})}


def _nowhere(address: str) -> Any:
    raise ValueError(f"a schema may not refer to {address}")
