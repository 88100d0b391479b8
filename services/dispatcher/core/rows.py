"""The records that the dispatcher writes, built from a command: its rows in ``deliveries`` and its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import msgspec

from services.dispatcher.core.policy import ClockName
from shared.log import LogRecord, Output
from shared.messages.answer import Answer, answer_of
from shared.messages.codec import encode
from shared.messages.command import CallCommand, CommandRecord, SendCommand
from shared.messages.dead_letter import DeadLetter
from shared.messages.delivery import Delivery, DeliveryStatus
from shared.messages.outcome import Attempt, DeadAddress, Outcome, OutcomeStatus, outcome_of
from shared.messages.topics import COMMANDS_DLQ, TopicName


class Work(msgspec.Struct, frozen=True):
    """A command with how often it was tried; ``since`` and ``recorded_at`` (its record's append) are machine time.

    ``provider`` may have had it since ``provider_since``, and no other one is asked; ``tried`` are the channels that
    did not take it. ``row`` is the one that it was made of; ``offset`` is its record's in ``commands``.
    """

    command: CommandRecord
    attempt: int = 0
    since: int | None = None
    recorded_at: int | None = None
    provider: str | None = None
    provider_since: int | None = None
    tried: tuple[Attempt, ...] = ()
    row: Delivery | None = None
    offset: int | None = None


class End(msgspec.Struct, frozen=True):
    """How a command ended. A call that was answered counts as ``sent``, with the answer's ``data``.

    ``provider`` was asked last, ``dead`` is what it said of the address, ``tried`` are the channels before.
    """

    status: OutcomeStatus
    reason: str | None = None
    detail: str | None = None
    provider_id: str | None = None
    data: Any = None
    provider: str | None = None
    dead: DeadAddress | None = None
    tried: tuple[Attempt, ...] = ()


DEAD = {"unregistered": "unregistered", "invalid": "invalid_address", "opted_out": "opted_out"}
"""The reason code of each kind of dead address."""


def refusal_of(provider: str, detail: str, dead: DeadAddress | None = None) -> End:
    """Return the end of a message that ``provider`` will never take."""
    return End("failed", "refused" if dead is None else DEAD[dead], detail, provider=provider, dead=dead)


def attempted(channel: str, end: End) -> Attempt:
    """Return ``end``, to which the message came by ``channel``, as one of the attempts before the next channel."""
    return Attempt(
        channel=channel, reason=end.reason or end.status, detail=end.detail, provider=end.provider, dead=end.dead
    )


def work_of(row: Delivery, command: CommandRecord) -> Work:
    """Return the work that ``row``, which carries ``command``, stands for."""
    return Work(
        command,
        attempt=row.attempt,
        since=row.since,
        recorded_at=row.recorded_at,
        provider=row.provider,
        provider_since=row.provider_since,
        tried=row.tried,
        row=row,
        offset=row.offset,
    )


def in_hand(work: Work, provider: str, now: int) -> Work:
    """Return ``work`` as something that ``provider`` has, or may have, since ``now`` at the latest."""
    return msgspec.structs.replace(work, provider=provider, provider_since=work.provider_since or now)


def free(work: Work) -> Work:
    """Return ``work`` as something that any provider may be asked for."""
    return msgspec.structs.replace(work, provider=None, provider_since=None)


def row_of(
    work: Work,
    status: DeliveryStatus,
    now: int,
    *,
    retry_at: int | None = None,
    clock: ClockName = "machine",
) -> Delivery:
    """Return the row that says that ``work`` is in ``status``, and carries it."""
    return Delivery(
        command_id=work.command.command_id,
        status=status,
        at=now,
        attempt=work.attempt,
        retry_at=retry_at,
        clock=clock,
        command=work.command,
        since=work.since,
        recorded_at=work.recorded_at,
        provider=work.provider,
        provider_since=work.provider_since,
        tried=work.tried,
        offset=work.offset,
    )


@overload
def ended(command: SendCommand, end: End, at: int) -> Outcome: ...
@overload
def ended(command: CommandRecord, end: End, at: int) -> Outcome | Answer: ...
def ended(command: CommandRecord, end: End, at: int) -> Outcome | Answer:
    """Return the report on ``command``, which came to ``end``."""
    if isinstance(command, CallCommand):
        error = None if end.status == "sent" else end.reason or end.status
        return answer_of(command, at, data=end.data, error=error, detail=end.detail)
    report = outcome_of(command, end.status, at, reason=end.reason, detail=end.detail, provider_id=end.provider_id)
    return msgspec.structs.replace(report, provider=end.provider, dead=end.dead, tried=end.tried)


def through(command: SendCommand, name: str) -> SendCommand:
    """Return ``command`` with ``name`` as its first channel: rows and outcomes name the channel in use by it."""
    return with_channels(command, command.channels[command.channels.index(name) :])


def with_channels(command: SendCommand, channels: Sequence[str]) -> SendCommand:
    """Return ``command`` with ``channels`` left to try."""
    return msgspec.structs.replace(command, channels=tuple(channels))


class Place(msgspec.Struct, frozen=True):
    """A partition of a topic."""

    topic: TopicName
    partition: int


def dead_letter(place: Place, record: LogRecord, reason: str, detail: str, at: int) -> Output:
    """Return what puts ``record`` of ``place`` aside; offset -1: it was no record but a deferred command."""
    letter = DeadLetter(
        topic=place.topic,
        partition=place.partition,
        offset=record.offset,
        reason=reason,
        detail=detail,
        at=at,
        key=record.key,
        value=record.value,
    )
    return Output(COMMANDS_DLQ, record.key, encode(letter))
