"""Parses ids."""

from __future__ import annotations

import re

from shared.journeys.faults import shown
from shared.journeys.reader import Node

_ID = re.compile(r"[a-z][a-z0-9_]{0,63}")


def is_id(text: str) -> bool:
    """Tell whether ``text`` can be an id."""
    return _ID.fullmatch(text) is not None


def parse_id(node: Node) -> str:
    """Return an id: lower case letters, digits and underscores."""
    text = node.text()
    if text and not is_id(text):
        node.fault(f"{shown(text)} is not an id; use up to 64 small letters, digits and _, a letter first")
    return text
