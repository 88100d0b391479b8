"""Reads a YAML 1.2 document with the line of every node, and collects faults instead of stopping at the first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any, TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from shared.journeys.durations import parse_duration
from shared.journeys.faults import Fault, suggestion

T = TypeVar("T")

_NAMES: dict[type, str] = {
    dict: "a mapping",
    list: "a list",
    str: "a text",
    int: "a whole number",
    bool: "true or false",
}


class Node:
    """One value of the document, with the place where it stands and the list that its faults go to."""

    def __init__(self, value: Any, file: str, line: int, column: int, faults: list[Fault]) -> None:
        """Positions count from 1."""
        self.value = value
        self.file = file
        self.line = line
        self.column = column
        self.faults = faults

    def fault(self, message: str) -> None:
        """Note that something is wrong here."""
        self.faults.append(Fault(self.file, self.line, self.column, message))

    def is_a(self, kind: type) -> bool:
        """Tell whether the value is of ``kind`` (a bool is no int)."""
        return isinstance(self.value, kind) and not (kind is int and isinstance(self.value, bool))

    def expect(self, kind: type) -> bool:
        """Like ``is_a``, and a fault when it is not."""
        if self.is_a(kind):
            return True
        self.fault(f"expected {_NAMES[kind]}")
        return False

    def fields(self, known: Collection[str], required: Collection[str] = ()) -> dict[str, Node]:
        """Return the mapping's nodes by key; unknown and missing keys are faults. Empty when it is no mapping."""
        if not self.expect(dict):
            return {}
        found: dict[str, Node] = {}
        for key, child in self._children():
            if key not in known:
                child.fault(f"unknown key `{key}`{suggestion(str(key), known)}")
            else:
                found[key] = child
        for key in required:
            if key not in found:
                self.fault(f"`{key}` is missing")
        return found

    def pairs(self) -> list[tuple[str, Node]]:
        """Return the mapping's keys and nodes in their order, whatever the keys are."""
        return list(self._children()) if self.expect(dict) else []

    def items(self) -> list[Node]:
        """Return the list's nodes. A fault and nothing when it is no list."""
        if not self.expect(list):
            return []
        nodes = []
        for index, value in enumerate(self.value):
            line, column = self.value.lc.item(index) if isinstance(self.value, CommentedSeq) else (self.line - 1, 0)
            nodes.append(Node(value, self.file, line + 1, column + 1, self.faults))
        return nodes

    def _children(self) -> Iterator[tuple[str, Node]]:
        mapping = self.value
        for key, value in mapping.items():
            line, column = self.line - 1, self.column - 1
            if isinstance(mapping, CommentedMap) and key in mapping.lc.data:
                line, column = mapping.lc.key(key)
            yield key, Node(value, self.file, line + 1, column + 1, self.faults)

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
            self.fault(f"unknown {what} `{self.value}`{suggestion(str(self.value), known)}")
        else:
            self.fault(f"expected {what}: one of {', '.join(known)}")
        return next(iter(known))

    def integer(self, low: int, high: int) -> int:
        """Return the whole number between ``low`` and ``high``; a fault and ``low`` for anything else."""
        if self.expect(int):
            if low <= self.value <= high:
                return int(self.value)
            self.fault(f"expected a whole number from {low} to {high}")
        return low

    def boolean(self) -> bool:
        """Return the bool; a fault and False for anything else."""
        return bool(self.value) if self.expect(bool) else False

    def duration(self) -> int:
        """Return milliseconds; a fault and 0 for anything that is no duration."""
        if self.expect(str):
            try:
                return parse_duration(self.value)
            except ValueError as error:
                self.fault(str(error))
        return 0

    def each(self, parse: Callable[[Node], T | None]) -> tuple[T, ...]:
        """Return what ``parse`` makes of each item, without those it refused."""
        return tuple(made for made in map(parse, self.items()) if made is not None)


def read_document(file: str, text: str, faults: list[Fault]) -> Node | None:
    """Return the document's root node, or None with a fault when it is not YAML at all."""
    loader = YAML(typ="rt")
    loader.allow_duplicate_keys = False
    try:
        value = loader.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        faults.append(Fault(file, line, column, f"not YAML: {error.problem}"))
        return None
    except (YAMLError, ValueError, RecursionError) as error:
        faults.append(Fault(file, 1, 1, f"not YAML: {error}"))
        return None
    return Node(value, file, 1, 1, faults)
