"""Zones come from tzdata's own list, and whatever else a trait holds is the fallback."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import DAY, from_iso
from shared.walltime.zones import EARLIEST, LATEST, load_zone, local, next_jump, wall, zone
from tests.unit.shared.walltime.literals import NEW_YORK, TOKYO, face, moments


def test_a_known_zone_is_itself() -> None:
    assert (TOKYO, False) == zone("Asia/Tokyo", NEW_YORK)
    assert "Asia/Tokyo" == TOKYO.key


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "Asia/Tokio", "asia/tokyo", "JST", "+09:00", "Factory", "localtime", "Asia", "zones", "tzdata.zi"),
        *("../../etc/passwd", "/etc/localtime", "Asia/../Asia/Tokyo", "Asia/Tokyo\0", "Asia/Tokyo/", "./Asia/Tokyo"),
        *(None, 9, 9.0, True, [], {}, ["Asia/Tokyo"], b"Asia/Tokyo", "A" * 1_000_000, "\ud800", "Asia\\Tokyo"),
    ],
)
def test_an_invalid_time_zone_in_a_trait_is_the_fallback_and_says_so(name: object) -> None:
    """Section 12: an invalid time zone in a trait; whoever asks counts it, the contact is never dropped."""
    assert (NEW_YORK, True) == zone(name, NEW_YORK)
    with pytest.raises(ValueError, match="is not a time zone"):
        load_zone(name)


@given(st.text() | st.binary() | st.none() | st.floats() | st.lists(st.text()))
def test_no_trait_raises(name: object) -> None:
    found, fell_back = zone(name, TOKYO)
    assert fell_back == (found is TOKYO)


def test_a_slip_of_the_hand_is_put_right() -> None:
    with pytest.raises(ValueError, match=r"^'Asia/Tokio' is not a time zone; did you mean Asia/Tokyo\?$"):
        load_zone("Asia/Tokio")


def test_the_zone_does_not_depend_on_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay on a machine with older zone data decides the same."""
    monkeypatch.setattr("zoneinfo._tzpath.TZPATH", ("/nowhere",))
    assert "Europe/Vilnius" == load_zone("Europe/Vilnius").key


def test_a_time_beyond_the_calendar_is_refused() -> None:
    for at in (EARLIEST - 1, LATEST, 10**30):
        with pytest.raises(ValueError, match="between the years 2 and 9989"):
            local(at, TOKYO)
    assert 2 == local(EARLIEST, TOKYO).year
    assert 9990 == local(LATEST - 1, TOKYO).year


@given(moments())
def test_clocks_show_what_python_says(case: tuple[int, ZoneInfo]) -> None:
    at, where = case
    assert face(at, where) == local(at, where)
    assert face(at, where).replace(tzinfo=None, fold=0) == wall(at, where)
    assert 0 == wall(at, where).fold


def test_a_jump_is_found_to_the_millisecond() -> None:
    spring, autumn = from_iso("2026-03-08T07:00:00Z"), from_iso("2026-11-01T06:00:00Z")
    assert spring == next_jump(spring - 3 * DAY, spring, NEW_YORK)
    assert spring == next_jump(spring - 1, spring + 300 * DAY, NEW_YORK)
    assert autumn == next_jump(spring, autumn + DAY, NEW_YORK)
    assert next_jump(spring - DAY, spring - 1, NEW_YORK) is None
    assert next_jump(spring, spring, NEW_YORK) is None
    assert next_jump(spring, spring + 3650 * DAY, TOKYO) is None
