"""Keeps of an event what some condition asks for, and nothing else."""

from __future__ import annotations

from typing import assert_never

from services.evaluator.core.conditions import holds, value_of
from services.evaluator.core.draft import Draft
from services.evaluator.core.marks import BECAME
from services.evaluator.core.measures import Fn, added, sample_value, with_sample
from services.evaluator.core.slots import HistorySlot, Kind, MeasureSlot
from services.evaluator.core.state import Sample
from shared.messages.event import HOPS, Event

HISTORY_AT_MOST = 1_000
"""How many times of one event are kept per contact; the oldest go first."""

FUNCTIONS: dict[Kind, Fn] = {"count": "count", "sum": "sum", "values": "last", "distinct": "distinct"}
"""By which function the samples of a kind are kept."""


def note_history(draft: Draft, name: str) -> None:
    """Keep what conditions ask for of the event being applied."""
    for slot in draft.catalog.history.get(name, ()):
        if not holds(slot.where, draft.scope()):
            continue
        match slot:
            case HistorySlot():
                _note_time(draft, slot)
            case MeasureSlot():
                _note_value(draft, slot)
            case _:
                assert_never(slot)


def note_activity(draft: Draft, event: Event) -> None:
    """Keep when the contact was last on the site or in the app; what we or a provider tell of it is no activity."""
    if event.type in ("track", "page", "screen") and HOPS not in event.context and event.name not in BECAME:
        draft.active_at = max(draft.active_at, draft.now)


def _note_time(draft: Draft, slot: HistorySlot) -> None:
    oldest = draft.log_time - slot.span
    kept = sorted([*(at for at in draft.history.get(slot.key, ()) if at > oldest), draft.now])
    draft.history = {**draft.history, slot.key: tuple(kept[-HISTORY_AT_MOST:])}


def _note_value(draft: Draft, slot: MeasureSlot) -> None:
    found = 1 if slot.field is None else value_of(slot.field, draft.scope())
    value = sample_value(found, distinct=slot.kind == "distinct")
    if value is None:
        return
    if slot.kind == "total":
        draft.totals = {**draft.totals, slot.key: added(draft.totals.get(slot.key), draft.now, value)}
        return
    oldest = None if slot.span is None else draft.log_time - slot.span
    known = draft.measures.get(slot.key, ())
    kept = with_sample(known, Sample(draft.now, value), FUNCTIONS[slot.kind], oldest)
    draft.measures = {**draft.measures, slot.key: kept}
