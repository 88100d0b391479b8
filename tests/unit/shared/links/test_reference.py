"""References: short enough for a mail's envelope sender, and read back as the same contact."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.journeys.conditions import CHANNELS as LANGUAGE_CHANNELS
from shared.links.reference import CHANNELS, Reference, reference_of, resolve
from shared.links.seals import Seals

SEALS = Seals(["s" * 32])
COMMAND = "6a1f1f0e-8f0c-5b7e-8e0a-1c2d3e4f5a6b"
ROOM = 62
"""Of the 64 characters of a local part, without ``b+``."""


def of(contact: str) -> str:
    return reference_of(SEALS, contact, COMMAND, "email", 0xFFFF_FFFF)


@pytest.mark.parametrize(
    "name",
    [
        "u1",
        "1234567890",
        "customer-00012345",
        "507f1f77bcf86cd799439011",
        "0d9d2b5c-3a4e-5f1b-9a56-6e0a2f6c1f11",
        "ABCDEF0123456789A",
        "0d9d2b5c3a4e5f1b9a566e0a2f6c1f11",
    ],
)
def test_the_usual_ids_fit_into_an_envelope_sender(name: str) -> None:
    for kind in ("u", "a"):
        reference = of(f"{kind}:{name}")
        assert ROOM >= len(reference)
        assert Reference(f"{kind}:{name}", "6a1f1f0e-8f0c-5b7e", "email", 0xFFFF_FFFF) == resolve(SEALS, reference)


def test_a_long_id_is_a_long_reference() -> None:
    assert len(of("u:somebody.with.a.long.name@shop.example")) > ROOM


@given(st.text(min_size=1, max_size=200), st.sampled_from(CHANNELS), st.integers(0, 2**32 - 1))
def test_every_contact_comes_back(name: str, channel: str, tag: int) -> None:
    reference = reference_of(SEALS, f"u:{name}", COMMAND, channel, tag)
    assert Reference(f"u:{name}", "6a1f1f0e-8f0c-5b7e", channel, tag) == resolve(SEALS, reference)


def test_what_was_not_made_by_us_is_none() -> None:
    assert resolve(SEALS, "x" * 60) is None
    assert resolve(Seals(["t" * 32]), of("u:u1")) is None
    for content in (b"", bytes(13), b"\x0f" + bytes(20), b"\x70" + bytes(20), b"\x10" + bytes(13), b"\x80" * 20):
        assert resolve(SEALS, SEALS.seal("reference", content or b"x")) is None


def test_every_channel_of_the_language_has_its_number() -> None:
    assert set(LANGUAGE_CHANNELS) == set(CHANNELS)
