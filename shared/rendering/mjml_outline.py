"""The elements of an MJML text: which stand where they must not, and which Liquid stands between them."""

from __future__ import annotations

import re
from difflib import get_close_matches
from xml.parsers import expat

import msgspec

from shared.rendering.errors import Slip
from shared.rendering.mjml_elements import CHILDREN, DEFAULTS, ELEMENTS, IN_DEFAULTS, WITHOUT_LIQUID, parents

LIQUID = (
    r"\{%-?\s*(?:raw)\s*-?%\}.*?\{%-?\s*endraw\s*-?%\}"
    r"|\{%-?\s*comment\b.*?\{%-?\s*endcomment\s*-?%\}"
    r"|\{\{.*?\}\}|\{%.*?%\}"
)
"""A piece of Liquid: an output, a tag, or a block that is not looked into."""

_LIQUID = re.compile(LIQUID, re.DOTALL)
# HTML closes these by itself, XML does not.
_VOID = re.compile(r"<(?:area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr)\b[^<>]*>", re.IGNORECASE)
_TAGS = re.compile(r"\{%-?\s*(?!assign\b|capture\b|endcapture\b|comment\b|#)")
_SIZED_BY_COUNT = frozenset({"mj-section", "mj-group"})
# Deeper than any mail; the compiler recurses, and at some thousands takes the process with it.
_DEPTH = 100


class Outline(msgspec.Struct, frozen=True):
    """The faults, and where the pieces of Liquid begin that stand between elements (offsets)."""

    slips: tuple[Slip, ...]
    between: frozenset[int]


def outline(source: str) -> Outline:
    """Return the outline of ``source``, whose Liquid is in order. The first fault of its grammar hides those behind."""
    return _Reader(source).read()


class _TooDeepError(Exception):
    """Stops the parser."""


class _Element(msgspec.Struct):
    name: str
    offset: int
    columns: list[int] = []
    repeats: bool = False
    body: bool = False


class _Reader:
    def __init__(self, source: str) -> None:
        self._source = source
        self._slips: list[Slip] = []
        self._open: list[_Element] = []
        self._between: set[int] = set()
        self._parser = expat.ParserCreate(encoding="us-ascii")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._doctype

    def read(self) -> Outline:
        try:
            self._parser.Parse(_blanked(self._source).encode("ascii"), True)
        except expat.ExpatError as error:
            self._slip(_said(error, self._open), max(self._parser.ErrorByteIndex, 0))
        except _TooDeepError:
            pass
        return Outline(tuple(self._slips), frozenset(self._between))

    def _slip(self, message: str, offset: int | None = None) -> None:
        self._slips.append(Slip(self._parser.CurrentByteIndex if offset is None else offset, message))

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        parent = self._open[-1].name if self._open else None
        self._place(name, parent)
        if parent in _SIZED_BY_COUNT and name == "mj-column" and "width" not in attributes:
            self._open[-1].columns.append(self._parser.CurrentByteIndex)
        if name == "mj-body" and self._open:
            self._open[-1].body = True
        self._open.append(_Element(name, self._parser.CurrentByteIndex))
        if len(self._open) > _DEPTH:
            self._slip(f"nested deeper than {_DEPTH} levels")
            raise _TooDeepError

    def _place(self, name: str, parent: str | None) -> None:
        if parent is None:
            if name != "mjml":
                self._slip(f"MJML starts with <mjml>, not with <{name}>")
        elif parent == DEFAULTS:
            if name not in IN_DEFAULTS:
                self._slip(f"unknown element <{name}>{_hint(name, IN_DEFAULTS)}")
        elif name == "mj-include":
            self._slip("<mj-include> is not read: a mail is one text")
        elif name.startswith("mj-") and name not in ELEMENTS:
            self._slip(f"unknown element <{name}>{_hint(name, ELEMENTS)}")
        elif parent in CHILDREN and name not in CHILDREN[parent]:
            where = parents(name) or ["mj-text", "mj-raw"]
            self._slip(f"<{name}> does not stand in <{parent}>, but in {_named(where)}")
        elif parent not in CHILDREN and name in ELEMENTS:
            self._slip(f"<{name}> does not stand in <{parent}>, but in {_named(parents(name))}")

    def _end(self, _name: str) -> None:
        element = self._open.pop()
        if element.name == "mjml" and not element.body:
            self._slip("<mjml> has no <mj-body>", element.offset)
        if element.repeats:
            for offset in element.columns:
                self._slip("Liquid decides how many columns there are: give each its `width`", offset)

    def _text(self, data: str) -> None:
        begin = self._parser.CurrentByteIndex
        parent = self._open[-1]
        if parent.name not in CHILDREN and parent.name != DEFAULTS:
            return
        for piece in _LIQUID.finditer(self._source, begin, begin + len(data)):
            self._between.add(piece.start())
            if parent.name in WITHOUT_LIQUID:
                self._slip(f"no Liquid between the elements of <{parent.name}>", piece.start())
            parent.repeats = parent.repeats or _TAGS.match(piece[0]) is not None

    def _doctype(self, *_said: object) -> None:
        self._slip("MJML starts with <mjml>; leave out the DOCTYPE")


def _blanked(source: str) -> str:
    """Return ``source`` as XML of the same length, in which only its elements are left."""
    text = _LIQUID.sub(_filled, source)
    text = _VOID.sub(_filled, text)
    return re.sub(r"[^\x20-\x7e\n]|&", "x", text)


def _filled(piece: re.Match[str]) -> str:
    return re.sub(r"[^\n]", "x", piece[0])


def _said(error: expat.ExpatError, opened: list[_Element]) -> str:
    """Return what the XML parser found, in words for those who write mails."""
    said = expat.ErrorString(error.code)
    inner = f"<{opened[-1].name}>" if opened else ""
    if said == "mismatched tag":
        return f"{inner} is not closed before this; in Liquid too, each way closes what it opens"
    if said in ("no element found", "unclosed token"):
        return f"{inner or '<mjml>'} is not closed"
    if said == "duplicate attribute":
        return "an attribute is written twice; choose inside its value"
    if said == "junk after document element":
        return "there is something behind </mjml>"
    if not opened:
        return "MJML starts with <mjml>; Liquid stands inside <mj-body>"
    return 'not MJML: write a < as &lt;, and attributes as name="value"'


def _named(elements: list[str]) -> str:
    return " or ".join(f"<{element}>" for element in elements)


def _hint(word: str, known: frozenset[str]) -> str:
    close = get_close_matches(word, sorted(known), n=1)
    return f"; did you mean <{close[0]}>?" if close else ""
