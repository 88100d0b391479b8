"""The messageIds of a row, packed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.evaluator.core.applied_ids import each_id, number_at, number_of_id, with_id

HALVES = st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 256, 2**56, 2**64 - 1])
"""Also such as look alike when they are read from another place."""


def packed(*pairs: tuple[int, int]) -> bytes:
    return b"".join(with_id(b"", hashed, number) for hashed, number in pairs)


def test_an_id_is_found_with_its_number_in_sixteen_bytes() -> None:
    ids = with_id(with_id(b"", 7, 70), 8, 80)
    assert (32, 70, 80, None) == (len(ids), number_of_id(ids, 7), number_of_id(ids, 8), number_of_id(ids, 70))
    assert (70, 80) == (number_at(ids, 0), number_at(ids, 16))
    assert number_of_id(b"", 7) is None


def test_what_looks_like_an_id_across_two_others_is_none() -> None:
    """The end of one and the beginning of the next may be the bytes of a third, which may stand behind them."""
    ids = packed((0, 1), (1 << 8, 2))
    assert number_of_id(ids, 1 << 32) is None
    across = int.from_bytes(ids[12:20], "big")
    assert number_of_id(ids, across) is None
    assert 3 == number_of_id(ids + packed((across, 3)), across)


@given(st.dictionaries(HALVES, HALVES, max_size=40), HALVES)
def test_it_is_a_dictionary_in_the_order_of_its_making(known: dict[int, int], other: int) -> None:
    ids = packed(*known.items())
    assert [*known.items()] == [*each_id(ids)]
    for hashed in (*known, other):
        assert known.get(hashed) == number_of_id(ids, hashed)
