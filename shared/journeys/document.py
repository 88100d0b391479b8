"""A YAML 1.2 text to nodes that know their lines.

Built from the parser's events and not from YAML's objects: no tag, anchor or merge key makes anything, a number or date
that nobody asked for stays a text, and neither depth nor repetition costs more than the text is long.
"""

from __future__ import annotations

import re
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from shared.journeys.faults import Fault, shown
from shared.journeys.reader import Node, TextPlace

MAX_DEPTH = 32
"""Levels of nesting. The cart journey has six; what reads a journey recurses, and must not run out of stack."""
MAX_CHARACTERS = 250_000
"""Of one file. A long journey with its texts has 20,000; at worst the parser takes some seconds for this many."""

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_UNQUOTED = re.compile(r"(?:[:,\[-]|^)\s*\{\{")
_BRACES = "a text that starts with { or [ needs quotes"


def read_document(file: str, text: str, faults: list[Fault]) -> Node | None:
    """Return the document's root node, or None with a fault when it cannot be read as a whole."""
    if len(text) > MAX_CHARACTERS:
        faults.append(Fault(file, 1, 1, f"the file is longer than {MAX_CHARACTERS} characters"))
        return None
    builder = _Builder(file, text, faults)
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            builder.take(event)
            if builder.too_deep:
                return None
    except MarkedYAMLError as error:
        if not builder.refused:
            faults.append(_explain(file, text, error))
        return None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        faults.append(Fault(file, line, 1, "a character that no text has; is this a YAML file?"))
        return None
    except (YAMLError, ValueError) as error:
        faults.append(Fault(file, 1, 1, f"not YAML: {' '.join(str(error).split())}"))
        return None
    if builder.root is None or builder.root.value is None:
        faults.append(Fault(file, 1, 1, "the file is empty; it starts with `schema:`"))
        return None
    return None if builder.refused else builder.root


class _Builder:
    """Puts the parser's events together. ``refused``: the document uses what the language does not have."""

    def __init__(self, file: str, text: str, faults: list[Fault]) -> None:
        self.root: Node | None = None
        self.refused = False
        self.too_deep = False
        self._file = file
        self._text = text
        self._faults = faults
        self._open: list[Node] = []
        self._keys: list[tuple[str | None, Node] | None] = []
        self._documents = 0

    def take(self, event: Event) -> None:
        """Add the next event."""
        match event:
            case DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    self._refuse(event, "a second document; one file holds one, without `---`")
                if event.version not in (None, (1, 2)):
                    self._refuse(event, "this is read as YAML 1.2; leave out the %YAML line")
            case AliasEvent():
                self._refuse(
                    event,
                    f"{shown(f'*{event.anchor}')}: aliases are not read; write the value out (a text needs quotes)",
                )
                self._place(self._node(event, None), None)
            case ScalarEvent():
                self._check(event)
                node = self._node(event, _scalar(event))
                node.text_at = _text_place(self._text, event)
                self._place(node, str(event.value))
            case SequenceStartEvent() | MappingStartEvent():
                self._check(event)
                node = self._node(event, [] if isinstance(event, SequenceStartEvent) else {})
                self._place(node, None)
                self._open.append(node)
                self._keys.append(None)
                if len(self._open) > MAX_DEPTH:
                    self.too_deep = True
                    self._refuse(event, f"nested deeper than {MAX_DEPTH} levels")
            case SequenceEndEvent() | MappingEndEvent():
                self._open.pop()
                self._keys.pop()
            case _:
                pass

    def _check(self, event: ScalarEvent | CollectionStartEvent) -> None:
        if event.anchor is not None:
            self._refuse(
                event, f"{shown(f'&{event.anchor}')}: anchors are not read; a text that starts so needs quotes"
            )
        if event.tag is not None:
            self._refuse(event, "`!`: tags are not read; a text that starts so needs quotes")

    def _place(self, node: Node, raw: str | None) -> None:
        if not self._open:
            self.root = self.root or node
            return
        parent = self._open[-1].value
        if isinstance(parent, list):
            parent.append(node)
            return
        pending = self._keys[-1]
        if pending is None:
            self._keys[-1] = raw, node
            return
        self._keys[-1] = None
        key, at = pending
        # A value stands where its key does.
        node.line, node.column = at.line, at.column
        if key is None:
            self._refuse(at, f"a key is a word; {_BRACES}")
        elif key in parent:
            at.fault(f"key {shown(key)} is written twice; keep one")
        else:
            parent[key] = node

    def _node(self, event: Event, value: Any) -> Node:
        mark = event.start_mark
        return Node(value, self._file, mark.line + 1, mark.column + 1, self._faults)

    def _refuse(self, at: Event | Node, message: str) -> None:
        self.refused = True
        (at if isinstance(at, Node) else self._node(at, None)).fault(message)


def _scalar(event: ScalarEvent) -> str | int | bool | None:
    text = str(event.value)
    if not event.implicit[0]:
        return text
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    return int(text) if _INTEGER.fullmatch(text) else text


def _text_place(text: str, event: ScalarEvent) -> TextPlace | None:
    """Return where the scalar's characters stand; None when they do not stand in the file as they are."""
    begin, end = event.start_mark, event.end_mark
    if event.style == "|":
        lines = zip(text[begin.index : end.index].split("\n")[1:], str(event.value).split("\n"), strict=False)
        indent = next((len(line) - len(kept) for line, kept in lines if kept.strip()), 0)
        return TextPlace(begin.line + 2, indent + 1)
    quote = 1 if event.style in ("'", '"') else 0
    if text[begin.index + quote : end.index - quote] != event.value:
        return None
    return TextPlace(begin.line + 1, begin.column + 1 + quote)


def _explain(file: str, text: str, error: MarkedYAMLError) -> Fault:
    """Return the fault for what is no YAML, in words for those who do not know YAML's own."""
    problem, context = str(error.problem or error), str(error.context or "")
    mark = error.problem_mark or error.context_mark
    opened = error.context_mark or mark
    if "quoted scalar" in context:
        mark, message = opened, "the quote that opens here is not closed"
    elif "\\t" in problem:
        message = "a tab; indent with spaces"
    elif mark is not None and _UNQUOTED.search(_line(text, mark.line)):
        message = f"not YAML; {_BRACES}"
    elif "flow" in context:
        mark, message = opened, "what opens here with [ or { is not closed, or a comma is missing"
        if problem.endswith("got ':'"):
            message += "; a text with `: ` in it needs quotes"
    elif "mapping values" in problem:
        message = "a `:` in the wrong place; check the indentation, and put a text with a `:` in it in quotes"
    elif "block end" in problem:
        message = "this does not continue the lines before; check their quotes, and the indentation"
    else:
        message = f"not YAML: {' '.join(problem.split())}"
    return Fault(file, 1, 1, message) if mark is None else Fault(file, mark.line + 1, mark.column + 1, message)


def _line(text: str, number: int) -> str:
    lines = text.splitlines()
    return lines[number] if number < len(lines) else ""
