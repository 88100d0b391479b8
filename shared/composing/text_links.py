"""The links of a plain text: replaced in place, with all that stands around them left as it is."""

from __future__ import annotations

import re
from collections.abc import Callable

# Japanese is written without blanks: its punctuation ends an address, which never has any.
_LINK = re.compile(r"https?://[^\s<>\"'。、「」『』（）]+")
# What ends a sentence rather than an address.
_AFTER = ".,;:!?)]}"


def replace_in_text(text: str, replace: Callable[[str], str | None]) -> str:
    """Return ``text`` with each of its addresses as ``replace`` has it; None: as it is."""

    def replaced(found: re.Match[str]) -> str:
        url = found[0].rstrip(_AFTER)
        return f"{replace(url) or url}{found[0][len(url) :]}"

    return _LINK.sub(replaced, text)
