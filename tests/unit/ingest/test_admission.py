"""Who may send: by key, origin and rate, before anything of a request is accepted."""

from __future__ import annotations

from base64 import b64encode
from ipaddress import ip_network

import pytest

from services.ingest.admission import AddressRule, Admission, Outer
from services.ingest.errors import ForbiddenError, RateLimitedError, UnauthorizedError
from services.ingest.keys import KeyRing, Keys, Source, WriteKey
from services.ingest.origins import origins_of
from services.ingest.rates import Rate
from tests.fakes import FakeClock

NOON, LATER = 1_000_000, 2_000_000
SHOP = Source(name="shop", side="client", origins=origins_of(["https://shop.example"]))
SLOW = Source(name="slow", rate=Rate(per_second=1, burst=2))


def an_admission(**addresses: object) -> tuple[Admission, FakeClock]:
    keys = {
        "shop": WriteKey(source=SHOP),
        "slow": WriteKey(source=SLOW),
        "slow2": WriteKey(source=SLOW),
        "old": WriteKey(source=SLOW, not_after=NOON),
        "new": WriteKey(source=SLOW, not_before=LATER),
    }
    ticks = FakeClock(0)
    rule = AddressRule(**addresses)  # type: ignore[arg-type]
    return Admission(KeyRing(Keys(write_keys=keys)), rule, clock=FakeClock(NOON), ticks=ticks), ticks


def outer(key: str = "", peer: str | None = "203.0.113.7", **headers: str) -> Outer:
    sent = {"authorization": f"Basic {b64encode(f'{key}:'.encode()).decode()}"} if key else {}
    return Outer({**sent, **{name.replace("_", "-"): value for name, value in headers.items()}}, {}, peer)


def test_a_key_of_the_headers_counts_before_the_body_is_read_and_one_of_the_body_after() -> None:
    admission, _ = an_admission()
    early = admission.early(outer("shop"))
    assert early is not None
    assert "shop" == early.source.name
    assert admission.early(outer()) is None
    assert "shop" == admission.late(outer(), {"writeKey": "shop"}).source.name


def test_a_key_of_the_headers_that_does_not_count_waits_for_the_body() -> None:
    admission, _ = an_admission()
    assert admission.early(outer("old")) is None
    assert "shop" == admission.late(outer("old"), {"writeKey": "shop"}).source.name


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("", "missing_write_key"),
        ("nobodys", "invalid_write_key"),
        ("old", "write_key_expired"),
        ("new", "write_key_not_yet_valid"),
    ],
)
def test_who_has_no_key_that_counts_is_told_why(key: str, code: str) -> None:
    admission, _ = an_admission()
    with pytest.raises(UnauthorizedError) as caught:
        admission.late(outer(key), {})
    assert code == caught.value.code


def test_pages_of_other_sites_may_not_use_the_key_and_servers_have_no_origin() -> None:
    admission, _ = an_admission()
    with pytest.raises(ForbiddenError) as caught:
        admission.late(outer("shop", origin="https://other.example"), {})
    assert "origin_not_allowed" == caught.value.code
    for sent in (outer("shop", origin="https://shop.example"), outer("shop")):
        assert "shop" == admission.late(sent, {}).source.name


def test_the_keys_of_a_source_share_its_rate_and_a_batch_is_charged_when_its_size_is_known() -> None:
    admission, ticks = an_admission()
    admission.settle(admission.late(outer("slow"), {}).source, 3)
    with pytest.raises(RateLimitedError) as caught:
        admission.late(outer("slow2"), {})
    assert (2_000, 2) == (caught.value.wait, caught.value.retry_after)
    ticks.now = 2_000
    assert "slow" == admission.late(outer("slow2"), {}).source.name


def test_the_clients_address_is_the_contacts_where_a_device_sends_and_nothing_where_it_is_not_kept() -> None:
    proxied = {"trusted": [ip_network("10.0.0.0/8")], "policy": "keep"}
    admission, _ = an_admission(**proxied)
    sender = admission.late(outer("shop", "10.0.0.1", x_forwarded_for="198.51.100.7"), {})
    assert ("198.51.100.7", True) == (str(sender.client.address), sender.client.fill)
    assert not admission.late(outer("slow", "10.0.0.1"), {}).client.fill
    dropping, _ = an_admission(policy="drop")
    assert dropping.late(outer("shop"), {}).client.address is None
