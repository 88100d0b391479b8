"""A fault in an expression: where it is and what its author should do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

import msgspec

from shared.errors import ConfigurationError

_LONGEST_WORD = 60


class ExpressionFault(msgspec.Struct, frozen=True, order=True):
    """One fault. ``offset`` counts characters from 0."""

    offset: int
    message: str


class ExpressionError(ConfigurationError):
    """An expression has a fault."""

    def __init__(self, offset: int, message: str) -> None:
        """Keep the position and the sentence apart: the journey's linter knows the line."""
        super().__init__(f"at character {offset + 1}: {message}")
        self.offset = offset
        self.message = message

    @property
    def fault(self) -> ExpressionFault:
        """The same as data."""
        return ExpressionFault(self.offset, self.message)


def shown(word: str) -> str:
    """Return ``word`` as faults quote it: on one line and not too long."""
    text = " ".join(word.split())
    return f"`{text if len(text) <= _LONGEST_WORD else text[:_LONGEST_WORD] + '…'}`"


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean `x`?`` when a known word is close to ``word``, else nothing."""
    close = get_close_matches(word[:_LONGEST_WORD], sorted(known), n=1)
    return f"; did you mean `{close[0]}`?" if close else ""
