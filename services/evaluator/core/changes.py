"""What ``update`` and ``emit`` do: change the contact, and let an event of our own happen to it."""

from __future__ import annotations

from typing import Any

from services.evaluator.core.conditions import values_of
from services.evaluator.core.consent import state_consent
from services.evaluator.core.draft import Draft
from services.evaluator.core.exits import exit_by_consent
from services.evaluator.core.state import Run
from shared.ids import derived_id
from shared.journeys.model import Emit, Update
from shared.messages.event import Event

MOST_HOPS = 10
"""Events of our own that may follow from one another: journeys that set each other off in a circle stop here."""
HOPS = "kikkake_hops"
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
    hops = draft.hops + 1
    if hops > MOST_HOPS:
        draft.note_run("skip", run, step=step.id, reason="emit_loop")
        return
    kind, _, name = draft.contact.partition(":")
    event = Event(
        message_id=derived_id("emit", run.run_id, step.id, str(run.visits[step.id])),
        type="track",
        name=step.event,
        timestamp=draft.now,
        received_at=draft.log_time,
        user_id=name if kind == "u" else None,
        anonymous_id=name if kind == "a" else None,
        properties=values_of(step.properties, draft.scope(run, own=True)),
        context={HOPS: hops},
    )
    draft.events = (*draft.events, event)
    draft.note_run("emit", run, step=step.id, detail={"event": step.event, "message_id": event.message_id})
