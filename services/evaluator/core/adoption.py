"""Brings a contact to the catalogue: at first sight, and whenever the catalogue has become another one."""

from __future__ import annotations

from services.evaluator.core.catalog import Catalog
from services.evaluator.core.dates import arm, note_occurrence
from services.evaluator.core.draft import Draft
from services.evaluator.core.entry import enter_by_backfill
from services.evaluator.core.exits import exit_stopped
from services.evaluator.core.state import ContactState
from services.evaluator.core.thresholds import adopt_thresholds
from shared.messages.coordination import PREFIX


def is_behind(catalog: Catalog, state: ContactState) -> bool:
    """Tell whether a known contact (not a journey's row) has yet to adopt ``catalog``; new ones do at first sight."""
    return state.adopted != catalog.number and bool(state.ids) and not state.contact.startswith(PREFIX)


def adopt(draft: Draft) -> None:
    """End what was stopped or is no longer asked for by time, and wait for what is; twice is as once."""
    for key, watch in draft.watches.items():
        if watch.occurrence and key not in draft.catalog.dated:
            draft.unwatch(key)
    # A row that no event of the contact has made (an outcome has, or it was handed over) waits for its first one.
    for dated in draft.catalog.dated.values() if draft.lately.packed else ():
        arm(draft, dated)
    adopt_thresholds(draft)
    exit_stopped(draft)
    draft.adopted = draft.catalog.number


def backfill(draft: Draft, *, first_sight: bool = False) -> None:
    """Let the contact into journeys whose audience it is in already, each version once.

    At first sight nobody is: who comes into an audience then enters by that.
    """
    cause = draft.cause
    for plan in draft.catalog.backfilled:
        key, version = f"backfill:{plan.journey.id}", str(plan.journey.version)
        if version not in draft.occurred.get(key, ()):
            note_occurrence(draft, key, version)
            if not first_sight:
                enter_by_backfill(draft, plan)
    draft.cause = cause
