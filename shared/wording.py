"""How numbers and failures read in a sentence."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """Return ``1 fault``, ``2 faults``: ``what`` is the word for one of them, regular in its plural."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def reason_of(error: Exception) -> str:
    """Return why, without the number and the name that Python puts around it: ``no such file or directory``."""
    said = error.strerror if isinstance(error, OSError) else None
    return (said[:1].lower() + said[1:]) if said else str(error)
