"""What a journey promises, as data: who moves to its new version, and what no run ever does. Durations are ms."""

from __future__ import annotations

from typing import Literal

import msgspec


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """Runs of version ``source`` go on in this one; ``map`` names a step of this version for each that it renames.

    ``timers``: a wait keeps its end, or (``recompute``) is worked out anew from when the step was entered.
    """

    source: int
    map: dict[str, str] = {}
    timers: Literal["keep", "recompute"] = "keep"


class InFlight(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of runs of older versions that no migration names: they finish theirs, come along or end."""

    default: Literal["pin", "migrate", "exit"] = "pin"
    migrate: tuple[Migration, ...] = ()


class MaxSends(msgspec.Struct, frozen=True, tag="max_sends"):
    """A run sends at most ``most`` messages."""

    most: int


class MinGap(msgspec.Struct, frozen=True, tag="min_gap"):
    """Between two messages of a run lie at least ``gap`` ms."""

    gap: int


class NoSendAfter(msgspec.Struct, frozen=True, tag="no_send_after"):
    """No message is decided after ``event`` has happened."""

    event: str


class MaxDuration(msgspec.Struct, frozen=True, tag="max_duration"):
    """A run lasts at most ``most`` ms."""

    most: int


Invariant = MaxSends | MinGap | NoSendAfter | MaxDuration
