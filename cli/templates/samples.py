"""Data for a preview: invented from what the texts read, so that a template can be looked at before there is any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from shared.rendering import Use
from shared.rendering.roots import PLACEHOLDERS
from shared.rendering.variables import EACH

GIVEN: dict[str, Any] = {
    "journey": {"id": "preview", "version": 1},
    "message": {
        "id": "5f0c0f3e-0000-5000-8000-000000000000",
        "step": "preview",
        "timezone": "Asia/Tokyo",
        **PLACEHOLDERS,
    },
    "now": "2026-03-02T10:45:00.000+09:00",
}
"""What the engine itself puts into every message."""

_INSTANT = "2026-03-02T01:45:00Z"
_DEADLINE = "2026-03-04T01:45:00Z"
_NUMBER = 3
_ARITHMETIC = frozenset(
    ["abs", "at_least", "at_most", "ceil", "divided_by", "floor", "minus", "modulo", "plus", "round", "times"]
)
_NUMBERS = frozenset(
    [
        "amount",
        "count",
        "discount",
        "points",
        "price",
        "quantity",
        "rating",
        "revenue",
        "subtotal",
        "tax",
        "total",
        "value",
    ]
)
_WORDS: dict[str, Any] = {
    "city": "Kyoto",
    "country": "JP",
    "currency": "JPY",
    "email": "aki@example.jp",
    "first_name": "Aki",
    "firstName": "Aki",
    "last_name": "Sato",
    "lastName": "Sato",
    "phone": "+819012345678",
    "timezone": "Asia/Tokyo",
}
_LINKS = ("url", "link", "href", "image")


class _Slot(msgspec.Struct):
    """One place of the data: what stands below it, and how it is used itself."""

    below: dict[str, _Slot] = {}
    uses: list[Use] = []


def invent(uses: Iterable[Use]) -> dict[str, Any]:
    """Return data in which each of ``uses`` has a value: two items in a list, a price where one is asked for."""
    top = _Slot()
    for use in uses:
        slot = top
        for name in use.path:
            slot = slot.below.setdefault(name, _Slot())
        slot.uses.append(use)
    return {**{name: _value(name, slot) for name, slot in top.below.items()}, **GIVEN}


def completed(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``data`` with what the engine puts into every message, where it does not say so itself."""
    return {**GIVEN, **data}


def _value(name: str, slot: _Slot) -> Any:
    if EACH in slot.below:
        return [_value(name, slot.below[EACH])] * 2
    if any(use.listed for use in slot.uses):
        return [_leaf(name, slot.uses)] * 2
    if slot.below:
        return {below: _value(below, inner) for below, inner in slot.below.items()}
    return _leaf(name, slot.uses)


def _leaf(name: str, uses: list[Use]) -> Any:
    filters = {filter_ for use in uses for filter_ in use.filters}
    if "date" in filters:
        return _INSTANT
    if "countdown" in filters:
        return _DEADLINE
    if filters & _ARITHMETIC or any(use.ordered for use in uses):
        return _NUMBER
    if name in _WORDS:
        return _WORDS[name]
    if name.lower() in _NUMBERS:
        return 4980
    if name.lower().endswith(_LINKS):
        return f"https://shop.example/{name}"
    return f"[{name}]"
