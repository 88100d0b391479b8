"""What a text can refer to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ROOTS: dict[str, tuple[str, ...]] = {
    "contact": (),
    "context": (),
    "data": (),
    "event": ("name", "properties"),
    "trigger": ("name", "properties", "occurrence"),
    "journey": ("id", "version"),
    "message": ("id", "step", "timezone", "unsubscribe_url", "preferences_url", "view_in_browser_url"),
    "now": (),
}
"""Root to the words that can stand right below it; none: whatever the site and the journey put there."""


PLACEHOLDERS = {
    "unsubscribe_url": "https://link.example/u/unsubscribe",
    "preferences_url": "https://link.example/u/preferences",
    "view_in_browser_url": "https://link.example/v/message",
}
"""What stands for the links of a message where none can be made: in tests, simulations and previews."""


def with_links(data: Mapping[str, Any], links: Mapping[str, str]) -> dict[str, Any]:
    """Return ``data`` with the links of the message that its texts may print."""
    return {**data, "message": {**data.get("message", {}), **links}}


def rooted(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``data`` without its nulls, which are as good as missing, and with ``trigger``.

    In a text, as in a step, ``event`` is the one that caused the entry, so that a command carries it once.
    """
    known = {name: _without_nulls(value) for name, value in data.items() if value is not None}
    if "event" in known:
        known.setdefault("trigger", known["event"])
    return known


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_nulls(item) for item in value]
    return value
