"""Tokens: the same for the same content, and nobody else's, nobody's changed, for no other purpose."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ConfigurationError
from shared.links.seals import LONGEST_TOKEN, Purpose, Seals

SECRET, OTHER = "s" * 32, "t" * 32
SEALS = Seals([SECRET])
TOKEN = SEALS.seal("click", b"u:aki@shop.example")


def test_what_was_sealed_is_opened() -> None:
    assert b"u:aki@shop.example" == SEALS.open("click", TOKEN)


def test_the_same_content_is_the_same_token_everywhere() -> None:
    """So a message that is made again after a crash is the same message."""
    assert TOKEN == Seals([SECRET]).seal("click", b"u:aki@shop.example")


def test_nothing_of_it_can_be_read() -> None:
    assert "aki" not in TOKEN
    assert set(TOKEN) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


@pytest.mark.parametrize("purpose", [purpose for purpose in get_args(Purpose) if purpose != "click"])
def test_it_is_for_no_other_purpose(purpose: Purpose) -> None:
    assert SEALS.open(purpose, TOKEN) is None


def test_every_bit_counts() -> None:
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
    for place, was in enumerate(TOKEN):
        for letter in letters:
            if letter != was:
                assert SEALS.open("click", TOKEN[:place] + letter + TOKEN[place + 1 :]) is None


def test_one_that_was_cut_off_or_padded_is_none() -> None:
    assert not any(SEALS.open("click", TOKEN[:length]) for length in range(len(TOKEN)))
    assert not any(SEALS.open("click", TOKEN + more) for more in ("=", "A", "\n", " ", "%00"))


@given(st.one_of(st.text(max_size=200), st.from_regex(r"[A-Za-z0-9_-]{1,200}", fullmatch=True)))
def test_nothing_that_was_not_sealed_is_opened(token: str) -> None:
    assert SEALS.open("click", token) is None


def test_one_that_is_too_long_is_not_even_tried() -> None:
    long = SEALS.seal("click", b"x" * LONGEST_TOKEN)
    assert SEALS.open("click", long) is None


def test_a_secret_is_replaced_without_a_gap() -> None:
    after = Seals([OTHER, SECRET])
    assert b"u:aki@shop.example" == after.open("click", TOKEN)
    assert TOKEN != after.seal("click", b"u:aki@shop.example")
    assert Seals([OTHER]).open("click", TOKEN) is None


@pytest.mark.parametrize("secrets", [[], ["s" * 31], [SECRET, ""]])
def test_a_secret_has_to_be_one(secrets: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="KIKKAKE_LINK_SECRET"):
        Seals(secrets)
