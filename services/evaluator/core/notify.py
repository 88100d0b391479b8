"""Messages to people of ours: one for each, whatever the contact consented to."""

from __future__ import annotations

from services.evaluator.core.conditions import value_of
from services.evaluator.core.draft import Draft
from services.evaluator.core.send import message_data
from services.evaluator.core.state import PendingCommand, Run
from shared.ids import command_id
from shared.journeys.locales import pick_locale
from shared.journeys.model import Notify
from shared.journeys.predicate import Expression
from shared.messages.command import SendCommand

NOBODY = "unreachable"
"""Reason of a notification whose address is no text."""


def notify(draft: Draft, run: Run, step: Notify) -> None:
    """Decide on one message to each of ``step.to``. It counts for no cap and no goal, and its contact is not asked."""
    scope = draft.scope(run, own=True)
    given = [value_of(to, scope) if isinstance(to, Expression) else to for to in step.to]
    people = dict.fromkeys(to.strip() for to in given if isinstance(to, str) and to.strip())
    if not people:
        draft.note_run("skip", run, step=step.id, reason=NOBODY)
    for person in people:
        name = command_id(run.run_id, step.id, run.visits[step.id], person)
        command = SendCommand(
            command_id=name,
            contact=draft.contact,
            run_id=run.run_id,
            journey=run.journey,
            version=run.version,
            step=step.id,
            channels=(step.channel,),
            addresses={step.channel: person},
            content={step.channel: pick_locale(step.template, None, draft.catalog.locale)[step.channel]},
            data=message_data(draft, run, step, name),
            purpose="transactional",
            on_ambiguous="retry",
            decided_at=draft.log_time,
            to_staff=True,
        )
        draft.commands = (*draft.commands, command)
        pending = PendingCommand(command.command_id, run.run_id, run.journey, run.version, step.id)
        draft.pending = (*draft.pending, pending)
        draft.note_run("notify", run, step=step.id, channel=step.channel, command_id=command.command_id)
