"""What two contacts that turn out to be one know together."""

from __future__ import annotations

import msgspec

from services.evaluator.core.audiences import watches_audience
from services.evaluator.core.consent import newest_of
from services.evaluator.core.draft import Draft
from services.evaluator.core.exits import ENTRIES_AT_MOST
from services.evaluator.core.history import FUNCTIONS, HISTORY_AT_MOST
from services.evaluator.core.measures import Fn, merged_samples
from services.evaluator.core.messages import MESSAGES_AT_MOST
from services.evaluator.core.recent import events_of, recent_of
from services.evaluator.core.slots import MeasureSlot
from services.evaluator.core.state import NEVER, OCCURRED_AT_MOST, ContactState, Passage, Run, Total
from services.evaluator.core.suppression import merged_suppressions
from services.evaluator.core.thresholds import watches_threshold

KEPT_APART = frozenset(
    {"contact", "seq", "ids", "anonymous_id", "coordination", "links", "forward", "adopted", "seen", "recent"}
)
"""Fields that are each row's own, and two that are not written any more. Every other field of ``ContactState`` is
merged: a test sees to it."""


def merge(draft: Draft, given: ContactState) -> list[Run]:
    """Take ``given`` into the draft and return the runs that came with it; what the draft says itself counts first.

    What triggers by threshold keep is merged by ``merge_thresholds``: it knows what is crossed by it.
    """
    draft.traits = {**given.traits, **draft.traits}
    draft.consent = newest_of(draft.consent, given.consent)
    draft.history = {
        key: tuple(sorted((*draft.history.get(key, ()), *given.history.get(key, ())))[-HISTORY_AT_MOST:])
        for key in sorted(draft.history.keys() | given.history.keys())
    }
    draft.passages = {**given.passages, **draft.passages} | {
        key: _later(given.passages[key], draft.passages[key])
        for key in sorted(given.passages.keys() & draft.passages.keys())
    }
    events = (*events_of(draft.lately), *events_of(given.lately))
    draft.lately = recent_of(sorted(events, key=lambda event: event[1]))
    draft.messages = tuple(sorted((*draft.messages, *given.messages), key=lambda one: one.at)[-MESSAGES_AT_MOST:])
    draft.suppressed = merged_suppressions(draft.suppressed, given.suppressed)
    draft.ended = (*draft.ended, *given.ended)
    draft.sent = tuple(sorted((*draft.sent, *given.sent), key=lambda mark: mark.at))
    draft.touches = (*draft.touches, *given.touches)
    draft.been = (*draft.been, *(journey for journey in given.been if journey not in draft.been))
    draft.pending = (
        *draft.pending,
        *(msgspec.structs.replace(one, contact=one.contact or given.contact) for one in given.pending),
    )
    functions = _functions(draft)
    draft.measures = {
        key: merged_samples(draft.measures.get(key, ()), given.measures.get(key, ()), functions.get(key, "last"))
        for key in sorted(draft.measures.keys() | given.measures.keys())
    }
    draft.totals = {**given.totals, **draft.totals} | {
        key: _summed(draft.totals[key], given.totals[key]) for key in sorted(draft.totals.keys() & given.totals.keys())
    }
    draft.active_at = max(draft.active_at, given.active_at)
    draft.occurred = {
        key: tuple(sorted({*draft.occurred.get(key, ()), *given.occurred.get(key, ())})[-OCCURRED_AT_MOST:])
        for key in {**given.occurred, **draft.occurred}
    }
    draft.audiences = {
        name: draft.audiences.get(name, False) or given.audiences.get(name, False)
        for name in sorted(draft.audiences.keys() | given.audiences.keys())
    }
    draft.entries = {
        journey: tuple(sorted((*draft.entries.get(journey, ()), *given.entries.get(journey, ())))[-ENTRIES_AT_MOST:])
        for journey in sorted(draft.entries.keys() | given.entries.keys())
    }
    for watch in given.watches.values():
        if watches_audience(watch.key) or watches_threshold(watch.key):
            continue  # both are judged again over what both contacts know
        known = draft.watches.get(watch.key)
        # What waits for a time is armed anew (``dates.follow_merge``): the time is that of the whole contact.
        if not watch.occurrence and (known is None or known.due < watch.due):
            draft.watch(watch)
    return [draft.receive(run) for run in given.runs]


def _functions(draft: Draft) -> dict[str, Fn]:
    """Return by which function the samples of each measure are kept."""
    slots = (slot for found in draft.catalog.history.values() for slot in found)
    measured = (slot for slot in slots if isinstance(slot, MeasureSlot) and slot.kind != "total")
    return {slot.key: FUNCTIONS[slot.kind] for slot in measured}


def _summed(one: Total, other: Total) -> Total:
    newest = max(one, other, key=lambda total: total.last_at)
    return Total(
        count=one.count + other.count,
        sum=one.sum + other.sum,
        min=min(one.min, other.min),
        max=max(one.max, other.max),
        last=newest.last,
        last_at=newest.last_at,
    )


def _later(one: Passage, other: Passage) -> Passage:
    """Return the passage that keeps the contact out longer."""
    return max(one, other, key=lambda passage: NEVER if passage.again_at is None else passage.again_at)
