"""How numbers read in a sentence."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """Return ``1 fault``, ``2 faults``: ``what`` is the word for one of them, regular in its plural."""
    return f"{number} {what}{'' if number == 1 else 's'}"
