"""The row of a journey as a whole: turns to enter (``rate``, ``limit``) and the winner of an experiment.

It answers in the order in which its log asks, so that what it decides is the same on every host and at every replay.
"""

from __future__ import annotations

import msgspec

from services.evaluator.core.catalog import Plan
from services.evaluator.core.draft import Draft
from services.evaluator.core.state import Coordination, Trial
from shared.ids import derived_id
from shared.journeys.model import Experiment, Rate, Winner
from shared.messages.coordination import Ask, Conversion, Reply

LIMIT = "limit"
"""Reason of a contact that was not let in because the journey has had all its entries."""


def coordinate(draft: Draft, record: Ask | Conversion) -> None:
    """Take ``record`` in; an ask is answered at once.

    The version that asks may not have come to this partition yet, or be gone: then the newest that is known decides.
    """
    plan = draft.catalog.plan(record.journey, record.version) or draft.catalog.newest.get(record.journey)
    if plan is None:
        if isinstance(record, Ask):
            _reply(draft, record, verdict="journey_stopped", variant=record.variant)
        return
    known: Coordination = draft.coordination or Coordination()
    match record:
        case Ask(step=""):
            known = _turn(draft, plan, known, record)
        case Ask():
            known = _way(draft, plan, known, record)
        case Conversion():
            known = _converted(plan, known, record)
    draft.coordination = known


def _turn(draft: Draft, plan: Plan, known: Coordination, ask: Ask) -> Coordination:
    entry = plan.journey.entry
    if entry.limit is not None and known.entries >= entry.limit:
        _reply(draft, ask, verdict="limit")
        return known
    # By the log's time: events that come late, all at once, would else have had their turns in the past.
    turn_at = draft.now if entry.rate is None else max(draft.log_time, known.turn_at + spacing(entry.rate))
    _reply(draft, ask, verdict="granted", turn_at=turn_at)
    return msgspec.structs.replace(known, entries=known.entries + 1, turn_at=turn_at)


def spacing(rate: Rate) -> int:
    """Return the ms from one entry to the next: then no ``per`` ms, wherever they begin, have more than ``max``."""
    return -(-rate.per // rate.max)


def _way(draft: Draft, plan: Plan, known: Coordination, ask: Ask) -> Coordination:
    step = plan.steps.get(ask.step)
    if not isinstance(step, Experiment) or step.winner is None:
        _reply(draft, ask, verdict="granted", variant=ask.variant)
        return known
    trial = known.trials.get(step.id) or Trial(began_at=draft.now)
    if not trial.winner and _is_over(step, step.winner, trial, draft.now):
        trial = msgspec.structs.replace(trial, winner=_best(step, trial))
        detail = {"contacts": trial.contacts, "conversions": trial.conversions, "variant": trial.winner}
        draft.note("winner", plan.journey.id, plan.journey.version, step=step.id, detail=detail)
    if not trial.winner:
        contacts = {**trial.contacts, ask.variant: trial.contacts.get(ask.variant, 0) + 1}
        trial = msgspec.structs.replace(trial, contacts=contacts)
    _reply(draft, ask, verdict="granted", variant=trial.winner or ask.variant)
    return msgspec.structs.replace(known, trials={**known.trials, step.id: trial})


def _converted(plan: Plan, known: Coordination, made: Conversion) -> Coordination:
    trial = known.trials.get(made.step)
    if trial is None or trial.winner or made.step not in plan.steps:
        return known
    conversions = {**trial.conversions, made.variant: trial.conversions.get(made.variant, 0) + 1}
    trial = msgspec.structs.replace(trial, conversions=conversions)
    return msgspec.structs.replace(known, trials={**known.trials, made.step: trial})


def _is_over(step: Experiment, winner: Winner, trial: Trial, now: int) -> bool:
    tried = (variant.id for variant in step.variants if variant.weight)
    if not trial.conversions:
        return False  # nobody has won anything yet
    return now >= trial.began_at + winner.after and all(
        trial.contacts.get(name, 0) >= winner.min_samples for name in tried
    )


def _best(step: Experiment, trial: Trial) -> str:
    """Return the variant with the most conversions per contact; of equals the one that the file names first."""
    tried = [variant.id for variant in step.variants if variant.weight]
    return max(tried, key=lambda name: trial.conversions.get(name, 0) / trial.contacts[name])


def _reply(draft: Draft, ask: Ask, **answer: object) -> None:
    reply = Reply(
        message_id=derived_id("reply", ask.message_id),
        ask_id=ask.message_id,
        contact=ask.contact,
        journey=ask.journey,
        version=ask.version,
        at=draft.now,
        step=ask.step,
        **answer,  # type: ignore[arg-type]  # verdict, and turn_at or variant
    )
    draft.post(ask.contact, reply)
