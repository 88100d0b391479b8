"""Times as tests and the command line write them: offsets such as ``+44m59s``, and ISO 8601 with a zone."""

from __future__ import annotations

from datetime import datetime

from cli.simulator.calls import EARLIEST, LATEST
from shared.journeys.durations import format_duration, parse_duration
from shared.journeys.faults import shown
from shared.journeys.reader import Node


def parse_time(text: str, start: int | None) -> int:
    """Return the instant of ``text``: ISO 8601 with a zone, or an offset from ``start`` if there is one.

    Raises ValueError with the form that is expected.
    """
    if start is not None and text[:1] in ("+", "-"):
        offset = parse_duration(text[1:])
        at = start + offset if text[0] == "+" else start - offset
    else:
        at = _instant(text, 'a time; write "2026-03-02T10:00:00+09:00"' + ("" if start is None else ", or +45m"))
    if not EARLIEST <= at < LATEST:
        raise ValueError(f"{shown(text)} is before 1970 or after 8999")
    return at


def read_time(node: Node, start: int | None) -> int:
    """Return the instant of ``node``, an offset from ``start`` if there is one; a fault and ``start`` if it is none."""
    try:
        return parse_time(str(node.value), start)
    except ValueError as error:
        node.fault(str(error))
        return start or 0


def parse_until(text: str, last: int) -> int:
    """Return how far to run: ``30d`` counts from ``last``. Raises ValueError."""
    if text[:1].isdigit() and text[-1:].isalpha() and "T" not in text:
        text = f"+{text}"
    return parse_time(text, last)


def format_offset(at: int, start: int) -> str:
    """Return ``at`` as an offset from ``start``, such as ``+44m59s``."""
    seconds, rest = divmod(abs(at - start), 1000)
    text = format_duration(seconds * 1000)
    if rest:
        text = f"{text} {rest}ms" if seconds else f"{rest}ms"
    return f"{'-' if at < start else '+'}{text}"


def _instant(text: str, expected: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{shown(text)} is not {expected}") from None
    if moment.tzinfo is None:
        raise ValueError(f"{shown(text)} has no zone; add one, such as +09:00 or Z")
    return round(moment.timestamp() * 1000)
