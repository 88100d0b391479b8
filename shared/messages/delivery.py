"""The records of ``deliveries``: how far each command has come. The dispatcher's truth, one row per command."""

from __future__ import annotations

from typing import Literal

import msgspec

from shared.messages.answer import Answer
from shared.messages.command import CommandRecord
from shared.messages.outcome import Attempt, Outcome

DeliveryStatus = Literal["cancelled", "deferred", "sending", "settled", "reported"]


class Delivery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="delivery"):
    """One command's state. Written and acknowledged before the next step is taken.

    ``deferred`` (to be tried at ``retry_at``, on ``clock``) and ``sending`` (in the provider's hands) carry the
    ``command``, so that a new owner needs nothing but this topic; its channels are those still to be tried. ``settled``
    carries the ``outcome`` to report; ``reported`` is the end. ``cancelled`` has its ``reason``: the command was not
    read yet. ``at``, ``since`` (the first attempt) and ``recorded_at`` (the command's append) are machine time.
    ``term`` is its writer's place in the order of the partition's owners, where there can be more than one.
    ``provider`` is who has the message in hand (``sending``), or may have it since ``provider_since`` (machine time)
    and drops a repeat of its id: it alone is asked again. ``tried`` are the channels that did not take the message.
    ``offset`` is the place of the command's record in its partition of ``commands``.
    """

    command_id: str
    status: DeliveryStatus
    at: int
    attempt: int = 0
    retry_at: int | None = None
    clock: Literal["journey", "machine"] = "machine"
    command: CommandRecord | None = None
    outcome: Outcome | Answer | None = None
    reason: str | None = None
    since: int | None = None
    recorded_at: int | None = None
    term: int | None = None
    provider: str | None = None
    provider_since: int | None = None
    tried: tuple[Attempt, ...] = ()
    offset: int | None = None
