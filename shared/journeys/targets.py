"""Parses comparisons with a number."""

from __future__ import annotations

import re
from typing import Literal, cast

from shared.journeys.predicate import Target
from shared.journeys.reader import Node

_TARGET = re.compile(r"(>=|<=|==|>|<) *(-?[0-9]{1,15}(?:\.[0-9]{1,6})?)")


def parse_target(node: Node) -> Target:
    """Return the comparison of ``node``, such as ``">= 3"``; a fault and ``>= 0`` for anything else."""
    text = node.text()
    found = _TARGET.fullmatch(text)
    if found is None:
        if text:
            node.fault(f'`{text[:40]}` is no comparison with a number; write one in quotes such as ">= 3"')
        return Target(">=", 0)
    return Target(cast("Literal['>', '>=', '<', '<=', '==']", found[1]), float(found[2]))
