"""The keys file: what it says, and where it is wrong."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from msgspec import to_builtins

from services.ingest.keys import EVERY_TYPE, AdminToken, Source
from services.ingest.keys_file import _SOURCE, parse_keys, read_keys
from services.ingest.limits import HIGHEST, STANDARD, Limits
from services.ingest.origins import Origins
from services.ingest.rates import Rate
from shared.clock import from_iso
from shared.errors import ConfigurationError
from shared.journeys.faults import JourneyFaultsError
from tests.builders import lined
from tests.unit.docs.pages import first_words, table

DIGEST = hashlib.sha256(b"token").hexdigest()
FULL = f"""
schema: keys/v1
sources:
  shop_site:
    side: client
    keys:
      - {{key: wk_old, not_after: "2027-03-01T00:00:00Z"}}
      - {{key: wk_new, not_before: 2027-02-01T00:00:00Z}}
    allow: [track, page, identify]
    origins: [https://shop.example]
    rate: {{events_per_second: 0.5}}
    limits: {{event_bytes: 16384, properties: 200}}
  till: {{keys: [{{key: wk_till}}], rate: {{events_per_second: 100, burst: 7}}}}
admins:
  - {{name: crm, sha256: {DIGEST}, not_after: "2027-03-01T00:00:00Z"}}
"""


def test_all_that_it_can_say() -> None:
    keys = parse_keys("keys.yaml", FULL)
    site = Source(
        name="shop_site",
        side="client",
        allow=frozenset({"track", "page", "identify"}),
        origins=Origins(("https://shop.example",)),
        rate=Rate(per_second=0.5, burst=1),
        limits=Limits(event_bytes=16384, properties=200),
    )
    assert [site, site] == [keys.write_keys[key].source for key in ("wk_old", "wk_new")]
    march = from_iso("2027-03-01T00:00:00Z")
    assert (None, march) == (keys.write_keys["wk_old"].not_before, keys.write_keys["wk_old"].not_after)
    assert from_iso("2027-02-01T00:00:00Z") == keys.write_keys["wk_new"].not_before
    till = keys.write_keys["wk_till"].source
    assert ("server", EVERY_TYPE, None, STANDARD) == (till.side, till.allow, till.origins, till.limits)
    assert Rate(per_second=100, burst=7) == till.rate
    assert (AdminToken(name="crm", digest=hashlib.sha256(b"token").digest(), not_after=march),) == keys.admins


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("  shop: {}", "3: `keys` is missing"),
        (
            "  Shop: {keys: [{key: a}]}",
            "3: `Shop` is not a source's name; it has up to 64 small letters, digits and _",
        ),
        (
            "  key_1: {keys: [{key: a}]}",
            "3: key_1 is what the keys of KIKKAKE_WRITE_KEYS are called by; take another name",
        ),
        ("  a: {keys: [{key: wk_1}, {key: wk_1}]}", "3: this key is there already; a key has one source"),
        ("  a: {keys: [{key: b}], side: app}", "3: unknown side `app`; known: client, server"),
        ("  a: {keys: [{key: b}], allow: [tick]}", "3: unknown type of event `tick`; did you mean `track`?"),
        ("  a: {keys: [{key: b}], rate: {events_per_second: 0}}", "3: expected a number from 0.01 to 1e+06"),
        ("  a: {keys: [{key: b}], limits: {depth: 0}}", "3: expected a whole number from 1 to 200"),
        ("  a: {keys: [{key: b}], limits: {event_bytes: 2000000}}", "3: expected a whole number from 1 to 1048576"),
        ("  a: {keys: [{key: b, not_after: soon}]}", "3: `soon` is no time; write 2027-03-01T00:00:00Z"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_without_the_key(line: str, fault: str) -> None:
    with pytest.raises(JourneyFaultsError) as caught:
        parse_keys("keys.yaml", f"schema: keys/v1\nsources:\n{line}\n")
    assert [f"keys.yaml:{fault}"] == [lined(one) for one in caught.value.faults]
    assert "wk_1" not in str(caught.value)


def test_an_origin_and_a_hash_that_are_none() -> None:
    text = "schema: keys/v1\nsources: {a: {keys: [{key: b}], origins: [shop]}}\nadmins: [{name: x, sha256: token}]\n"
    with pytest.raises(JourneyFaultsError) as caught:
        parse_keys("k", text)
    assert [
        "'shop' is not an origin; write https://shop.example or https://*.shop.example",
        "sha256 is 64 digits 0 to f: printf %s TOKEN | sha256sum",
    ] == [fault.message for fault in caught.value.faults]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"KIKKAKE_KEYS_FILE names: no such file or directory$"):
        read_keys(tmp_path / "none.yaml")


def test_the_page_explains_every_word() -> None:
    named = {row[0].strip("`"): row[1:3] for row in table("docs/keys.md", "## Limits")}
    highest = to_builtins(HIGHEST)
    assert {name: [str(value), str(highest[name])] for name, value in to_builtins(STANDARD).items()} == named
    assert set(_SOURCE) == first_words("docs/keys.md", "| word | default | meaning |")
