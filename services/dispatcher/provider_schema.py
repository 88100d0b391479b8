"""JSON Schema of ``providers.yaml``, for editors: the table of providers in the words of the file."""

from __future__ import annotations

from services.dispatcher.channels.kinds import Form, Kind, Word
from services.dispatcher.channels.registry import KINDS
from services.dispatcher.providers import CARRIED, SCHEMA
from shared.journeys.schema.builder import Builder
from shared.journeys.schema.forms import LONGER, SECRET, TEXT
from shared.journeys.schema.wording import Schema, integer, listed, mapping

_PORT = integer(1, 65_535)
_FORMS: dict[Form, Schema] = {
    "text": TEXT,
    "texts": listed(TEXT),
    "secret": SECRET,
    "secrets": listed(SECRET),
    "url": TEXT,
    "duration": LONGER,
    "integer": integer(1, 1_000_000),
    "port": _PORT,
    "ports": listed(_PORT),
    "boolean": {"type": "boolean"},
}
_COMMON: dict[str, Schema] = {
    "id": {
        "type": "string",
        "pattern": "^[a-z0-9][a-z0-9_-]{0,39}$",
        "examples": ["main"],
        "description": "Its name in metrics, logs, outcomes and rates; left out: its kind.",
    },
    "connections": integer(1, 1000) | {"description": "Messages in its hands at once."},
    "rate": {
        "type": "string",
        "pattern": "^(?=[0-9]{1,7}/)0*[1-9][0-9]*/(s|min|h)$",
        "examples": ["50/s", "600/min", "10000/h"],
        "description": "Messages over time, all dispatchers together.",
    },
    "overflow": {"type": "boolean", "description": "What it has no room for goes to the next provider."},
}


def schema_of_providers() -> Schema:
    """Return the schema of ``providers.yaml``."""
    channels: dict[str, Schema] = {
        channel: listed({"anyOf": [_kind(kind) for kind in KINDS.values() if channel in kind.channels]})
        for channel in CARRIED
    }
    root = mapping({"schema": {"const": SCHEMA}, "channels": mapping(channels)}, ("schema", "channels"))
    return Builder({}).document(root | {"description": "The providers of each channel, best first."}, SCHEMA)


def _kind(kind: Kind) -> Schema:
    words = {word.name: _word(word) for word in kind.words}
    needed = [word.name for word in kind.words if word.needed]
    return mapping({"kind": {"const": kind.name}, **_COMMON, **words}, ("kind", *needed))


def _word(word: Word) -> Schema:
    return _FORMS[word.form] | {"description": word.about}
