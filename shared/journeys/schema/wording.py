"""How a struct is written in YAML, as data."""

from __future__ import annotations

from typing import Any

import msgspec

Schema = dict[str, Any]
"""A JSON Schema. One that is named stands in ``$defs`` and is referred to by ``ref``."""


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """One key of a mapping. What is left out follows from the field: its name, its type, whether it has a default."""

    key: str | None = None
    form: Schema | None = None
    needed: bool | None = None
    about: str | None = None


class Wording(msgspec.Struct, frozen=True, kw_only=True):
    """How a struct is written.

    ``words``: by field, where it is not as name and type say; of no word when others say it. ``more``: keys that are no
    field's. ``rules``: what else holds for the mapping. ``bare``: the one field whose form stands for the struct.
    ``about`` is said in place of the docstring.
    """

    words: dict[str, tuple[Word, ...]] = {}
    more: dict[str, Word] = {}
    rules: Schema = {}
    bare: str | None = None
    about: str | None = None


def word(
    key: str | None = None, form: Schema | None = None, *, needed: bool | None = None, about: str | None = None
) -> tuple[Word, ...]:
    """Return the words of a field that has one."""
    return (Word(key=key, form=form, needed=needed, about=about),)


def ref(name: str) -> Schema:
    """Return the schema of that name."""
    return {"$ref": f"#/$defs/{name}"}


def integer(low: int, high: int) -> Schema:
    """Return a whole number."""
    return {"type": "integer", "minimum": low, "maximum": high}


def number(low: float, high: float) -> Schema:
    """Return a number. One with a decimal point is a text to our reader."""
    return {
        "anyOf": [
            {"type": "number", "minimum": low, "maximum": high},
            {"type": "string", "pattern": r"^[-+]?[0-9]{1,15}\.[0-9]{1,15}$", "examples": ["12.5"]},
        ]
    }


def choice(*known: str) -> Schema:
    """Return one of ``known``."""
    return {"enum": list(known)}


def listed(item: Schema, *, least: int = 0) -> Schema:
    """Return a list with ``least`` items or more."""
    return {"type": "array", "items": item} | ({"minItems": least} if least else {})


def named(value: Schema, *, names: Schema | None = None, least: int = 0) -> Schema:
    """Return a mapping whose keys the author chooses (``names``), with ``least`` of them or more."""
    found: Schema = {"type": "object", "additionalProperties": value}
    return found | ({"propertyNames": names} if names else {}) | ({"minProperties": least} if least else {})


def mapping(properties: dict[str, Schema], needed: tuple[str, ...] = (), **rules: Any) -> Schema:
    """Return a mapping with these keys and no others."""
    found: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return found | ({"required": list(needed)} if needed else {}) | rules


def one_of(*keys: str) -> Schema:
    """Return the rule that a mapping has exactly one of ``keys``."""
    return {"oneOf": [{"required": [key]} for key in keys]}


def needs(**keys: str) -> Schema:
    """Return the rule that each of these keys is of use with the other key alone."""
    return {"dependentRequired": {key: [other] for key, other in keys.items()}}
