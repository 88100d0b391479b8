"""Evaluates conditions and path expressions against one contact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any as Value
from typing import assert_never

import msgspec

from services.evaluator.core.addresses import address
from shared.journeys.model import All, Any, Condition, Not, Path, Performed, Reachable


class Scope(msgspec.Struct, frozen=True):
    """What a condition may look at. ``now`` is the time of the cause."""

    now: int
    traits: Mapping[str, Value]
    history: Mapping[str, tuple[int, ...]]
    event: Mapping[str, Value]
    context: Mapping[str, Value]


def holds(condition: Condition | None, scope: Scope) -> bool:
    """Tell whether ``condition`` is true; no condition is."""
    match condition:
        case None:
            return True
        case All():
            return all(holds(part, scope) for part in condition.of)
        case Any():
            return any(holds(part, scope) for part in condition.of)
        case Not():
            return not holds(condition.of, scope)
        case Performed():
            return _count(condition, scope) >= condition.count
        case Reachable():
            return any(address(scope.traits, channel) is not None for channel in condition.channels)
        case _:
            assert_never(condition)


def read_path(path: Path, scope: Scope) -> Value:
    """Return the value at ``path``; None when any part of the way is missing."""
    value: Value = {"contact": scope.traits, "event": scope.event, "context": scope.context}[path.root]
    for key in path.keys:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def _count(condition: Performed, scope: Scope) -> int:
    times = scope.history.get(condition.event, ())
    return sum(1 for at in times if scope.now - condition.within < at <= scope.now)
