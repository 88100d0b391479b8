"""How many SMS a text is."""

from __future__ import annotations

import pytest

from services.dispatcher.channels.segments import segments


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        # 153 is odd: the 77th euro does not fit into the first.
        ("€" * 152, 2),
        ("€" * 153, 3),
        ("あ" * 70, 1),
        ("あ" * 71, 2),
        ("あ" * 134, 2),
        ("あ" * 135, 3),
        # One character beyond the GSM alphabet, and the whole text is in UCS-2.
        ("a" * 69 + "ê", 1),
        ("a" * 70 + "ê", 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        # 67 is odd too.
        ("😀" * 66, 2),
        ("😀" * 67, 3),
    ],
)
def test_a_text_has_as_many_sms_as_the_standard_says(text: str, count: int) -> None:
    assert count == segments(text)
