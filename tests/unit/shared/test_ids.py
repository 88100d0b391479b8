"""Ids are derived: the same cause, the same id, for ever."""

from __future__ import annotations

from uuid import UUID, uuid5

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shared.ids import command_id, contact_key, derived_id, run_id, short_hash

PARTS = st.lists(st.text("ab01\x1e\x1f", max_size=4), min_size=1, max_size=4)


def test_ids_never_change() -> None:
    """A release that derives another id sends every message of a replay a second time."""
    assert "8cee4958-e83c-5874-80df-78ec622188e4" == run_id("u:u1", "cart", "", "m1")
    assert "badb2b1a-40b2-5d41-9ca1-7dff22640ded" == command_id("r1", "remind", 1)
    assert 6301647917093300529 == short_hash("u:u1")


@given(st.text())
def test_a_derived_id_is_a_uuid5(part: str) -> None:
    """Of the escaped part, by the standard library's slower way."""
    name = part.replace("\x1e", "\x1e0").replace("\x1f", "\x1e1")
    assert str(uuid5(UUID("6f1f4b0e-6d3e-5c55-9c0b-6b696b6b616b"), name)) == derived_id(part)


def test_each_part_counts() -> None:
    base = command_id("r", "s", 1, "email")
    others = {
        command_id("r2", "s", 1, "email"),
        command_id("r", "s2", 1, "email"),
        command_id("r", "s", 2, "email"),
        command_id("r", "s", 1, "sms"),
        command_id("r", "s", 1),
        run_id("r", "s", "1", "email"),
    }
    assert base not in others
    assert 6 == len(others)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PARTS, PARTS)
@example(["a\x1f", "b"], ["a", "\x1fb"])
@example(["", "", ""], ["\x1f"])
def test_different_parts_are_different_ids(one: list[str], other: list[str]) -> None:
    """Also when a part holds the character that joins them: ids come from outside."""
    assert (one == other) == (derived_id(*one) == derived_id(*other))


def test_a_contacts_key_is_namespaced() -> None:
    """An anonymousId that equals somebody's userId reaches nothing of theirs."""
    assert "u:x" == contact_key("x", "y")
    assert "a:y" == contact_key(None, "y")
    assert "a:y" == contact_key("", "y")
    assert None is contact_key(None, None)
    assert None is contact_key("", "")


def test_a_short_hash_fits_a_signed_integer() -> None:
    assert all(0 <= short_hash(str(number)) < 2**63 for number in range(1000))
