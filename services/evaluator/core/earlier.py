"""What happened before a ``wait_for`` was reached and counts all the same (``since``)."""

from __future__ import annotations

from services.evaluator.core.draft import Draft
from services.evaluator.core.slots import history_key
from services.evaluator.core.state import Run
from shared.journeys.model import Awaited, WaitFor
from shared.journeys.walk import awaited_as_performed


def counts_after(run: Run, step: WaitFor) -> int:
    """Return the time after which an event counts: what led to that moment is not what is waited for."""
    if step.since == "entry":
        return run.entered_at
    if step.since == "step":
        return run.step_at - 1
    return run.passed.get(step.since, run.step_at - 1)


def has_happened(draft: Draft, run: Run, step: WaitFor, awaited: Awaited) -> bool:
    """Tell whether the event of ``awaited`` happened since then, as ``run`` comes to ``step``."""
    if step.since == "step" or awaited.event is None:
        return False
    after = counts_after(run, step)
    return any(after < at <= draft.now for at in draft.history.get(history_key(awaited_as_performed(awaited)), ()))
