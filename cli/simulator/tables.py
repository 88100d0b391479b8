"""A comparison as a table for people, and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import msgspec

from cli.simulator.compare import Comparison, Difference, Row
from shared.wording import counted

_WORDS = {
    "entered": "entered",
    "not_entered": "did not enter: {}",
    "send": "sent: {} by {}",
    "deferred": "put off: {}",
    "skip": "not sent: {}",
    "notify": "told staff: {} by {}",
    "call": "called: {}",
    "answered": "call ended: {}",
    "update": "updated: {}",
    "emit": "emitted: {}",
    "enrol": "enrolled: {}",
    "migrated": "moved to a new version at: {}",
    "exited": "ended: {}",
    "converted": "converted: {}",
    "value": "value: {}",
    "regret": "regretted: {}",
    "suppressed": "address given up: {}",
    "unsuppressed": "address taken up again: {}",
    "messages": "messages",
    "messages_mean": "messages per contact, mean",
    "messages_most": "messages per contact, most",
    "contacts_with": "contacts with {} messages",
}


def lines_of(found: Comparison, style: str, base: str, other: str) -> Iterator[str]:
    """Yield the lines of ``found`` as ``table``, ``json`` (one object) or ``ndjson`` (a line for each measure)."""
    match style:
        case "json":
            yield json.dumps({"base": base, "other": other, **_plain(found)}, ensure_ascii=False, indent=2)
        case "ndjson":
            whole = _plain(found)
            for row in whole.pop("rows"):
                yield json.dumps(row, ensure_ascii=False)
            yield json.dumps(whole, ensure_ascii=False)
        case _:
            yield from _table(found, base, other)


def _plain(found: Comparison) -> dict[str, Any]:
    kept = msgspec.to_builtins(found)
    return {key: kept[key] for key in ("contacts", "messages", "texts", "rows", "differences")}


def _table(found: Comparison, base: str, other: str) -> Iterator[str]:
    yield f"base   {base}"
    yield f"other  {other}"
    cells = [
        (
            {None: "all journeys", "": "no journey"}.get(journey, str(journey)),
            [(_words(row), _number(row.base), _number(row.other), _change(row)) for row in rows],
        )
        for journey, rows in groupby(found.rows, key=lambda row: row.journey)
    ]
    widths = [max(len(row[place]) for _, rows in cells for row in rows) for place in range(4)]
    first = max(widths[0] + 2, *(len(title) for title, _ in cells))
    numbers = [max(width, len(name)) for width, name in zip(widths[1:], ("base", "other", "change"), strict=True)]
    for title, rows in cells:
        yield ""
        yield _line((title, "base", "other", "change"), first, numbers)
        for row in rows:
            yield _line((f"  {row[0]}", *row[1:]), first, numbers)
    yield ""
    got = "gets" if found.messages == 1 else "get"
    of = counted(found.contacts, "contact")
    yield f"{found.messages} of {of} {got} other messages, {found.texts} the same with other texts"
    for difference in found.differences:
        yield ""
        yield from _side_by_side(difference)


def _line(cells: tuple[str, ...], first: int, numbers: list[int]) -> str:
    rest = "  ".join(f"{cell:>{width}}" for cell, width in zip(cells[1:], numbers, strict=True))
    return f"{cells[0]:<{first}}  {rest}".rstrip()


def _words(row: Row) -> str:
    text = _WORDS[row.measure].format(*row.of)
    return text.removesuffix("s") if row.measure == "contacts_with" and row.of == ("1",) else text


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _change(row: Row) -> str:
    shown = _number(row.other - row.base)
    if shown in ("0", "-0"):
        return ""
    return shown if shown.startswith("-") else f"+{shown}"


def _side_by_side(difference: Difference) -> Iterator[str]:
    rows = [("base", "other"), *((left or "-", right or "-") for left, right in difference.decisions)]
    width = max(len(left) for left, _ in rows)
    yield difference.contact
    for left, right in rows:
        yield f"  {left:<{width}}  {right}"
