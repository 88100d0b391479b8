"""What a single value looks like: the forms that the parsers of texts accept."""

from __future__ import annotations

from shared.journeys.conditions import CHANNELS
from shared.journeys.model import Template
from shared.journeys.predicate import Expression, Target
from shared.journeys.schema.wording import Schema, listed, mapping, one_of, ref
from shared.journeys.templates import ATTACHMENT, PARTS
from shared.walltime.instants import DAY_NAMES

DURATION, LONGER, CLOCK, DAYS, ZONE = ref("duration"), ref("longer"), ref("clock"), ref("days"), ref("zone")
ID, TEXT, DATE, OFFSET, TRAIT, SPAN = ref("id"), ref("text"), ref("date"), ref("offset"), ref("trait"), ref("span")
VALUE, TEXTS, MOMENT, STEPS, CONDITION = (
    ref("value"),
    ref("texts"),
    ref("moment"),
    listed(ref("step")),
    ref("condition"),
)
EVENTS = listed(TEXT, least=1)
SECRET = mapping({"env": TEXT, "file": TEXT}, **one_of("env", "file"))
"""In the operator's files: where it is, for there it never stands."""


def _text(pattern: str, about: str, *examples: str) -> Schema:
    """Return a text of that pattern; editors say ``patternErrorMessage`` where another one stands."""
    expected = f"{about} Such as {', '.join(examples)}"
    return {
        "type": "string",
        "pattern": pattern,
        "patternErrorMessage": expected,
        "description": about,
        "examples": list(examples),
    }


def _parts(channel: str) -> Schema:
    needed, optional = PARTS.get(channel, (("text",), ()))
    fields = dict.fromkeys((*needed, *optional), TEXT)
    if channel == "email":
        fields["attachments"] = listed(mapping(dict.fromkeys(ATTACHMENT, TEXT), ("name",), **one_of("url", "data")))
        fields["layout"] = ref("id") | {"description": "The id of a file in layouts/."}
    return mapping(fields, needed)


NAMED: dict[str, Schema] = {
    "text": {"type": "string", "minLength": 1},
    "id": _text("^[a-z][a-z0-9_]{0,63}$", "Up to 64 small letters, digits and _, a letter first.", "welcome"),
    "duration": _text("^([0-9]{1,12}[smhdw])+$", "Numbers, each with a unit: s, m, h, d, w.", "45m", "24h", "1h30m"),
    "longer": _text(
        "^(?=.*[1-9])([0-9]{1,12}[smhdw])+$", "Numbers, each with a unit: s, m, h, d, w.", "45m", "24h", "3d"
    ),
    "span": _text(
        "^P(?=[0-9])([0-9]{1,6}Y)?([0-9]{1,6}M)?([0-9]{1,6}W)?([0-9]{1,6}D)?$",
        "Years, months, weeks and days of the calendar.",
        "P6M",
        "P1Y",
    ),
    "clock": _text("^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$", "A local time, in quotes.", "09:30"),
    "days": listed({"enum": list(DAY_NAMES)}, least=1),
    "host": _text("^[a-z0-9-]{1,63}([.][a-z0-9-]{1,63})*$", "The host of a link.", "shop.example.com"),
    "zone": {
        "type": "string",
        "minLength": 1,
        "description": "contact, workspace, or an IANA name.",
        "examples": ["contact", "workspace", "Asia/Tokyo"],
    },
    "date": _text("^[0-9]{4}-?[0-9W][0-9]-?[0-9]{1,2}$", "An ISO date.", "2026-12-24"),
    "moment": _text("^[0-9]{4}-", "An ISO date, or an ISO time with its offset.", "2026-12-24T09:00:00+09:00"),
    "offset": _text("^[+-]?[0-9]{1,5}d$", "Days before (-) or after.", "-10d", "0d", "+3d"),
    "trait": _text(r"^contact\.[A-Za-z_][A-Za-z0-9_]*$", "A trait of the contact.", "contact.birthday"),
    "target": _text(
        r"^(>=|<=|==|>|<) *-?[0-9]{1,15}(\.[0-9]{1,6})?$", "A comparison with a number, in quotes.", ">= 3"
    ),
    "expression": {
        "type": "string",
        "minLength": 1,
        "description": "A CEL expression; what is missing is null.",
        "examples": ["event.properties.total > 100"],
    },
    "value": {
        "description": "A value as it stands, or one to be worked out: {expr: …}.",
        "anyOf": [
            {"type": ["string", "number", "boolean", "null"]},
            mapping({"expr": ref("expression")}, ("expr",)),
        ],
    },
    "texts": mapping({channel: _parts(channel) for channel in CHANNELS}),
    "named_event": mapping({"event": TEXT}, ("event",)),
}
"""The named forms."""

STRUCTS: dict[type, Schema] = {
    Expression: ref("expression"),
    Target: ref("target"),
    Template: {"description": "The id of a file in templates/, or the texts themselves.", "anyOf": [TEXT, TEXTS]},
}
"""Structs that are written as one value."""
