"""What is told of a contact to whoever asks: its row, in the words of the API."""

from __future__ import annotations

from services.evaluator.core.addresses import ADDRESS_TRAITS, address, is_suppressed
from services.evaluator.core.messages import waiting_ids
from services.evaluator.core.recent import events_of
from services.evaluator.core.state import NEVER, ContactState, Message, Run, Suppressed
from shared.messages.contact import (
    AsOf,
    ConsentStatement,
    ContactJourney,
    ContactMessage,
    ContactView,
    Identifiers,
    RecentEvent,
    SuppressedAddress,
)

EXITED = "exited"
"""Reason of a message that was deferred by a run which no longer waits for it."""


def view_of(state: ContactState, as_of: AsOf) -> ContactView:
    """Return what is known of a user or visitor.

    It says what was applied: a run whose journey was stopped a moment ago is in it until the contact has adopted that.
    """
    kind, _, name = state.contact.partition(":")
    waiting = {name for run in state.runs for name in waiting_ids(run)}
    return ContactView(
        id=name,
        identifiers=Identifiers(name, _anonymous_ids(state)) if kind == "u" else Identifiers(None, (name,)),
        traits=state.traits,
        consent={
            key: ConsentStatement("granted" if said.granted else "revoked", said.at)
            for key, said in sorted(state.consent.items())
        },
        recent_events=tuple(RecentEvent(event, at) for event, at in reversed([*events_of(state.lately)])),
        journeys=tuple(_journey(run) for run in sorted(state.runs, key=_entered, reverse=True)),
        messages=tuple(_message(message, waiting) for message in reversed(state.messages)),
        as_of=as_of,
        suppressed=tuple(_suppressed(state, one) for one in reversed(state.suppressed)),
    )


def _anonymous_ids(state: ContactState) -> tuple[str, ...]:
    """Return the anonymous ids that the user was seen with, the one seen last before the others."""
    linked = [name.partition(":")[2] for name in reversed(state.links)]
    last = [] if state.anonymous_id is None else [state.anonymous_id]
    return tuple(dict.fromkeys([*last, *linked]))


def _entered(run: Run) -> tuple[int, str]:
    return run.entered_at, run.run_id


def _journey(run: Run) -> ContactJourney:
    due = min((timer.due for timer in run.timers), default=NEVER)
    return ContactJourney(run.journey, run.version, run.run_id, run.step, run.entered_at, None if due == NEVER else due)


def _suppressed(state: ContactState, one: Suppressed) -> SuppressedAddress:
    channel = next(name for name in ADDRESS_TRAITS if name == one.channel)
    place = address(state.traits, channel)
    return SuppressedAddress(
        one.channel, one.reason, place is not None and is_suppressed((one,), channel, place), one.at
    )


def _message(message: Message, waiting: set[str]) -> ContactMessage:
    status, reason = message.status, message.reason or None
    if status == "deferred" and message.command_id not in waiting:
        status, reason = "skipped", EXITED
    return ContactMessage(
        message.command_id, message.journey, message.step, message.channel or None, status, reason, message.at
    )
