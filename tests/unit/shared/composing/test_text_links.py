"""Addresses in a plain text: where they end, and that nothing beside them changes."""

from __future__ import annotations

import pytest

from shared.composing.text_links import replace_in_text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("See https://a.example/x?y=1&z=2#top now", ["https://a.example/x?y=1&z=2#top"]),
        ("(https://a.example). https://b.example/、次", ["https://a.example", "https://b.example/"]),
        ("<https://a.example/>, 'http://b.example'", ["https://a.example/", "http://b.example"]),
        ("「https://a.example/x」をhttps://b.example/。次", ["https://a.example/x", "https://b.example/"]),
        ("ftp://a.example mailto:a@b.example a.example", []),
    ],
)
def test_an_address_ends_before_what_ends_a_sentence(text: str, found: list[str]) -> None:
    asked: list[str] = []
    assert text == replace_in_text(text, asked.append)
    assert found == asked


def test_what_is_replaced_leaves_the_rest_as_it_is() -> None:
    text = "See https://a.example/1, https://b.example/2!\r\n"
    after = "See [1], https://b.example/2!\r\n"
    assert after == replace_in_text(text, lambda url: "[1]" if "a.example" in url else None)
