"""Whose address is believed, and what is kept of it."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from services.ingest.client_address import AddressPolicy, ClientAddress, _parsed, client_of, kept_of, stamp

PROXIES = [ip_network("10.0.0.0/8"), ip_network("2001:db8:ffff::/48")]


def seen(peer: str | None, forwarded: str = "") -> str | None:
    return client_of(peer, {"x-forwarded-for": forwarded}, trusted=PROXIES, header="x-forwarded-for")


def test_without_a_proxy_it_is_the_other_end() -> None:
    assert "198.51.100.7" == seen("198.51.100.7")


def test_a_stranger_is_not_believed() -> None:
    """Anyone can write the header: only a trusted proxy is asked."""
    assert "198.51.100.7" == seen("198.51.100.7", "203.0.113.9")


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, 10.1.1.1", "203.0.113.9"),
        ("1.1.1.1, 203.0.113.9", "203.0.113.9"),
        ("1.1.1.1,203.0.113.9 ,10.1.1.1,10.2.2.2", "203.0.113.9"),
        ("10.3.3.3, 10.1.1.1", "10.3.3.3"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("", "10.0.0.1"),
    ],
)
def test_the_nearest_that_is_no_proxy(forwarded: str, client: str) -> None:
    """From right to left: what stands left of the first stranger, the stranger may have written."""
    assert client == seen("10.0.0.1", forwarded)


@pytest.mark.parametrize("forwarded", ["unknown", "1.1.1.1, _hidden", "203.0.113.9, 999.1.1.1"])
def test_what_is_no_address_says_nothing_and_neither_does_what_is_left_of_it(forwarded: str) -> None:
    assert seen("10.0.0.1", forwarded) is None


def test_no_address_at_the_other_end() -> None:
    assert seen(None) is None
    assert seen("testclient") is None


def test_an_ipv4_address_on_an_ipv6_socket() -> None:
    assert "203.0.113.9" == seen("::ffff:10.0.0.1", "203.0.113.9")


@pytest.mark.parametrize(
    "value",
    [
        "for=203.0.113.9",
        'for="203.0.113.9:4711";proto=https',
        "For=1.1.1.1, by=10.0.0.1;for=203.0.113.9, for=10.1.1.1",
    ],
)
def test_the_header_of_rfc_7239(value: str) -> None:
    found = client_of("10.0.0.1", {"forwarded": value}, trusted=PROXIES, header="forwarded")
    assert "203.0.113.9" == found


def test_the_rfcs_ipv6_form() -> None:
    value = 'for="[2001:db8:cafe::17]:4711"'
    assert "2001:db8:cafe::17" == client_of("10.0.0.1", {"forwarded": value}, trusted=PROXIES, header="forwarded")


def test_an_element_without_for_names_nobody() -> None:
    value = "for=203.0.113.9, proto=http"
    assert client_of("10.0.0.1", {"forwarded": value}, trusted=PROXIES, header="forwarded") is None


def test_the_header_that_was_not_chosen_is_not_read() -> None:
    """A proxy that writes one of the two passes the other on as a stranger sent it."""
    headers = {"forwarded": "for=1.1.1.1", "x-forwarded-for": "203.0.113.9"}
    assert "203.0.113.9" == client_of("10.0.0.1", headers, trusted=PROXIES, header="x-forwarded-for")


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        ("keep", ["203.0.113.199", "2001:db8:1:2:3::4", None, None]),
        ("truncate", ["203.0.113.0", "2001:db8:1::", None, None]),
        ("drop", [None, None, None, None]),
    ],
)
def test_what_is_kept(policy: AddressPolicy, kept: list[str | None]) -> None:
    said: list[object] = ["203.0.113.199", "2001:db8:1:2:3::4", "aki", 7]
    assert kept == [kept_of(one, policy) for one in said]


def test_what_is_too_long_for_an_address_is_not_kept_in_memory() -> None:
    """Anybody can send thousands of them, of 16 kB each."""
    known = _parsed.cache_info().currsize
    assert kept_of("1" * 16_000, "keep") is None
    assert known == _parsed.cache_info().currsize


@pytest.mark.parametrize(
    ("client", "said", "context"),
    [
        (ClientAddress(address="203.0.113.9", fill=True), {}, {"ip": "203.0.113.0"}),
        (ClientAddress(address="203.0.113.9"), {}, {}),
        (ClientAddress(address="203.0.113.9"), {"direct": True}, {"direct": True, "ip": "203.0.113.0"}),
        (ClientAddress(address="203.0.113.9"), {"direct": "yes"}, {"direct": "yes"}),
        (ClientAddress(address="203.0.113.9", fill=True), {"ip": "198.51.100.7"}, {"ip": "198.51.100.0"}),
        (ClientAddress(address="203.0.113.9", fill=True, policy="keep"), {}, {"ip": "203.0.113.9"}),
        (ClientAddress(fill=True), {"ip": "198.51.100.7"}, {"ip": "198.51.100.0"}),
        (ClientAddress(policy="drop"), {"ip": "198.51.100.7", "a": 1}, {"a": 1}),
        (ClientAddress(), {"ip": "nobody"}, {}),
    ],
)
def test_the_context_of_an_event(client: ClientAddress, said: dict[str, Any], context: dict[str, Any]) -> None:
    """A server's address is nobody's; what the event says itself counts more, and is kept by the same policy."""
    stamp(said, client)
    assert context == said
