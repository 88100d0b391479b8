"""How many SMS a text becomes: each costs as much as the one (3GPP TS 23.038 and 23.040)."""

from __future__ import annotations

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ESCAPED = frozenset("\f^{}\\[~]|€")
# Characters of one SMS, and of each where there are several: the header that joins them takes six bytes.
_GSM = (160, 153)
_UCS2 = (70, 67)


def segments(text: str) -> int:
    """Return the number of SMS: in the GSM alphabet where it has every character, else in UCS-2."""
    if all(character in _BASIC or character in _ESCAPED for character in text):
        return _packed([2 if character in _ESCAPED else 1 for character in text], *_GSM)
    return _packed([2 if ord(character) > 0xFFFF else 1 for character in text], *_UCS2)


def _packed(widths: list[int], alone: int, joined: int) -> int:
    """Return how many messages hold ``widths``; none that is two wide is cut in two."""
    if sum(widths) <= alone:
        return 1
    count, used = 1, 0
    for width in widths:
        if used + width > joined:
            count, used = count + 1, 0
        used += width
    return count
