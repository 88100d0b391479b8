"""Triggers that wait for something not to happen: a watch is armed by one event and ended by another, or comes due."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, assert_never

from services.evaluator.core.catalog import Watcher, watched_key
from services.evaluator.core.conditions import holds
from services.evaluator.core.draft import Draft
from services.evaluator.core.state import Watch
from shared.journeys.model import AbsenceTrigger, InactivityTrigger

WATCHES_AT_MOST = 200
"""Such watches of one contact (carts, orders, journeys); the one due last goes first."""


def feed_watches(draft: Draft, name: str, *, first_sight: bool, only: Collection[str] | None = None) -> None:
    """Arm, move and end the watches that the event being applied concerns.

    ``only``: the keys of those that it may move and end, and none is armed; None: all.
    """
    for watcher in draft.catalog.watched_from_first_sight if first_sight else ():
        _arm(draft, watcher, watcher.key, _span(watcher))
    for watcher in draft.catalog.watched_by.get(name, ()):
        if watcher.trigger.where is not None and not holds(watcher.trigger.where, draft.scope()):
            continue
        key = _key(watcher, draft.event)
        if only is not None and (key not in only or key not in draft.watches):
            continue
        match watcher.trigger:
            case InactivityTrigger():
                _arm(draft, watcher, key, watcher.trigger.duration)
            case AbsenceTrigger():
                if name == watcher.trigger.after:
                    _arm(draft, watcher, key, watcher.trigger.within)
                elif key in draft.watches and draft.now >= draft.watches[key].since:
                    draft.unwatch(key)
            case _:
                assert_never(watcher.trigger)


def _arm(draft: Draft, watcher: Watcher, key: str, span: int) -> None:
    """Start the watch, or move it on; an event from the past never brings it forward, imported history ends none."""
    former = draft.watches.get(key)
    due = draft.now + span
    if (former is not None and former.due >= due) or (draft.historical and due <= draft.log_time):
        return
    draft.watch(Watch(key, watcher.plan.journey.id, due, draft.now, draft.event))
    if len(draft.watches) > WATCHES_AT_MOST:
        # Nothing would arm the others again.
        fed = [watch for watch in draft.watches.values() if watched_key(watch.key) in draft.catalog.watching]
        if len(fed) > WATCHES_AT_MOST:
            draft.unwatch(max(fed, key=lambda watch: (watch.due, watch.key)).key)


def _span(watcher: Watcher) -> int:
    return watcher.trigger.duration if isinstance(watcher.trigger, InactivityTrigger) else watcher.trigger.within


def _key(watcher: Watcher, event: Mapping[str, Any]) -> str:
    match = watcher.trigger.match if isinstance(watcher.trigger, AbsenceTrigger) else ()
    properties = event.get("properties", {})
    return "/".join([watcher.key, *(str(properties.get(name)) for name in match)])
