"""Applies the outcome of a command: it is no longer pending, and a message that never left gives its slot back.

A run does not wait for outcomes; one that says ``on_fail: exit`` ends when the last of a send's messages has failed.
"""

from __future__ import annotations

from typing import Any

import msgspec

from services.evaluator.core.draft import Draft
from services.evaluator.core.exits import SEND_FAILED, end_run
from services.evaluator.core.goals import settle_claims
from services.evaluator.core.messages import note_outcome
from services.evaluator.core.state import PendingCommand, visit_key
from services.evaluator.core.suppression import note_dead
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
    settled = next((command for command in draft.pending if command.command_id == outcome.command_id), None)
    if settled is None:
        return
    unsettled = tuple(command for command in draft.pending if command is not settled)
    draft.pending = unsettled
    note_outcome(draft, outcome)
    if all(command.run_id != outcome.run_id for command in unsettled):
        draft.ended = tuple(run for run in draft.ended if run.run_id != outcome.run_id)
    if outcome.status in ("sent", "ambiguous"):
        draft.sent = tuple(
            msgspec.structs.replace(mark, channel=outcome.channel) if mark.command_id == outcome.command_id else mark
            for mark in draft.sent
        )
        settle_claims(draft, outcome.command_id, left_at=draft.now)
    if outcome.status in ("skipped", "failed"):
        draft.sent = tuple(mark for mark in draft.sent if mark.command_id != outcome.command_id)
        settle_claims(draft, outcome.command_id, left_at=None)
    if not outcome.to_staff:
        note_dead(draft, settled, outcome)
        _count(draft, settled, left=outcome.status in ("sent", "ambiguous"))
    draft.note(
        _DECISIONS[outcome.status],
        outcome.journey,
        outcome.version,
        run=outcome.run_id,
        step=outcome.step,
        channel=outcome.channel,
        command_id=outcome.command_id,
        reason=outcome.reason,
        detail=_detail(outcome),
    )
    run = draft.runs.get(outcome.run_id)
    waits = run is not None and run.step == settled.step and run.tried_at is not None
    if run is not None and run.undelivered.get(visit_key(settled.step, settled.visit)) == 0 and not waits:
        end_run(draft, run, SEND_FAILED)


def _detail(outcome: Outcome) -> dict[str, Any]:
    """Return what the provider said, and which channels were tried before."""
    found: dict[str, Any] = {} if outcome.detail is None else {"error": outcome.detail}
    if outcome.tried:
        found["tried"] = msgspec.to_builtins(outcome.tried)
    return found


def _count(draft: Draft, settled: PendingCommand, *, left: bool) -> None:
    """Note in the run that a message of it has left, or never will."""
    run, key = draft.runs.get(settled.run_id), visit_key(settled.step, settled.visit)
    if run is None or (left and key not in run.undelivered):
        return
    undelivered = {name: count for name, count in run.undelivered.items() if name != key}
    if not left and key in run.undelivered:
        undelivered[key] = run.undelivered[key] - 1
    draft.change(run, sends=run.sends - (not left), undelivered=undelivered)
