"""The operator's ``keys.yaml``: sources with their keys and limits, and the hashes of admin tokens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from services.ingest.keys import EVERY_TYPE, AdminToken, Keys, Side, Source, WriteKey
from services.ingest.limits import HIGHEST, STANDARD, Limits
from services.ingest.origins import Origins, origins_of
from services.ingest.rates import Rate
from shared.clock import from_iso
from shared.journeys.document import read_document
from shared.journeys.faults import Fault, JourneyFaultsError, shown
from shared.journeys.reader import Node
from shared.journeys.surroundings import read_named
from shared.messages.event import EventType

SCHEMA = "keys/v1"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_PLAIN = re.compile(r"key_[0-9]+")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SOURCE = ("side", "keys", "allow", "origins", "rate", "limits")
_SIDES: tuple[Side, ...] = get_args(Side)
MOST_EVENTS = 1_000_000


def read_keys(path: Path) -> Keys:
    """Return the keys of the file ``path``.

    Raises JourneyFaultsError with every fault and its line, ConfigurationError when the file cannot be read.
    """
    return parse_keys(str(path), read_named(path, "--keys-file or KIKKAKE_KEYS_FILE"))


def parse_keys(file: str, text: str) -> Keys:
    """Return the keys in ``text``. Raises JourneyFaultsError with every fault and its line."""
    faults: list[Fault] = []
    root = read_document(file, text, faults)
    fields = {} if root is None else root.fields(("schema", "sources", "admins"), ("schema", "sources"))
    if "schema" in fields:
        fields["schema"].choice((SCHEMA,), "schema")
    found: dict[str, WriteKey] = {}
    for name, node in fields["sources"].pairs() if "sources" in fields else []:
        if not _NAME.fullmatch(name):
            node.fault(f"{shown(name)} is not a source's name; it has up to 64 small letters, digits and _")
        if _PLAIN.fullmatch(name):
            # Sources are told apart by their names: they would share one rate.
            node.fault(f"{name} is what the keys of KIKKAKE_WRITE_KEYS are called by; take another name")
        _source(name, node, found)
    admins = fields["admins"].each(_admin) if "admins" in fields else ()
    if faults:
        raise JourneyFaultsError(faults)
    return Keys(write_keys=found, admins=admins)


def _source(name: str, node: Node, found: dict[str, WriteKey]) -> None:
    """Add the keys of one source to ``found``."""
    fields = node.fields(_SOURCE, ("keys",))
    source = Source(
        name=name,
        side=next(side for side in _SIDES if side == fields["side"].choice(_SIDES, "side"))
        if "side" in fields
        else "server",
        allow=_allow(fields["allow"]) if "allow" in fields else EVERY_TYPE,
        origins=_origins(fields["origins"]) if "origins" in fields else None,
        rate=_rate(fields["rate"]) if "rate" in fields else None,
        limits=_limits(fields["limits"]) if "limits" in fields else STANDARD,
    )
    for item in fields["keys"].items() if "keys" in fields else []:
        parts = item.fields(("key", "not_before", "not_after"), ("key",))
        key = parts["key"].text() if "key" in parts else ""
        if key in found:
            # Not shown: it would stand in a log.
            parts["key"].fault("this key is there already; a key has one source")
        elif key:
            found[key] = WriteKey(
                source=source, not_before=_time(parts, "not_before"), not_after=_time(parts, "not_after")
            )


def _admin(node: Node) -> AdminToken | None:
    fields = node.fields(("name", "sha256", "not_after"), ("name", "sha256"))
    if not {"name", "sha256"} <= fields.keys():
        return None
    digest = fields["sha256"].text()
    if not _DIGEST.fullmatch(digest):
        fields["sha256"].fault("sha256 is 64 digits 0 to f: printf %s TOKEN | sha256sum")
        return None
    return AdminToken(name=fields["name"].text(), digest=bytes.fromhex(digest), not_after=_time(fields, "not_after"))


def _allow(node: Node) -> frozenset[EventType]:
    types: tuple[EventType, ...] = get_args(EventType)
    chosen = {item.choice(types, "type of event") for item in node.items()}
    return frozenset(one for one in types if one in chosen)


def _origins(node: Node) -> Origins | None:
    try:
        return origins_of(item.text() for item in node.items())
    except ValueError as error:
        node.fault(str(error))
        return None


def _rate(node: Node) -> Rate | None:
    fields = node.fields(("events_per_second", "burst"), ("events_per_second",))
    if "events_per_second" not in fields:
        return None
    per_second = fields["events_per_second"].number(0.01, MOST_EVENTS)
    burst = fields["burst"].integer(1, MOST_EVENTS) if "burst" in fields else max(1, round(2 * per_second))
    return Rate(per_second=per_second, burst=burst)


def _limits(node: Node) -> Limits:
    fields = node.fields(Limits.__struct_fields__)
    return Limits(**{name: child.integer(1, getattr(HIGHEST, name)) for name, child in fields.items()})


def _time(fields: dict[str, Node], name: str) -> int | None:
    if name not in fields:
        return None
    text = fields[name].text()
    if not text:
        return None
    try:
        return from_iso(text)
    except ValueError:
        fields[name].fault(f"{shown(text)} is no time; write 2027-03-01T00:00:00Z")
        return None
