"""A fault in a journey file: where it is and what its author should do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

import msgspec

from shared.errors import ConfigurationError

_LONGEST_WORD = 60


class Fault(msgspec.Struct, frozen=True, order=True):
    """One fault. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        """Return ``file:line:column: message``, as compilers print it."""
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class JourneyFaultsError(ConfigurationError):
    """A journey file has faults."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        """Keep the faults in the order of the files and lines."""
        self.faults = tuple(sorted(faults))
        super().__init__("\n".join(str(fault) for fault in self.faults))


def shown(word: object) -> str:
    """Return ``word`` as faults quote it: on one line and not too long."""
    text = " ".join(str(word).split())
    return f"`{text if len(text) <= _LONGEST_WORD else text[:_LONGEST_WORD] + '…'}`"


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `` did you mean `x`?`` when a known word is close to ``word``, else the known words when they are few."""
    candidates = sorted(known)
    meant = closest(word, candidates)
    if meant is not None:
        return f"; did you mean `{meant}`?"
    if candidates and len(candidates) <= 12:
        return "; known: " + ", ".join(candidates)
    return ""


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that ``word`` is likely to stand for, None: it is like none."""
    return next(iter(get_close_matches(word[:_LONGEST_WORD], sorted(known), n=1)), None)
