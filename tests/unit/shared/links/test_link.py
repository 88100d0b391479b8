"""What a link carries comes back as it was, from the address that it has below the host's."""

from __future__ import annotations

import msgspec

from shared.links.link import CLICK, Link, link_of, url_of
from shared.links.seals import Seals

SEALS = Seals(["s" * 32])
LINK = Link(
    contact="u:aki@shop.example",
    command_id="6a1f1f0e-8f0c-5b7e-8e0a-1c2d3e4f5a6b",
    journey="cart",
    version=2,
    step="remind",
    channel="email",
    at=1_772_445_600_000,
    target="https://shop.example/cart?a=1&b=2",
)
HOST = "https://mail.shop.example"


def test_what_it_carries_comes_back() -> None:
    url = url_of(SEALS, HOST, "click", LINK)
    start = f"{HOST}{CLICK}"
    assert url.startswith(start)
    assert LINK == link_of(SEALS, "click", url.removeprefix(start))


def test_the_address_tells_nothing_of_the_contact() -> None:
    url = url_of(SEALS, HOST, "click", LINK)
    assert not [told for told in ("aki", "cart", "6a1f1f0e") if told in url.removeprefix(HOST)]


def test_a_click_is_no_unsubscription() -> None:
    token = url_of(SEALS, HOST, "click", LINK).rpartition("/")[2]
    assert link_of(SEALS, "unsubscribe", token) is None


def test_what_was_sealed_as_something_else_is_none() -> None:
    assert link_of(SEALS, "click", SEALS.seal("click", b"hello")) is None
    assert link_of(SEALS, "click", SEALS.seal("click", msgspec.msgpack.encode(["u:c1"]))) is None
