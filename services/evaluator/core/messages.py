"""What became of the contact's last messages: kept for whoever asks about the contact, nothing is decided by it."""

from __future__ import annotations

import msgspec

from services.evaluator.core.draft import Draft
from services.evaluator.core.state import Message, Run
from shared.ids import command_id
from shared.messages.outcome import Outcome

MESSAGES_AT_MOST = 20
"""How many messages the profile shows. Each takes some 70 bytes of the row (``benchmarks.rows``)."""


def note_message(draft: Draft, message: Message) -> None:
    """Keep ``message`` as the newest, in the place of what was known of it."""
    others = tuple(known for known in draft.messages if known.command_id != message.command_id)
    draft.messages = (*others, message)[-MESSAGES_AT_MOST:]


def note_outcome(draft: Draft, outcome: Outcome) -> None:
    """Take note of how a message to the contact ended; what goes to people of ours is none of its messages."""
    if not outcome.to_staff:
        note_message(
            draft,
            Message(
                outcome.command_id,
                outcome.journey,
                outcome.step,
                outcome.status,
                draft.now,
                outcome.channel,
                outcome.reason or "",
            ),
        )


def message_id(run: Run, part: str) -> str:
    """Return the id that the message ``part`` of the step on which ``run`` stands has, once it is decided."""
    return command_id(run.run_id, run.step, run.visits[run.step], part)


def waiting_ids(run: Run) -> tuple[str, ...]:
    """Return the ids of the messages that ``run`` has deferred and asks for again."""
    return () if run.tried_at is None else tuple(message_id(run, part) for part in (run.deferred or ("",)))


def rename_messages(draft: Draft, before: Run, after: Run) -> None:
    """Let what was deferred go on under the ids that it has since the run is ``after``: its step has another name."""
    names = dict(zip(waiting_ids(before), waiting_ids(after), strict=True))
    if names:
        draft.messages = tuple(
            msgspec.structs.replace(known, command_id=names[known.command_id], step=after.step)
            if known.command_id in names
            else known
            for known in draft.messages
        )
