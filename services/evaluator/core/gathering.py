"""The events that ``collect`` keeps for one message."""

from __future__ import annotations

from typing import Any

import msgspec

from services.evaluator.core.conditions import value_of
from services.evaluator.core.draft import Draft
from services.evaluator.core.state import Run
from shared.journeys.model import Collect

EVENT_BYTES = 1024
"""Of one event's properties, as JSON. A hundred of them (``max``) fill less than half of a row (``processor``)."""


def begin(draft: Draft, run: Run, step: Collect) -> Run:
    """Start with the event that the run was entered by, if it is one of those and not collected before."""
    run = draft.change(run, gathered={})
    if run.event.get("name") == step.event and run.visits[step.id] == 1:
        run = add(draft, run, step, run.event)
    return run


def add(draft: Draft, run: Run, step: Collect, event: dict[str, Any]) -> Run:
    """Keep ``event``; of those with one value of ``by`` the last one, behind the others."""
    key = str(len(run.gathered))
    if step.by is not None:
        scope = draft.scope(run)
        scope.event = event
        value = value_of(step.by, scope)
        # What lacks the value is like nothing else: such events are all kept.
        key = f"#{key}" if value is None else f"={value}"
    others = {name: kept for name, kept in run.gathered.items() if name != key}
    return draft.change(run, gathered={**others, key: bounded(event.get("properties") or {})})


def is_full(run: Run, step: Collect) -> bool:
    """Tell whether as many events are there as are wanted."""
    return len(run.gathered) >= step.most


def end(draft: Draft, run: Run, step: Collect) -> Run:
    """Put what was kept where the texts find it."""
    return draft.change(run, context={**run.context, step.save_as: list(run.gathered.values())}, gathered={})


def bounded(properties: dict[str, Any]) -> dict[str, Any]:
    """Return ``properties``, or those of them that fit, asked in their order."""
    if len(msgspec.json.encode(properties)) <= EVENT_BYTES:
        return properties
    kept: dict[str, Any] = {}
    size = 0
    for name, value in properties.items():
        more = len(msgspec.json.encode({name: value}))
        if size + more <= EVENT_BYTES:
            kept[name] = value
            size += more
    return kept
