"""A row of a file to a call of the tracking API. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from cli.importing.lines import Fault, Line
from shared.ids import derived_id

FIELDS = (
    "type",
    "event",
    "name",
    "category",
    "messageId",
    "userId",
    "anonymousId",
    "previousId",
    "groupId",
    "timestamp",
    "originalTimestamp",
    "topic",
    "status",
    "channel",
)
"""What a column may be: one of these, or ``properties.NAME``, ``traits.NAME`` or ``context.NAME``."""
_BELOW = ("properties", "traits", "context")
_TIMES = ("timestamp", "originalTimestamp")


class MappingError(ValueError):
    """A wish of the command line that cannot be read."""


class Column(msgspec.Struct, frozen=True):
    """Where the value of a column goes, as a path, and what type its text stands for."""

    path: tuple[str, ...]
    read: Callable[[str], Any]


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How lines become calls. ``file`` is the name of theirs; ``csv``: they are rows of texts.

    ``columns`` are the CSV columns that were named; others keep their names, and go to the traits of an ``identify``
    call, else to the properties. ``event_type`` and ``event`` are those of rows that say none. ``timed``: a row must
    say when it happened, for history without a time would be news.
    """

    file: str
    csv: bool = False
    columns: Mapping[str, Column] = {}
    event_type: str = "track"
    event: str | None = None
    timed: bool = True

    def call_of(self, line: Line) -> dict[str, Any] | Fault:
        """Return the call that ``line`` makes, with a messageId of its file, number and text where it has none."""
        said = line.row if isinstance(line.row, Fault) or not self.csv else self._cells(line.row)
        return said if isinstance(said, Fault) else self._completed(line, said)

    def _cells(self, row: Mapping[str, str]) -> dict[str, Any] | Fault:
        """Return what the cells of a row say. An empty one says nothing."""
        call: dict[str, Any] = {}
        rest: list[tuple[str, str]] = []
        for name, cell in row.items():
            column = self.columns.get(name) or _own(name)
            if cell == "":
                continue
            if column is None:
                rest.append((name, cell))
                continue
            try:
                value = column.read(cell)
            except ValueError as error:
                return Fault("invalid_cell", f"{name}: {error}")
            _put(call, column.path, value)
        kind = str(call.get("type", self.event_type))
        for name, cell in rest:
            _put(call, ("traits" if kind == "identify" else "properties", name), cell)
        return call

    def _completed(self, line: Line, said: Mapping[str, Any]) -> dict[str, Any] | Fault:
        call = dict(said)
        call.setdefault("type", self.event_type)
        if self.event is not None and call["type"] == "track":
            call.setdefault("event", self.event)
        if self.timed and all(call.get(name) in (None, "") for name in _TIMES):
            return Fault("no_timestamp", "the line does not say when it happened (`timestamp`)")
        if call.get("messageId") in (None, ""):
            text = line.raw.rstrip("\r\n").encode("utf-8", "surrogateescape").hex()
            call["messageId"] = derived_id("import", self.file, str(line.number), text)
        return call


def read_columns(wishes: tuple[str, ...]) -> dict[str, Column]:
    """Return the columns of ``FIELD=COLUMN`` and ``FIELD:TYPE=COLUMN``. Raises MappingError."""
    found = {}
    for wish in wishes:
        left, equals, name = wish.partition("=")
        target, _, kind = left.partition(":")
        path = tuple(target.split(".", 1))
        known = path[0] in (_BELOW if len(path) > 1 else FIELDS) and all(path)
        if not equals or not name or not known:
            raise MappingError(f"{wish!r} is no FIELD=COLUMN; FIELD is {', '.join(FIELDS)} or properties.NAME, ...")
        if kind and kind not in _TYPES:
            raise MappingError(f"{wish!r}: the type is one of {', '.join(_TYPES)}")
        if name in found:
            raise MappingError(f"the column {name!r} is named twice")
        found[name] = Column(path, _TYPES[kind or "text"])
    return found


def _own(name: str) -> Column | None:
    """Return the column that has a field's own name, None: it has not."""
    path = tuple(name.split(".", 1))
    known = name in FIELDS or (len(path) > 1 and path[0] in _BELOW and path[1])
    return Column(path, str) if known else None


def _put(call: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        call = call.setdefault(name, {})
    call[path[-1]] = value


def _number(text: str) -> float | int:
    try:
        return int(text) if text.strip().lstrip("+-").isdecimal() else _finite(text)
    except ValueError as error:
        raise ValueError("no number") from error


def _finite(text: str) -> float:
    found = float(text)
    if found - found != 0:
        raise ValueError("no number")
    return found


def _truth(text: str) -> bool:
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if text.strip().lower() not in known:
        raise ValueError("neither true nor false")
    return known[text.strip().lower()]


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError("no JSON") from error


_TYPES: dict[str, Callable[[str], Any]] = {"text": str, "number": _number, "boolean": _truth, "json": _json}
