"""Events that nothing follows from: most of a site's. They are remembered, and the contact's state is left as it is.

``advance`` comes to the same for them by its long way; a test lets it go both ways.
"""

from __future__ import annotations

from services.evaluator.core.catalog import Catalog, resets
from services.evaluator.core.consent import may_be_tracked
from services.evaluator.core.marks import BECAME
from services.evaluator.core.state import ContactState
from services.evaluator.core.suppression import ABOUT_ADDRESS
from shared.journeys.model import Collect, WaitFor
from shared.messages.event import HOPS, Event


def is_quiet(catalog: Catalog, state: ContactState, event: Event, log_time: int) -> bool:
    """Tell whether nothing follows from ``event`` but that it was; False: that is to be seen."""
    return (
        _says_nothing(event)
        and not _is_asked_for(catalog, event.name)
        and _waits_for_nothing(catalog, state, event, log_time)
    )


def _says_nothing(event: Event) -> bool:
    """Tell whether ``event`` says nothing of who the contact is, of a message or of itself."""
    return not (
        event.type in ("identify", "consent")
        or (event.user_id is not None and (event.anonymous_id or event.previous_id))
        or "consent" in event.context
        or HOPS in event.context
        or event.name in BECAME
        or event.name in ABOUT_ADDRESS
        or event.late
    )


def _is_asked_for(catalog: Catalog, name: str) -> bool:
    """Tell whether something is to be done about an event of that name, whoever the contact is."""
    return (
        name in catalog.triggered_by
        or name in catalog.history
        or name in catalog.watched_by
        or name in catalog.goals_on
        or name in catalog.audiences.by_event
        or catalog.asks_online
    )


def _waits_for_nothing(catalog: Catalog, state: ContactState, event: Event, log_time: int) -> bool:
    """Tell whether no run, message or watch of the contact has anything to do with ``event``, which may be applied."""
    if not state.lately.packed or state.watches or state.links or state.forward:
        return False
    if not may_be_tracked(state.consent, required=catalog.tracking.required):
        return False
    for touch in state.touches:
        if touch.until <= log_time:
            return False
    for run in (*state.runs, *state.ended) if state.runs or state.ended else ():
        plan = catalog.plan(run.journey, run.version)
        if catalog.adopting or plan is None or plan.exits_at.get(event.name, plan.exits_asked):
            return False
        step = plan.steps.get(run.step)
        if isinstance(step, (WaitFor, Collect)) or (step is not None and resets(step, event.name)):
            return False
    return True
