"""Which way a contact goes at an experiment."""

from __future__ import annotations

from services.evaluator.core.catalog import Plan
from services.evaluator.core.draft import Draft
from services.evaluator.core.state import Run, Timer, Touch
from shared.clock import HOUR
from shared.ids import derived_id, short_hash
from shared.journeys.model import Experiment, Goal, Step
from shared.messages.coordination import Ask, Conversion, journey_key

PATIENCE = HOUR
"""How long a run waits to hear of a winner before it goes the way that its hash picks."""


def picked(contact: str, step: Experiment) -> str:
    """Return the variant that a hash of ``contact`` and the salt picks."""
    ticket = short_hash(f"{step.salt}:{contact}") % sum(variant.weight for variant in step.variants)
    for variant in step.variants:
        ticket -= variant.weight
        if ticket < 0:
            return variant.id
    raise AssertionError  # the tickets are as many as the weights


def way(draft: Draft, plan: Plan, run: Run, step: Experiment) -> tuple[bool, str | None]:
    """Choose a way; (True, its first step), or (False, None) while the run waits to hear whether there is a winner."""
    if step.winner is None:
        return True, go(draft, plan, run, step, picked(draft.contact, step))
    journey = plan.journey
    ask = Ask(
        message_id=ask_id(run, step),
        contact=draft.contact,
        journey=journey.id,
        version=journey.version,
        at=draft.now,
        step=step.id,
        variant=picked(draft.contact, step),
    )
    draft.post(journey_key(journey.id), ask)
    draft.arm(run, Timer(draft.now + PATIENCE, "step", step.id))
    return False, None


def ask_id(run: Run, step: Step) -> str:
    """Return the id of what ``run`` asks at its present visit of ``step``."""
    return derived_id("ask", run.run_id, step.id, str(run.visits[step.id]))


def go(draft: Draft, plan: Plan, run: Run, step: Experiment, chosen: str) -> str | None:
    """Take the way ``chosen``; returns its first step."""
    draft.change(run, variants={**run.variants, step.id: chosen})
    variant = next(variant for variant in step.variants if variant.id == chosen)
    return plan.into(step, variant.then)


def report_conversion(draft: Draft, plan: Plan, goal: Goal, touch: Touch) -> None:
    """Tell the experiments of the journey that are judged by ``goal`` of a conversion of ``touch``."""
    for step_id, chosen in touch.variants.items():
        step = plan.steps.get(step_id)
        if isinstance(step, Experiment) and step.winner is not None and step.winner.goal == goal.id:
            made = Conversion(
                message_id=derived_id("conversion", touch.run_id, step_id, goal.id),
                contact=draft.contact,
                journey=touch.journey,
                version=touch.version,
                at=draft.now,
                step=step_id,
                variant=chosen,
            )
            draft.post(journey_key(touch.journey), made)


def judged(plan: Plan, run: Run) -> dict[str, str]:
    """Return the ways of ``run`` at experiments that look for a winner."""
    steps = ((step_id, plan.steps.get(step_id)) for step_id in run.variants)
    return {step_id: run.variants[step_id] for step_id, step in steps if isinstance(step, Experiment) and step.winner}


def stays_at(step: Step | None, run: Run, asked: str) -> bool:
    """Tell whether ``run`` still waits at ``step`` for the answer to ``asked``."""
    return isinstance(step, Experiment) and run.step == step.id and ask_id(run, step) == asked
