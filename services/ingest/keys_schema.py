"""JSON Schema of ``keys.yaml``, for editors."""

from __future__ import annotations

from typing import get_args

from services.ingest.keys import Side
from services.ingest.keys_file import MOST_EVENTS, SCHEMA
from services.ingest.limits import HIGHEST, Limits
from shared.journeys.schema.builder import Builder
from shared.journeys.schema.forms import TEXT
from shared.journeys.schema.wording import Schema, choice, integer, listed, mapping, named, number
from shared.messages.event import EventType

_TIME = TEXT | {"description": "A time, such as 2027-03-01T00:00:00Z."}
_NAMES: Schema = {"pattern": "^[a-z][a-z0-9_]{0,63}$"}


def schema_of_keys() -> Schema:
    """Return the schema of ``keys.yaml``."""
    key = mapping({"key": TEXT, "not_before": _TIME, "not_after": _TIME}, ("key",))
    rate = mapping(
        {"events_per_second": number(0.01, MOST_EVENTS), "burst": integer(1, MOST_EVENTS)}, ("events_per_second",)
    )
    source = mapping(
        {
            "side": choice(*get_args(Side)) | {"description": "client: pages and apps; server: yours."},
            "keys": listed(key) | {"description": "Several, so that one can be handed out before another ends."},
            "allow": listed(choice(*get_args(EventType))) | {"description": "The types of event it may send."},
            "origins": listed(TEXT) | {"description": "Pages of which sites may use its keys; left out: of any."},
            "rate": rate,
            "limits": mapping({name: integer(1, getattr(HIGHEST, name)) for name in Limits.__struct_fields__}),
        },
        ("keys",),
    )
    admin = mapping(
        {
            "name": TEXT,
            "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$", "examples": ["0" * 64]},
            "not_after": _TIME,
        },
        ("name", "sha256"),
    )
    root = mapping(
        {"schema": {"const": SCHEMA}, "sources": named(source, names=_NAMES), "admins": listed(admin)},
        ("schema", "sources"),
    )
    return Builder({}).document(root | {"description": "Who may send events, and who is an admin."}, SCHEMA)
