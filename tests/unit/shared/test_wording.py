"""Numbers in sentences."""

from __future__ import annotations

from shared.wording import counted


def test_one_is_no_plural() -> None:
    assert ["0 faults", "1 fault", "2 faults"] == [counted(number, "fault") for number in (0, 1, 2)]
