"""What a Liquid text prints and asks about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from liquid import Environment
from liquid.exceptions import LiquidError


@lru_cache(maxsize=4_096)
def variables(source: str) -> tuple[tuple[str, ...], ...]:
    """Return the paths that ``source`` reads from outside, such as ``("contact", "name")``, up to an index.

    A text with an error reads nothing here: the parser of templates says what is wrong with it.
    """
    try:
        found = Environment().from_string(source).analyze(include_partials=False).globals
    except LiquidError:
        return ()
    return tuple(sorted({tuple(_words(variable.segments)) for named in found.values() for variable in named}))


def _words(segments: Sequence[object]) -> Iterator[str]:
    for segment in segments:
        if not isinstance(segment, str):
            return
        yield segment
