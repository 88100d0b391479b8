"""Finds what is wrong with a text whatever the data: its Liquid, the words in it, its MJML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from liquid.exceptions import LiquidError

from shared.rendering.errors import Slip
from shared.rendering.liquid import MAX_SOURCE, compile_liquid, environment, first_line
from shared.rendering.mjml import mjml_slips
from shared.rendering.render import MARKED_UP
from shared.rendering.roots import ROOTS
from shared.rendering.variables import uses_of

_FILTER = re.compile(r"\|\s*(\w+)")
_INSIDE = {"else", "elsif", "when"}
_FEW = 8


def check_part(part: str, source: str) -> list[Slip]:
    """Return what is wrong with ``source`` as ``part`` of a message. The first fault of its grammar hides others."""
    if len(source) > MAX_SOURCE:
        return [Slip(0, f"the text is longer than {MAX_SOURCE} characters")]
    try:
        compile_liquid(source, escape=part in MARKED_UP)
        found = [*_unknown_filters(source), *_unknown_words(source)]
    except (LiquidError, RecursionError) as error:
        return [_grammar(source, error)]
    if part == "mjml":
        found += mjml_slips(source)
    return sorted(found, key=lambda slip: slip.offset)


def _grammar(source: str, error: LiquidError | RecursionError) -> Slip:
    message = first_line(error)
    token = error.token if isinstance(error, LiquidError) else None
    offset = -1 if token is None else token.start_index
    if unclosed := re.match(r"expected tag end(\w+), found end", message):
        return Slip(_last_open(source, unclosed[1]), f"`{unclosed[1]}` is not closed; write {{% end{unclosed[1]} %}}")
    if unexpected := re.match(r"unexpected tag '(.*)'", message):
        name = unexpected[1]
        if name.startswith("end") or name in _INSIDE:
            return Slip(offset, f"`{name}` belongs to nothing that is open here")
        return Slip(offset, f"unknown tag `{name}`{_hint(name, environment(escape=False).tags)}")
    return Slip(max(offset, 0), f"Liquid: {message}")


def _last_open(source: str, name: str) -> int:
    opened: list[int] = []
    for tag in re.finditer(rf"\{{%-?\s*(end)?{name}\b", source):
        if tag[1] is None:
            opened.append(tag.start())
        elif opened:
            opened.pop()
    return opened[-1] if opened else 0


def _unknown_filters(source: str) -> Iterator[Slip]:
    known = environment(escape=False).filters
    for name, spans in compile_liquid(source, escape=False).analyze().filters.items():
        if name not in known:
            for span in spans:
                named = _FILTER.search(source, max(0, source.rfind("|", 0, span.index + 1)))
                offset = span.index if named is None else named.start(1)
                yield Slip(offset, f"unknown filter `{name}`{_hint(name, known)}")


def _unknown_words(source: str) -> Iterator[Slip]:
    for use in uses_of(source):
        root, *rest = use.path
        if root not in ROOTS:
            yield Slip(use.offset, f"unknown `{root}`{_hint(root, ROOTS)}")
        elif ROOTS[root] and rest and rest[0] not in ROOTS[root]:
            yield Slip(use.offset, f"`{root}` has no `{rest[0]}`{_hint(rest[0], ROOTS[root])}")


def _hint(word: str, known: Iterable[str]) -> str:
    candidates = sorted(known)
    if close := get_close_matches(word, candidates, n=1):
        return f"; did you mean `{close[0]}`?"
    return f"; known: {', '.join(candidates)}" if len(candidates) <= _FEW else ""
