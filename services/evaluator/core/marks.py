"""What became of the messages of a run: kept for the steps that a condition asks about, the newest message of each."""

from __future__ import annotations

from typing import Any

from services.evaluator.core.draft import Draft
from services.evaluator.core.parts import message_ids
from services.evaluator.core.state import Run
from shared.journeys.model import Step
from shared.messages.answer import Answer
from shared.messages.event import Event
from shared.messages.outcome import Outcome

BECAME: dict[str, tuple[str, ...]] = {
    "Message Sent": ("sent",),
    "Message Delivered": ("delivered",),
    "Message Scanned": ("delivered",),
    "Message Opened": ("opened", "delivered"),
    "Message Clicked": ("clicked", "opened", "delivered"),
    "Message Bounced": ("bounced",),
}
"""What an event says of a message. Who clicked has opened, whether or not the picture that tells of it was loaded. A
machine that looks at a message before its reader does has opened nothing."""


def note_marks(draft: Draft, record: Event | Outcome | Answer) -> None:
    """Note what ``record`` says of a message. That one was sent only the dispatcher knows."""
    became = BECAME.get(record.name)
    if isinstance(record, Answer) or became is None or (record.name == "Message Sent") != isinstance(record, Outcome):
        return
    for run in draft.runs.values():
        plan = draft.catalog.plan(run.journey, run.version)
        asked = () if plan is None else (plan.steps[name] for name in plan.asked_about if name in plan.steps)
        for step in asked:
            if _is_about(record, draft.event, run, step):
                mark(draft, run, step.id, became)


def mark(draft: Draft, run: Run, step: str, became: tuple[str, ...]) -> None:
    """Note what became of the message of ``step``, if some condition of the run's journey asks."""
    plan = draft.catalog.plan(run.journey, run.version)
    if plan is not None and step in plan.asked_about:
        at = {f"{step}/{was}": max(draft.now, run.marks.get(f"{step}/{was}", draft.now)) for was in became}
        draft.change(run, marks={**run.marks, **at})


def unmarked(run: Run, step: str) -> dict[str, int]:
    """Return the marks of ``run`` without those of the message that ``step`` sent before."""
    return {name: at for name, at in run.marks.items() if name.partition("/")[0] != step} if run.marks else run.marks


def _is_about(record: Event | Outcome, event: dict[str, Any], run: Run, step: Step) -> bool:
    """Tell whether ``record`` is about the newest message of ``step``: by its command, else its run, else journey."""
    said = event["properties"] if isinstance(record, Event) else {"command_id": record.command_id}
    if said.get("step", step.id) != step.id or step.id not in run.visits:
        return False
    if said.get("command_id") is not None:
        return said["command_id"] in message_ids(run, step)
    if said.get("run_id") is not None:
        return bool(said["run_id"] == run.run_id)
    return "step" in said and said.get("journey") == run.journey
