"""The operator's ``providers.yaml``: which providers each channel has, best first, and what they are asked at most."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec

from services.dispatcher.channels.base import Provider
from services.dispatcher.channels.kinds import Kind, Settings, read_word
from services.dispatcher.channels.registry import KINDS
from services.dispatcher.core.rate import Rate
from services.dispatcher.lanes import Lane, LaneOptions
from services.dispatcher.rates import RateLimit
from shared.clock import HOUR, MINUTE, SECOND
from shared.errors import WordError
from shared.journeys.conditions import CHANNELS
from shared.journeys.document import read_document
from shared.journeys.faults import Fault, JourneyFaultsError, shown
from shared.journeys.reader import Node
from shared.journeys.surroundings import read_named

SCHEMA = "providers/v1"
CARRIED = tuple(name for name in CHANNELS if any(name in kind.channels for kind in KINDS.values()))
"""The channels that have providers."""
COMMON = ("id", "kind", "connections", "rate", "overflow")
"""The words that every kind of provider has."""
ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_RATE = re.compile(r"([0-9]{1,7})/(s|min|h)")
_PER = {"s": SECOND, "min": MINUTE, "h": HOUR}
_CONNECTIONS = 16


class ProviderEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A provider of the file: what it is asked at once (``connections``) and over time (``rate``; None: no limit).

    ``overflow``: what it has no room for goes to the next one.
    """

    kind: Kind
    settings: Settings
    provider: Provider
    connections: int = _CONNECTIONS
    rate: Rate | None = None
    overflow: bool = False


def read_providers(path: Path, environment: Mapping[str, str]) -> dict[str, tuple[ProviderEntry, ...]]:
    """Return the providers of the file ``path`` by channel, best first; secrets come from ``environment`` or files.

    Raises JourneyFaultsError with every fault and its line, ConfigurationError when there is no such file.
    """
    return parse_providers(str(path), read_named(path, "--providers or KIKKAKE_PROVIDERS"), environment)


Limiter = Callable[[str, Rate], RateLimit]
"""Makes the rate limit of the provider with that id."""


def lanes_of(entries: Mapping[str, Sequence[ProviderEntry]], limiter: Limiter) -> dict[str, list[Lane[Provider]]]:
    """Return the providers of ``entries`` by channel, each with its connections, its rate and its breaker."""
    return {channel: [_lane(entry, limiter) for entry in listed] for channel, listed in entries.items()}


def _lane(entry: ProviderEntry, limiter: Limiter) -> Lane[Provider]:
    name = entry.settings.id
    options = LaneOptions(
        rate=None if entry.rate is None else limiter(name, entry.rate),
        overflow=entry.overflow,
        key_age=entry.kind.key_age,
        party=entry.kind.party,
    )
    return Lane(entry.provider, entry.connections, name=name, options=options)


def parse_providers(file: str, text: str, environment: Mapping[str, str]) -> dict[str, tuple[ProviderEntry, ...]]:
    """Return the providers in ``text`` by channel. Raises JourneyFaultsError with every fault and its line."""
    faults: list[Fault] = []
    root = read_document(file, text, faults)
    fields = {} if root is None else root.fields(("schema", "channels"), ("schema", "channels"))
    if "schema" in fields:
        fields["schema"].choice((SCHEMA,), "schema")
    channels = fields["channels"].fields(CARRIED) if "channels" in fields else {}
    seen: set[str] = set()
    found = {
        channel: node.each(partial(_entry, channel=channel, environment=environment, seen=seen))
        for channel, node in channels.items()
    }
    if faults:
        raise JourneyFaultsError(faults)
    return found


def _entry(node: Node, *, channel: str, environment: Mapping[str, str], seen: set[str]) -> ProviderEntry | None:
    known = len(node.faults)
    if not node.expect(dict):
        return None
    kinds = [name for name, kind in KINDS.items() if channel in kind.channels]
    named = node.value.get("kind")
    if named is None:
        node.fault(f"`kind` is missing; write one of {', '.join(kinds)}")
        return None
    if named.value not in kinds:
        named.choice(kinds, f"kind of provider for {channel}")
        return None
    kind = KINDS[named.value]
    words = {word.name: word for word in kind.words}
    fields = node.fields((*COMMON, *words), [word.name for word in kind.words if word.needed])
    identity = fields["id"].text() if "id" in fields else kind.name
    if not ID.fullmatch(identity):
        fields["id"].fault(f"{shown(identity)} is no id; write up to 40 of a-z, 0-9, _ and -")
    elif identity in seen:
        (fields.get("id") or node).fault(f"`{identity}` is there twice: give each provider an `id` of its own")
    seen.add(identity)
    settings = Settings(
        identity, {name: read_word(word, fields.get(name), environment) for name, word in words.items()}
    )
    connections = fields["connections"].integer(1, 1000) if "connections" in fields else _CONNECTIONS
    rate = _rate(fields["rate"]) if "rate" in fields else None
    overflow = "overflow" in fields and fields["overflow"].boolean()
    if len(node.faults) > known:
        return None  # of words with faults nothing can be made, and what would be said of it is said already
    try:
        provider = kind.make(settings, connections)
    except WordError as error:
        fields.get(error.word, node).fault(str(error))
        return None
    return ProviderEntry(
        kind=kind, settings=settings, provider=provider, connections=connections, rate=rate, overflow=overflow
    )


def _rate(node: Node) -> Rate | None:
    said = _RATE.fullmatch(node.text())
    if said is None or int(said[1]) == 0:
        node.fault("expected a rate such as 50/s, 600/min or 10000/h")
        return None
    return Rate(int(said[1]), _PER[said[2]])
