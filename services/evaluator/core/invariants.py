"""Which of its journey's invariants a message would break: they hold at run time, whatever the steps say."""

from __future__ import annotations

from typing import assert_never

from services.evaluator.core.catalog import Plan
from services.evaluator.core.draft import Draft
from services.evaluator.core.parts import message_ids
from services.evaluator.core.state import Run
from shared.journeys.model import Send
from shared.journeys.promises import Invariant, MaxDuration, MaxSends, MinGap, NoSendAfter


def broken_by_send(draft: Draft, plan: Plan, run: Run, step: Send) -> str | None:
    """Return the word of the first invariant that a message of ``step`` would break now, or None."""
    return next((name for it in plan.journey.invariants if (name := _broken(draft, run, step, it)) is not None), None)


def _broken(draft: Draft, run: Run, step: Send, promised: Invariant) -> str | None:
    match promised:
        case MaxSends():
            return "max_sends" if run.sends >= promised.most else None
        case MinGap():
            last = _last_send(draft, run, step)
            return "min_gap" if last is not None and draft.now - last < promised.gap else None
        case NoSendAfter():
            return "no_send_after" if _has_happened(draft, run, promised.event) else None
        case MaxDuration():
            return None  # a timer ends the run
        case _:
            assert_never(promised)


def _last_send(draft: Draft, run: Run, step: Send) -> int | None:
    """Return when the run last sent by another visit of a step: messages that one send decides are one."""
    own = message_ids(run, step)
    sent = (touch.at for touch in draft.touches if touch.run_id == run.run_id and touch.command_id not in own)
    return max(sent, default=None)


def _has_happened(draft: Draft, run: Run, event: str) -> bool:
    """Tell whether ``event`` is known to have happened since the run was entered; what it was entered by is before."""
    times = [at for at in draft.history.get(event, ()) if at >= run.entered_at]
    return len(times) > (run.event.get("name") == event)
