"""The nodes of a document: what a parser asks of them, and the faults that they collect."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeVar

import msgspec

from shared.journeys.durations import parse_duration
from shared.journeys.faults import Fault, closest, shown, suggestion

T = TypeVar("T")

_NAMES: dict[type, str] = {
    dict: "a mapping (lines of `key: value`)",
    list: "a list",
    str: "a text",
    int: "a whole number",
    bool: "true or false",
}


class TextPlace(msgspec.Struct, frozen=True):
    """Where a text's first character stands, and the column of its further lines; from 1."""

    line: int
    column: int


class Node:
    """One value of the document, with the place where it stands and the list that its faults go to.

    ``value`` is a dict or a list of nodes, or a text, a whole number, a bool or None.
    """

    def __init__(self, value: Any, file: str, line: int, column: int, faults: list[Fault]) -> None:
        """Positions count from 1."""
        self.value = value
        self.file = file
        self.line = line
        self.column = column
        self.faults = faults
        self.text_at: TextPlace | None = None

    def fault(self, message: str) -> None:
        """Note that something is wrong here."""
        self.faults.append(Fault(self.file, self.line, self.column, message))

    def fault_at(self, offset: int, message: str) -> None:
        """Note that something is wrong at the character ``offset`` of this text; here, if its lines were folded."""
        if self.text_at is None:
            self.fault(message)
            return
        before = str(self.value)[:offset]
        line, column = before.count("\n"), offset - (before.rfind("\n") + 1)
        self.faults.append(Fault(self.file, self.text_at.line + line, self.text_at.column + column, message))

    def place_of(self, text: str) -> Node:
        """Return the first node below that is ``text`` or stands under that key, else this one."""
        for name, child in self.value.items() if isinstance(self.value, dict) else enumerate(self._listed()):
            if text in (name, child.value):
                return child
            found = child.place_of(text)
            if found is not child:
                return found
        return self

    def _listed(self) -> list[Node]:
        return self.value if isinstance(self.value, list) else []

    def is_a(self, kind: type) -> bool:
        """Tell whether the value is of ``kind`` (a bool is no int)."""
        return isinstance(self.value, kind) and not (kind is int and isinstance(self.value, bool))

    def expect(self, kind: type) -> bool:
        """Like ``is_a``, and a fault when it is not."""
        if self.is_a(kind):
            return True
        self.fault(f"expected {_NAMES[kind]}, {self._instead(kind)}")
        return False

    def _instead(self, wanted: type) -> str:
        """Say what stands here and, where a text is wanted, how YAML is told that it is one."""
        if self.value is None:
            return "but nothing is written here"
        if isinstance(self.value, dict | list):
            what = "not a mapping" if isinstance(self.value, dict) else "not a list"
            return f"{what}; a text that starts with {{ or [ needs quotes" if wanted is str else what
        what = f"not {shown(str(self.value).lower() if isinstance(self.value, bool) else self.value)}"
        return f"{what}; put it in quotes" if wanted is str else what

    def fields(self, known: Collection[str], required: Collection[str] = ()) -> dict[str, Node]:
        """Return the mapping's nodes by key; unknown and missing keys are faults. Empty when it is no mapping."""
        if not self.expect(dict):
            return {}
        found: dict[str, Node] = {}
        meant: set[str | None] = set()
        for key, child in self.value.items():
            if key in known:
                found[key] = child
            else:
                child.fault(f"unknown key {shown(key)}{suggestion(key, known)}")
                meant.add(closest(key, known))
        for key in required:
            # One that is only misspelled is a fault already.
            if key not in found and key not in meant:
                self.fault(f"`{key}` is missing")
        return found

    def pairs(self) -> list[tuple[str, Node]]:
        """Return the mapping's keys and nodes in their order, whatever the keys are."""
        return list(self.value.items()) if self.expect(dict) else []

    def items(self) -> list[Node]:
        """Return the list's nodes. A fault and nothing when it is no list."""
        return list(self.value) if self.expect(list) else []

    def text(self, default: str = "") -> str:
        """Return the text; a fault and ``default`` when it is none or empty."""
        if self.expect(str):
            if self.value:
                return str(self.value)
            self.fault("expected a text that is not empty")
        return default

    def choice(self, known: Collection[str], what: str) -> str:
        """Return one of ``known``; a fault and the first of them for anything else."""
        if self.is_a(str) and self.value in known:
            return str(self.value)
        if self.is_a(str):
            self.fault(f"unknown {what} {shown(self.value)}{suggestion(self.value, known)}")
        else:
            self.fault(f"expected {what}: one of {', '.join(known)}")
        return next(iter(known))

    def integer(self, low: int, high: int) -> int:
        """Return the whole number between ``low`` and ``high``; a fault and ``low`` for anything else."""
        if self.is_a(int) and low <= self.value <= high:
            return int(self.value)
        wanted = f"expected a whole number from {low} to {high}"
        self.fault(wanted if self.is_a(int) else f"{wanted}, {self._instead(int)}")
        return low

    def number(self, low: float, high: float) -> float:
        """Return the number between ``low`` and ``high``; a fault and ``low`` for anything else."""
        try:
            found = float(self.value) if isinstance(self.value, int | float | str) and not self.is_a(bool) else None
        except ValueError:
            found = None
        if found is not None and low <= found <= high:
            return found
        self.fault(f"expected a number from {low:g} to {high:g}")
        return low

    def boolean(self) -> bool:
        """Return the bool; a fault and False for anything else."""
        return bool(self.value) if self.expect(bool) else False

    def duration(self, *, least: int = 0) -> int:
        """Return milliseconds, ``least`` or more; a fault and ``least`` for anything that is no duration."""
        if not self.is_a(str):
            self.fault(f"expected a duration such as 45m, 24h, 3d or 2w, {self._instead(int)}")
            return least
        try:
            found = parse_duration(self.value)
        except ValueError as error:
            self.fault(str(error))
            return least
        if found < least:
            self.fault("expected a duration longer than nothing")
        return found

    def each(self, parse: Callable[[Node], T | None]) -> tuple[T, ...]:
        """Return what ``parse`` makes of each item, without those it refused."""
        return tuple(made for made in map(parse, self.items()) if made is not None)
