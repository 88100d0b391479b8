"""Events of our own: how many may follow from one another, and those that tell that a run began or ended."""

from __future__ import annotations

from typing import Any

from services.evaluator.core.draft import Draft
from services.evaluator.core.state import Run
from shared.clock import DAY
from shared.ids import derived_id
from shared.journeys.walk import CONTACT_MERGED, JOURNEY_ENTERED, JOURNEY_EXITED
from shared.messages.event import HOPS, HOPS_SINCE, Event

MOST_HOPS = 10
"""Events of our own that may follow from one another: journeys that set each other off in a circle stop here."""
HOP_SPAN = DAY
"""A chain counts for so long, in log time: a circle that a month's wait slows down is a plan and no accident."""
LOOP = "emit_loop"


def chain_of(event: Event) -> tuple[int, int]:
    """Return how many events of our own led to ``event``, and since when; what is no number counts as none."""
    hops, since = event.context.get(HOPS), event.context.get(HOPS_SINCE)
    return (hops, since) if isinstance(hops, int) and isinstance(since, int) else (0, 0)


def longest_chain(draft: Draft, run: Run) -> tuple[int, int]:
    """Return the longer of the chains that led to ``run`` and to the event being applied, of those still counted."""
    chains = ((run.hops, run.hops_since), (draft.hops, draft.hops_since))
    alive = [chain for chain in chains if chain[1] > draft.log_time - HOP_SPAN]
    return max(alive, default=(0, draft.log_time))


def next_hop(draft: Draft, run: Run) -> tuple[int, int] | None:
    """Return the chain with one more event of ``run``; None: it is as long as it may be."""
    hops, since = longest_chain(draft, run)
    return None if hops >= MOST_HOPS else (hops + 1, since)


def ids_of(contact: str) -> dict[str, Any]:
    """Return the ids that a record of ``contact`` carries."""
    kind, _, name = contact.partition(":")
    return {"user_id" if kind == "u" else "anonymous_id": name}


def append_event(draft: Draft, run: Run, name: str, properties: dict[str, Any], message_id: str) -> bool:
    """Let the event ``name`` of ``run`` happen; it comes back through the log. False: the chain is too long."""
    hop = next_hop(draft, run)
    if hop is None:
        return False
    event = Event(
        message_id=message_id,
        type="track",
        name=name,
        timestamp=draft.now,
        received_at=draft.log_time,
        properties=properties,
        context={HOPS: hop[0], HOPS_SINCE: hop[1]},
        **ids_of(draft.contact),
    )
    draft.events = (*draft.events, event)
    return True


def announce_entry(draft: Draft, run: Run) -> None:
    """Append ``Journey Entered``, if somebody listens."""
    if JOURNEY_ENTERED in draft.catalog.heard:
        _announce(draft, run, JOURNEY_ENTERED, {})


def announce_exit(draft: Draft, run: Run, reason: str) -> None:
    """Append ``Journey Exited``, if somebody listens."""
    if JOURNEY_EXITED in draft.catalog.heard or run.journey in draft.catalog.chained:
        _announce(draft, run, JOURNEY_EXITED, {"reason": reason})


def announce_merge(draft: Draft, anonymous: str) -> None:
    """Append ``Contact Merged``, if somebody listens: the contact has taken over what ``anonymous`` (a key) was."""
    if CONTACT_MERGED in draft.catalog.heard:
        event = Event(
            message_id=derived_id(CONTACT_MERGED, draft.contact, anonymous),
            type="track",
            name=CONTACT_MERGED,
            timestamp=draft.now,
            received_at=draft.log_time,
            properties={"anonymous_id": anonymous.partition(":")[2]},
            **ids_of(draft.contact),
        )
        draft.events = (*draft.events, event)


def _announce(draft: Draft, run: Run, name: str, more: dict[str, Any]) -> None:
    known = {"journey": run.journey, "version": run.version, "run_id": run.run_id, "key": run.key}
    if not append_event(draft, run, name, {**known, **more}, derived_id(name, run.run_id)):
        draft.note_run("skip", run, step=run.step, reason=LOOP)
