"""What ``update``, ``emit`` and ``enrol`` do: change the contact, or let something of our own happen to it."""

from __future__ import annotations

from typing import Any

from services.evaluator.core.conditions import values_of
from services.evaluator.core.consent import state_consent
from services.evaluator.core.draft import Draft
from services.evaluator.core.exits import exit_by_consent
from services.evaluator.core.own_events import LOOP, append_event, ids_of, next_hop
from services.evaluator.core.state import Run
from shared.ids import derived_id
from shared.journeys.model import Emit, Enrol, Update
from shared.messages.enrolment import Enrolment

TAGS = "tags"


def update(draft: Draft, run: Run, step: Update) -> None:
    """Change traits, tags and consent as ``step`` says."""
    traits: dict[str, Any] = {**draft.traits, **values_of(step.set, draft.scope(run, own=True))}
    for name, amount in step.increment.items():
        former = traits.get(name)
        known = former if isinstance(former, int | float) and not isinstance(former, bool) else 0
        total = known + amount
        traits[name] = int(total) if float(total).is_integer() else total
    if step.add_tags or step.remove_tags:
        known_tags = [tag for tag in traits.get(TAGS) or [] if tag not in (*step.add_tags, *step.remove_tags)]
        traits[TAGS] = [*known_tags, *step.add_tags]
    draft.traits = traits
    changed = {name: traits.get(name) for name in (*step.set, *step.increment)}
    draft.note_run("update", run, step=step.id, detail=changed)
    for topic in step.subscribe:
        draft.consent = state_consent(draft.consent, topic, granted=True, at=draft.now)
    for topic in step.unsubscribe:
        stated = state_consent(draft.consent, topic, granted=False, at=draft.now)
        if stated != draft.consent:
            draft.consent = stated
            exit_by_consent(draft, topic)


def emit(draft: Draft, run: Run, step: Emit) -> None:
    """Let the event of ``step`` happen; it comes back through the log."""
    message_id = derived_id("emit", run.run_id, step.id, str(run.visits[step.id]))
    if append_event(draft, run, step.event, values_of(step.properties, draft.scope(run, own=True)), message_id):
        draft.note_run("emit", run, step=step.id, detail={"event": step.event, "message_id": message_id})
    else:
        draft.note_run("skip", run, step=step.id, reason=LOOP)


def enrol(draft: Draft, run: Run, step: Enrol) -> None:
    """Ask for the contact to enter another journey; the wish comes back through the log."""
    hop = next_hop(draft, run)
    if hop is None:
        draft.note_run("skip", run, step=step.id, reason=LOOP)
        return
    wish = Enrolment(
        message_id=derived_id("enrol", run.run_id, step.id, str(run.visits[step.id])),
        journey=step.journey,
        timestamp=draft.now,
        received_at=draft.log_time,
        context=values_of(step.context, draft.scope(run, own=True)),
        run_id=run.run_id,
        hops=hop[0],
        hops_since=hop[1],
        **ids_of(draft.contact),
    )
    draft.events = (*draft.events, wish)
    draft.note_run("enrol", run, step=step.id, detail={"journey": step.journey, "message_id": wish.message_id})
