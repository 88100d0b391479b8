"""Consent to be tracked: an event of a contact who has not given it is not applied."""

from __future__ import annotations

from services.evaluator.core.draft import Draft
from services.evaluator.core.exits import CONSENT_REVOKED, exit_any
from services.evaluator.core.stay_out import triggered_journeys
from shared.journeys.model import TRACKING
from shared.messages.event import HOPS, Event


def may_track(draft: Draft, event: Event) -> bool:
    """Tell whether ``event`` may be applied. Of what the event itself says and what the contact has said, the newer.

    Consent itself, and what we or a provider tell of messages, needs none.
    """
    tracking, known = draft.catalog.tracking, draft.consent.get(TRACKING)
    if known is None and not tracking.required and "consent" not in event.context:
        return True  # as nearly always: nobody has said anything
    if event.type == "consent" or HOPS in event.context or not tracking.concerns(event.name):
        return True
    own = tracking.stated_in(event.context)
    if known is not None and (own is None or known.at > draft.now):
        return known.granted
    return not tracking.required if own is None else own


def refuse_untracked(draft: Draft, event: Event) -> None:
    """Apply nothing of ``event``. That it came is counted, and noted for the journeys that it would have started."""
    draft.remark("untracked")
    for journey in triggered_journeys(draft.catalog, event.name):
        draft.note("not_entered", journey.id, journey.version, reason="tracking_not_permitted")


def exit_untracked(draft: Draft) -> None:
    """End the marketing runs of a contact who may be tracked no longer: they wait for what they would not see."""
    for run in (*draft.runs.values(), *draft.ended):
        plan = draft.catalog.plan(run.journey, run.version)
        if plan is not None and plan.journey.policy.purpose == "marketing":
            exit_any(draft, run, CONSENT_REVOKED)
