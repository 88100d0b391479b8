"""The report of an import in a few lines: how often each reason occurs, and where first."""

from __future__ import annotations

from pathlib import Path

import msgspec


class Refused(msgspec.Struct, frozen=True):
    """One line of the report: the line of the file that was refused, and why."""

    line: int
    code: str
    message: str


def summary(report: Path) -> list[str]:
    """Return a line for each reason in ``report``, the most frequent first."""
    decoder = msgspec.json.Decoder(Refused)
    times: dict[str, int] = {}
    first: dict[str, Refused] = {}
    with report.open("rb") as lines:
        for text in lines:
            one = decoder.decode(text)
            times[one.code] = times.get(one.code, 0) + 1
            first.setdefault(one.code, one)
    often = sorted(times, key=lambda code: (-times[code], first[code].line))
    return [f"{times[code]} {code}, first in line {first[code].line}: {first[code].message}" for code in often]
