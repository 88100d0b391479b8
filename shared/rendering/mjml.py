r"""MJML with Liquid in it to HTML with the same Liquid in it, and what is wrong with it.

The compiler sees plain ASCII: each piece of Liquid and each run of other characters is a marker for it. It writes
attributes as Rust prints strings, so that an emoji's second half would come out as `\u{fe0f}`; it reads `<` in a piece
of Liquid as a tag; and it would not say what it drops, which a missing marker does.
"""

from __future__ import annotations

import re
from functools import lru_cache

import mjml
import msgspec

from shared.rendering.errors import Slip, TemplateError
from shared.rendering.mjml_outline import LIQUID, Outline, outline

_CACHED = 512
_MARKED = re.compile(rf"(?P<liquid>{LIQUID})|[^\x00-\x7f]+|\\+", re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")
_PLACE = re.compile(r"at position (\d+):(\d+)")
_COMMENT = re.compile(r"\{%-?\s*(#|comment\b)")


class _Compiled(msgspec.Struct, frozen=True):
    slips: tuple[Slip, ...]
    html: str = ""


class _Piece(msgspec.Struct, frozen=True):
    """What the compiler does not see: ``text``, at ``at``. ``marker`` is in its place, and has ``name`` in it."""

    name: str
    marker: str
    text: str
    at: int
    liquid: bool


def compile_mjml(source: str) -> str:
    """Return the HTML of ``source``, its Liquid where it was. Raises TemplateError; a loaded template never does."""
    compiled = _compile(source)
    for slip in compiled.slips:
        raise TemplateError(f"mjml: {slip.message}")
    return compiled.html


def mjml_slips(source: str) -> list[Slip]:
    """Return what is wrong with ``source``, whose Liquid is in order."""
    return list(_compile(source).slips)


@lru_cache(_CACHED)
def _compile(source: str) -> _Compiled:
    structure = outline(source)
    if structure.slips:
        return _Compiled(structure.slips)
    marked, pieces = _mark(source, structure)
    try:
        # No font is fetched from a third party unless the author asks for it (mj-font): that tells it who reads mail.
        page = mjml.mjml2html(marked, fonts={})
    except ValueError as error:
        return _Compiled((_refused(str(error), marked, pieces),))
    lost = [
        Slip(piece.at, "MJML has no place for this Liquid; a number in an attribute is written out")
        for piece in pieces
        if piece.liquid and not _COMMENT.match(piece.text) and piece.name not in page
    ]
    if lost:
        return _Compiled(tuple(lost))
    for piece in pieces:
        page = page.replace(piece.marker, piece.text).replace(piece.name, piece.text)
    return _Compiled((), page)


def _mark(source: str, structure: Outline) -> tuple[str, list[_Piece]]:
    """Return ``source`` with markers, and what each stands for, in its order."""
    prefix = "liquid"
    while prefix in source:
        prefix += "q"
    pieces: list[_Piece] = []

    def marker(found: re.Match[str]) -> str:
        name = f"{prefix}{len(pieces)}x"
        marker = f"<!--{name}-->" if found.start() in structure.between else name
        pieces.append(_Piece(name, marker, found[0], found.start(), found["liquid"] is not None))
        return marker

    marked = _MARKED.sub(marker, source)
    # A line break in an attribute is a blank, in XML as in HTML.
    return _TAG.sub(lambda tag: tag[0].replace("\n", " "), marked), pieces


def _refused(said: str, marked: str, pieces: list[_Piece]) -> Slip:
    """Return what the compiler has against the text, in the place that it names (``at position 12:15``) if it does."""
    place = _PLACE.search(said)
    if place is None:
        return Slip(0, f"MJML: {said}")
    begin, end = int(place[1]), int(place[2])
    shift = 0
    for piece in pieces:
        if piece.at + shift >= begin:
            break
        shift += len(piece.marker) - len(piece.text)
    token = marked[begin:end]
    for piece in pieces:
        token = token.replace(piece.name, piece.text)
    return Slip(begin - shift, f"MJML does not take {token} here")
