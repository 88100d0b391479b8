"""What tells the messages of one send apart."""

from __future__ import annotations

from services.evaluator.core.state import Run
from shared.ids import command_id
from shared.journeys.model import Send, Step


def message_ids(run: Run, step: Step) -> frozenset[str]:
    """Return the ids that the messages of the run's present visit of ``step`` have or would have."""
    parts = ("", *step.channels) if isinstance(step, Send) and step.mode == "all" else ("",)
    return frozenset(command_id(run.run_id, step.id, run.visits[step.id], part) for part in parts)
