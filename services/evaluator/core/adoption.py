"""Brings a contact to the catalogue: at first sight, and whenever the catalogue has become another one."""

from __future__ import annotations

from services.evaluator.core.catalog import Catalog
from services.evaluator.core.dates import arm
from services.evaluator.core.draft import Draft
from services.evaluator.core.exits import exit_stopped
from services.evaluator.core.state import ContactState
from shared.messages.coordination import PREFIX


def is_behind(catalog: Catalog, state: ContactState) -> bool:
    """Tell whether a known contact (not a journey's row) has yet to adopt ``catalog``; new ones do at first sight."""
    return state.adopted != catalog.number and bool(state.seen) and not state.contact.startswith(PREFIX)


def adopt(draft: Draft) -> None:
    """End what was stopped or is no longer asked for by time, and wait for what is; twice is as once."""
    for key, watch in draft.watches.items():
        if watch.occurrence and key not in draft.catalog.dated:
            draft.unwatch(key)
    # A row that no event of the contact has made (an outcome has, or it was handed over) waits for its first one.
    for dated in draft.catalog.dated.values() if draft.recent else ():
        arm(draft, dated)
    exit_stopped(draft)
    draft.adopted = draft.catalog.number
