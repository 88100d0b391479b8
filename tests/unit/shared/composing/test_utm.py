"""UTM parameters: on which links, with which words, and nothing else changed."""

from __future__ import annotations

import msgspec
import pytest

from shared.composing.utm import with_utm
from shared.messages.command import Utm
from tests.dispatching import a_command

SHOP = Utm(hosts=("shop.example",), source="kikkake")
ADDED = "utm_source=kikkake&utm_medium=email&utm_campaign=cart&utm_content=remind"


def tagged(parts: dict[str, str], utm: Utm | None = SHOP, channel: str = "email") -> dict[str, str]:
    return dict(with_utm(a_command(utm=utm), channel, parts))


@pytest.mark.parametrize(
    ("link", "after"),
    [
        ("https://shop.example", f"https://shop.example?{ADDED}"),
        ("https://shop.example/cart?id=1&b=%20+", f"https://shop.example/cart?id=1&b=%20+&{ADDED}"),
        ("https://shop.example/cart?id=1#top", f"https://shop.example/cart?id=1&{ADDED}#top"),
        ("http://SHOP.example:8080/", f"http://SHOP.example:8080/?{ADDED}"),
        ("https://www.shop.example/", "https://www.shop.example/"),
        ("https://shop.example.evil.example/", "https://shop.example.evil.example/"),
        ("https://shop.example/?utm_campaign=mine", "https://shop.example/?utm_campaign=mine"),
        ("https://[shop.example", "https://[shop.example"),
    ],
)
def test_links_to_our_hosts_say_where_a_visit_comes_from(link: str, after: str) -> None:
    assert {"text": f"See {after}"} == tagged({"text": f"See {link}"})
    assert {"url": after.replace("=email", "=push")} == tagged({"url": link}, channel="push")


def test_a_page_is_changed_in_its_links_alone() -> None:
    page = '<p>shop.example <a href="https://shop.example/?a=1&amp;b=2">x</a><!-- https://shop.example --></p>'
    link = f"https://shop.example/?a=1&amp;b=2&amp;{ADDED.replace('&', '&amp;')}"
    assert {"html": page.replace("https://shop.example/?a=1&amp;b=2", link)} == tagged({"html": page})


@pytest.mark.parametrize("after", [".", ",", ")", "!)", "。", " now", "\n", ""])
def test_what_ends_a_sentence_is_no_part_of_its_link(after: str) -> None:
    assert {"text": f"(https://shop.example/a?{ADDED}{after}"} == tagged({"text": f"(https://shop.example/a{after}"})


def test_the_words_are_the_journeys_own_where_it_says_them() -> None:
    utm = Utm(hosts=("shop.example",), source="a b", medium="mail", campaign="春", content="x&y")
    said = "utm_source=a+b&utm_medium=mail&utm_campaign=%E6%98%A5&utm_content=x%26y"
    assert {"url": f"https://shop.example?{said}"} == tagged({"url": "https://shop.example"}, utm, "push")


@pytest.mark.parametrize("changes", [{"utm": None}, {"to_staff": True}])
def test_nothing_else_is_touched(changes: dict[str, object]) -> None:
    parts = {"subject": "https://shop.example", "text": "https://shop.example"}
    assert parts == dict(with_utm(msgspec.structs.replace(a_command(utm=SHOP), **changes), "email", parts))


def test_a_text_message_pays_for_each_letter_and_has_none() -> None:
    assert {"text": "https://shop.example"} == tagged({"text": "https://shop.example"}, channel="sms")
