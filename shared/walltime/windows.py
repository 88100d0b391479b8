"""Quiet hours and send windows: whether a contact's clock allows a message now, and if not, from when on.

A window is judged by the face of the clock alone: ``start`` is in it, ``end`` is not. So nothing is ever sent while a
contact's clock shows a quiet hour, not even in an hour that the clock shows twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from shared.walltime.instants import EVERY_DAY, parse_time
from shared.walltime.zones import MILLISECOND, next_jump, wall

_MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Window:
    """Local hours that are ``quiet`` or the only ones that are ``open``; ``days`` are those on which they start.

    Hours that end no later than they start run into the next day: 21:00 to 08:00, and 00:00 to 00:00 is the whole day.
    """

    kind: Literal["quiet", "open"]
    start: time
    end: time
    days: frozenset[int] = EVERY_DAY

    def __post_init__(self) -> None:
        """Refuse a window that never opens."""
        if not self.days & EVERY_DAY:
            msg = "a window needs a day of the week"
            raise ValueError(msg)
        if self.kind == "quiet" and self.start == self.end and self.days >= EVERY_DAY:
            msg = f"quiet hours from {self.start:%H:%M} to {self.end:%H:%M} never end"
            raise ValueError(msg)


@lru_cache(1024)
def window_of(kind: Literal["quiet", "open"], start: str, end: str, days: tuple[int, ...] = ()) -> Window:
    """Return the window from ``start`` to ``end`` (``HH:MM``) on ``days``; no days: every day."""
    return Window(kind, parse_time(start), parse_time(end), frozenset(days) or EVERY_DAY)


def is_open(now: int, window: Window, where: ZoneInfo) -> bool:
    """Return whether ``window`` allows a message at ``now``."""
    return _shows_open(window, wall(now, where))


def closed_until(now: int, window: Window, where: ZoneInfo) -> int | None:
    """Return the first instant after ``now`` at which ``window`` is open, None when it is open now."""
    at = now
    if is_open(at, window, where):
        return None
    while True:
        # Between two jumps of the clock, instants and the face of the clock differ by a constant.
        face = wall(at, where)
        opens = at + (_next_edge(window, face) - face) // MILLISECOND
        jump = next_jump(at, opens, where)
        if jump is None:
            return opens
        at = jump
        if is_open(at, window, where):
            return at


def opening(now: int, window: Window, where: ZoneInfo) -> int:
    """Return the first instant from ``now`` on at which ``window`` is open: ``now`` itself when it is."""
    until = closed_until(now, window, where)
    return now if until is None else until


def spread(start: int, contact_hash: int, spread_ms: int) -> int:
    """Return the contact's own instant in ``[start, start + spread_ms)``, always the same; ``start`` without a spread.

    The hash is mixed first: its remainders also choose partitions and variants, whose contacts would bunch up here.
    """
    if spread_ms <= 0:
        return start
    mixed = contact_hash & _MASK  # the finaliser of splitmix64
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB & _MASK
    mixed ^= mixed >> 31
    return start + mixed * spread_ms // (1 << 64)


def _shows_open(window: Window, face: datetime) -> bool:
    clock, today = face.time(), face.weekday()
    if window.start < window.end:
        inside = window.start <= clock < window.end and today in window.days
    else:
        since_today = clock >= window.start and today in window.days
        inside = since_today or (clock < window.end and (today - 1) % 7 in window.days)
    return inside != (window.kind == "quiet")


def _next_edge(window: Window, face: datetime) -> datetime:
    """Return the next face of the clock at which ``window`` opens, closed at ``face`` as it is."""
    edge = window.end if window.kind == "quiet" else window.start
    for ahead in range(9):
        found = datetime.combine(face.date() + timedelta(days=ahead), edge)
        if found > face and _shows_open(window, found):
            return found
    raise AssertionError  # a week has passed, and a window that never opens is none
