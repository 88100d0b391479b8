"""Applies the outcome of a command: it is no longer pending, and a message that never left gives its slot back."""

from __future__ import annotations

import msgspec

from services.evaluator.core.draft import Draft
from shared.messages.journal import Decision
from shared.messages.outcome import Outcome, OutcomeStatus

_DECISIONS: dict[OutcomeStatus, Decision] = {
    "sent": "sent",
    "skipped": "skip",
    "failed": "failed",
    "ambiguous": "ambiguous",
}


def settle(draft: Draft, outcome: Outcome) -> None:
    """Take ``outcome`` in. One for a command that is not pending (settled already) is noted nowhere."""
    unsettled = tuple(command for command in draft.pending if command.command_id != outcome.command_id)
    if len(unsettled) == len(draft.pending):
        return
    draft.pending = unsettled
    if all(command.run_id != outcome.run_id for command in unsettled):
        draft.ended = tuple(run for run in draft.ended if run.run_id != outcome.run_id)
    if outcome.status in ("sent", "ambiguous"):
        draft.sent = tuple(
            msgspec.structs.replace(mark, channel=outcome.channel) if mark.command_id == outcome.command_id else mark
            for mark in draft.sent
        )
    if outcome.status in ("skipped", "failed"):
        draft.sent = tuple(mark for mark in draft.sent if mark.command_id != outcome.command_id)
        draft.touches = tuple(touch for touch in draft.touches if touch.command_id != outcome.command_id)
        run = draft.runs.get(outcome.run_id)
        if run is not None:
            draft.change(run, sends=run.sends - 1)
    draft.note(
        _DECISIONS[outcome.status],
        outcome.journey,
        outcome.version,
        run=outcome.run_id,
        step=outcome.step,
        channel=outcome.channel,
        command_id=outcome.command_id,
        reason=outcome.reason,
    )
