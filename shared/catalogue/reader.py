"""A catalogue document (``catalogue.yaml`` beside the journeys) to a ``Catalogue``."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from shared.catalogue.model import KINDS, Catalogue, EventKind, Kind
from shared.journeys.document import read_document
from shared.journeys.faults import Fault, JourneyFaultsError
from shared.journeys.reader import Node

SCHEMA = "catalogue/v1"


def parse_catalogue(file: str, text: str) -> Catalogue:
    """Return the catalogue in ``text``. Raises JourneyFaultsError with every fault of the file."""
    faults: list[Fault] = []
    root = read_document(file, text, faults)
    catalogue = None if root is None else _catalogue(root)
    if faults or catalogue is None:
        raise JourneyFaultsError(faults)
    return catalogue


@lru_cache(maxsize=1)
def standard() -> Catalogue:
    """Return what everybody has: Segment's e-commerce events and reserved traits, and events of our own."""
    file = Path(__file__).with_name("standard.yaml")
    return parse_catalogue(file.name, file.read_text(encoding="utf-8"))


def _catalogue(root: Node) -> Catalogue:
    fields = root.fields(("schema", "events", "traits"), required=("schema",))
    if "schema" in fields:
        fields["schema"].choice((SCHEMA,), "schema")
    events: dict[str, EventKind] = {}
    aliases: dict[str, str] = {}
    for name, node in fields["events"].pairs() if "events" in fields else ():
        if node.value is None:  # `NAME:` alone: it is known, and may have any properties
            events[name] = EventKind()
            continue
        parts = node.fields(("description", "properties", "aliases"))
        events[name] = EventKind(
            properties=_kinds(parts["properties"]) if "properties" in parts else None,
            description=parts["description"].text() if "description" in parts else "",
        )
        for other in parts["aliases"].items() if "aliases" in parts else ():
            aliases[other.text()] = name
    traits = _kinds(fields["traits"]) if "traits" in fields else {}
    return Catalogue(events=events, traits=traits, aliases=aliases)


def _kinds(node: Node) -> dict[str, Kind]:
    return {name: _kind(child) for name, child in node.pairs()}


def _kind(node: Node) -> Kind:
    if node.is_a(dict):
        return {name: _plain(child) for name, child in node.value.items()}
    return node.choice(KINDS, "type")


def _plain(node: Node) -> Any:
    if node.is_a(dict):
        return {name: _plain(child) for name, child in node.value.items()}
    return [_plain(child) for child in node.value] if node.is_a(list) else node.value
