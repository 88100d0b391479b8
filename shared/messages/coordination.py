"""What contacts ask of a journey as a whole, and its answers: the records under the key ``j:<journey id>``, and back.

One row decides what looks across contacts (``rate``, ``limit``, the winner of an experiment), in the order of its log.
"""

from __future__ import annotations

from typing import Literal

import msgspec

PREFIX = "j:"
"""Of the keys of these rows; contacts' keys start with ``u:`` or ``a:``."""


def journey_key(journey: str) -> str:
    """Return the key of the row that decides for ``journey`` as a whole."""
    return PREFIX + journey


class Ask(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="ask"):
    """``contact`` asks for its turn to enter (``step`` empty) or for the way to go at the experiment ``step``.

    ``variant`` is the way that its own hash picks. ``message_id`` is derived from what the contact asks for: asked
    twice, it is answered once.
    """

    message_id: str
    contact: str
    journey: str
    version: int
    at: int
    step: str = ""
    variant: str = ""


class Conversion(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="conversion"):
    """A contact that went the way ``variant`` at the experiment ``step`` reached the goal that decides the winner."""

    message_id: str
    contact: str
    journey: str
    version: int
    at: int
    step: str
    variant: str


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="reply"):
    """The answer to the ask ``ask_id``; comes under the contact's key.

    ``verdict``: the contact enters at ``turn_at`` (ms) or goes ``variant``; or why not, a reason code.
    """

    message_id: str
    ask_id: str
    contact: str
    journey: str
    version: int
    at: int
    verdict: Literal["granted", "limit", "journey_stopped"]
    turn_at: int = 0
    step: str = ""
    variant: str = ""
