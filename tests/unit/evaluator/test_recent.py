"""The last events of a contact, packed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.evaluator.core.recent import RECENT_AT_MOST, Recent, events_of, recent_of, with_event


def test_an_event_takes_nine_bytes_and_its_name_stands_once() -> None:
    recent = recent_of([("Browsed", 10), ("Bought", 20), ("Browsed", 30)])
    assert (("Browsed", "Bought"), 27) == (recent.names, len(recent.packed))
    assert [("Browsed", 10), ("Bought", 20), ("Browsed", 30)] == [*events_of(recent)]


def test_a_name_that_no_event_has_any_more_gives_its_place_to_the_next() -> None:
    recent = recent_of([("First", 0), *(("Browsed", number) for number in range(1, RECENT_AT_MOST))])
    assert ("First", "Browsed") == recent.names
    assert ("First", "Browsed") == with_event(recent, "Browsed", 20).names
    assert ("Bought", "Browsed") == with_event(recent, "Bought", 20).names


def test_a_time_before_1970_is_one() -> None:
    assert [("Born", -(10**12))] == [*events_of(with_event(Recent(), "Born", -(10**12)))]


@given(st.lists(st.tuples(st.sampled_from([*"abcdefghijklmnopqrstuvwxyz"]), st.integers(-(2**63), 2**63 - 1))))
def test_the_last_events_are_kept_and_no_more_names_than_events(events: list[tuple[str, int]]) -> None:
    recent = recent_of(events)
    assert events[-RECENT_AT_MOST:] == [*events_of(recent)]
    assert len(recent.names) <= RECENT_AT_MOST
