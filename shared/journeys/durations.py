"""Durations as the language writes them: ``45m``, ``24h``, ``3d``, ``2w``, ``1h30m``."""

from __future__ import annotations

import re

from shared.clock import DAY, HOUR, MINUTE, SECOND
from shared.journeys.faults import shown

_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_PART = re.compile(r"([0-9]+)([smhdw])")
_WHOLE = re.compile(r"(?:[0-9]{1,12}[smhdw])+")
LONGEST = 36_500 * DAY
"""A hundred years: more is a slip of the hand, and due times must fit their bytes."""


def parse_duration(text: str) -> int:
    """Return the milliseconds of ``text``. Raises ValueError with the form that is expected."""
    if not _WHOLE.fullmatch(text):
        msg = f"{shown(text)} is not a duration; write a number and a unit, such as 45m, 24h, 3d or 2w"
        raise ValueError(msg)
    found = sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if found > LONGEST:
        msg = f"{shown(text)} is longer than a hundred years"
        raise ValueError(msg)
    return found


def format_duration(milliseconds: int) -> str:
    """Return the shortest text of ``milliseconds`` in the language's own form, such as ``1h30m``."""
    parts = []
    rest = milliseconds
    for unit in ("w", "d", "h", "m", "s"):
        number, rest = divmod(rest, _UNITS[unit])
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"
