"""What stands in a test file as plain data, for properties and traits."""

from __future__ import annotations

import re
from typing import Any

from shared.journeys.reader import Node

_DECIMAL = re.compile(r"[-+]?[0-9]{1,15}\.[0-9]{1,15}(?:[eE][-+]?[0-9]{1,2})?")


def plain(node: Node) -> Any:
    """Return the value of ``node`` as JSON has it. ``49.5`` is a number: journeys themselves have no decimals."""
    match node.value:
        case dict():
            return {str(key): plain(child) for key, child in node.value.items()}
        case list():
            return [plain(child) for child in node.value]
        case str() if _DECIMAL.fullmatch(node.value):
            return float(node.value)
        case _:
            return node.value


def mapping(node: Node) -> dict[str, Any]:
    """Return the mapping of ``node`` as plain data; a fault and an empty one when it is none."""
    return {name: plain(child) for name, child in node.pairs()}


def identifier(node: Node) -> str:
    """Return an id, which may be written as a whole number."""
    return str(node.value) if node.is_a(int) else node.text()
