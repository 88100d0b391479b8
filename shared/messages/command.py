"""The records of ``commands`` and ``cancels``: what the evaluator asks the dispatcher to do."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Purpose = Literal["marketing", "transactional"]
OnAmbiguous = Literal["hold", "retry"]


class Hours(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Local hours in which a message does not leave (``quiet_hours``), or the only ones (``outside_window``).

    ``start`` and ``end`` are ``HH:MM`` in ``zone`` (an IANA name), ``days`` those on which they start (0: Monday; none:
    every day). What is deferred leaves at the opening, over ``spread`` ms.
    """

    reason: Literal["quiet_hours", "outside_window"]
    start: str
    end: str
    zone: str
    when_closed: Literal["defer", "skip", "exit"]
    days: tuple[int, ...] = ()
    spread: int = 0


class Utm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What links to ``hosts`` say of where a visit comes from; what is left out follows from the message."""

    hosts: tuple[str, ...]
    source: str
    medium: str | None = None
    campaign: str | None = None
    content: str | None = None


class SendCommand(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="send"):
    """Send one message. Carries everything needed to render and send it, so that a replay needs nothing else.

    ``command_id`` is derived and is the provider's idempotency key where it takes one. ``channels`` are the channels to
    try, best first; ``addresses`` has the contact's address for each of them, ``content`` the texts (Liquid, already
    picked by locale) for each of them, ``data`` what the texts may refer to. ``decided_at`` is the log time of the
    decision; ``hours`` are asked again when it leaves; ``expires_at`` (journey time) is the moment from which the
    message is no longer worth sending. ``to_staff``: it goes to people of ours, not to the contact that it is about.
    ``tracked``: whether it is opened, and what is followed in it, may be seen; ``text_tracked``: in its text, too.
    """

    command_id: str
    contact: str
    run_id: str
    journey: str
    version: int
    step: str
    channels: tuple[str, ...]
    addresses: dict[str, str]
    content: dict[str, dict[str, str]]
    data: dict[str, Any]
    purpose: Purpose
    on_ambiguous: OnAmbiguous
    decided_at: int
    topic: str | None = None
    expires_at: int | None = None
    hours: tuple[Hours, ...] = ()
    to_staff: bool = False
    tracked: bool = True
    utm: Utm | None = None
    text_tracked: bool = False


class CallCommand(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="call"):
    """Ask ``connector`` with ``arguments``. ``command_id`` is derived and is the connector's idempotency key.

    ``decided_at`` is the log time of the decision. From ``expires_at`` (journey time) on nobody waits for the answer,
    so it is not asked any more.
    """

    command_id: str
    contact: str
    run_id: str
    journey: str
    version: int
    step: str
    connector: str
    arguments: dict[str, Any]
    purpose: Purpose
    decided_at: int
    expires_at: int


class Cancel(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="cancel"):
    """Do not carry out this command any more. Comes under the key, and so in the partition, of the command."""

    command_id: str
    contact: str
    reason: str
    at: int


class Mark(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="mark"):
    """The evaluator of this partition has applied the log up to ``log_time``; written while commands are unsettled.

    ``written_at`` is machine time: the dispatcher sends an older command only while a caught-up mark is fresh.
    """

    partition: int
    log_time: int
    caught_up: bool
    written_at: int


CommandRecord = SendCommand | CallCommand
CancelRecord = Cancel | Mark
