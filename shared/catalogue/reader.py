"""Catalogue documents (``catalogue.yaml`` beside the journeys, and ``catalogue/*.yaml``) to a ``Catalogue``."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from shared.catalogue.model import ENFORCEMENTS, KINDS, Catalogue, Enforcement, EventKind, Kind
from shared.catalogue.validation import compiled
from shared.journeys.document import read_document
from shared.journeys.faults import Fault, JourneyFaultsError
from shared.journeys.reader import Node
from shared.journeys.surroundings import CATALOGUE_FILE, CATALOGUES, read_text

SCHEMA = "catalogue/v1"


def parse_catalogue(file: str, text: str) -> Catalogue:
    """Return the catalogue in ``text``. Raises JourneyFaultsError with every fault of the file."""
    faults: list[Fault] = []
    root = read_document(file, text, faults)
    catalogue = None if root is None else _catalogue(root)
    if faults or catalogue is None:
        raise JourneyFaultsError(faults)
    return catalogue


def load_catalogue(folder: Path, faults: list[Fault]) -> Catalogue:
    """Return what everybody has, and what the files of ``folder`` add to it; the faults of these go to ``faults``."""
    catalogue = standard()
    for file in (folder / CATALOGUE_FILE, *sorted((folder / CATALOGUES).rglob("*.yaml"))):
        if not file.exists():
            continue
        try:
            catalogue = catalogue.joined(parse_catalogue(str(file), read_text(file)))
        except JourneyFaultsError as error:
            faults.extend(error.faults)
    return catalogue


@lru_cache(maxsize=1)
def standard() -> Catalogue:
    """Return what everybody has: ``standard.yaml`` (Segment's e-commerce, our own) and ``recommended.yaml``."""
    files = (Path(__file__).with_name(name) for name in ("standard.yaml", "recommended.yaml"))
    ours, recommended = (parse_catalogue(file.name, file.read_text(encoding="utf-8")) for file in files)
    return ours.joined(recommended)


def _catalogue(root: Node) -> Catalogue:
    fields = root.fields(("schema", "mode", "events", "traits"), required=("schema",))
    if "schema" in fields:
        fields["schema"].choice((SCHEMA,), "schema")
    events: dict[str, EventKind] = {}
    aliases: dict[str, str] = {}
    for name, node in fields["events"].pairs() if "events" in fields else ():
        if node.value is None:  # `NAME:` alone: it is known, and may have any properties
            events[name] = EventKind()
            continue
        parts = node.fields(("description", "properties", "required", "mode", "aliases"))
        events[name] = EventKind(
            properties=_kinds(parts["properties"]) if "properties" in parts else None,
            description=parts["description"].text() if "description" in parts else "",
            required=tuple(item.text() for item in parts["required"].items()) if "required" in parts else (),
            mode=_mode(parts),
        )
        for other in parts["aliases"].items() if "aliases" in parts else ():
            aliases[other.text()] = name
    traits = _kinds(fields["traits"]) if "traits" in fields else {}
    return Catalogue(events=events, traits=traits, aliases=aliases, mode=_mode(fields))


def _mode(fields: dict[str, Node]) -> Enforcement | None:
    found = fields["mode"].choice(ENFORCEMENTS, "mode") if "mode" in fields else None
    return next((mode for mode in ENFORCEMENTS if mode == found), None)


def _kinds(node: Node) -> dict[str, Kind]:
    return {name: _kind(child) for name, child in node.pairs()}


def _kind(node: Node) -> Kind:
    if not node.is_a(dict):
        return node.choice(KINDS, "type")
    schema = {name: _plain(child) for name, child in node.value.items()}
    try:
        compiled(schema)
    except ValueError as error:
        node.fault(f"no JSON Schema: {error}")
    return schema


def _plain(node: Node) -> Any:
    if node.is_a(dict):
        return {name: _plain(child) for name, child in node.value.items()}
    return [_plain(child) for child in node.value] if node.is_a(list) else node.value
