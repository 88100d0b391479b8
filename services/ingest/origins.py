"""Which sites' pages may send: the origins that a browser names. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

_ORIGIN = re.compile(r"https?://(\*\.)?[a-z0-9.-]+(:[0-9]{1,5})?")
_LABELS = "[a-z0-9.-]+[.]"


class Origins(msgspec.Struct, frozen=True):
    """Origins such as ``https://shop.example``, or ``https://*.shop.example`` for every host below it."""

    patterns: tuple[str, ...]

    @property
    def regex(self) -> str:
        """What exactly the allowed origins match."""
        return "|".join(re.escape(one).replace(r"\*\.", _LABELS) for one in self.patterns)

    def allow(self, origin: str) -> bool:
        """Return whether pages of ``origin`` may send."""
        return re.fullmatch(self.regex, origin) is not None


def origins_of(patterns: Iterable[str]) -> Origins:
    """Return the origins. Raises ValueError, which says what is wrong, for one that no browser would name."""
    found = tuple(patterns)
    for one in found:
        if not _ORIGIN.fullmatch(one):
            raise ValueError(f"{one!r} is not an origin; write https://shop.example or https://*.shop.example")
    return Origins(found)
