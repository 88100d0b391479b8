"""When an event happened by our clock, whatever the sender's clock says."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.ingest.errors import InvalidEventError
from services.ingest.timestamps import corrected_time, instant
from shared.clock import DAY, HOUR, to_iso

NOW = 1_772_445_600_000

times = st.integers(min_value=0, max_value=4_102_444_800_000)
"""From 1970 to 2100, in milliseconds."""
spans = st.integers(min_value=0, max_value=400 * DAY)
offsets = st.integers(min_value=-30 * DAY, max_value=30 * DAY)


@given(spans, offsets)
def test_a_clock_that_is_wrong_by_the_same_amount_in_both_changes_nothing(age: int, wrong: int) -> None:
    """receivedAt - (sentAt - timestamp): the age counts, not the clock."""
    sent = NOW + wrong
    assert NOW - age == corrected_time(to_iso(sent - age), sent_at=sent, received_at=NOW)


@given(times, st.none() | times)
def test_no_event_is_more_than_a_day_in_the_future_or_before_1970(said: int, sent_at: int | None) -> None:
    try:
        found = corrected_time(to_iso(said), sent_at=sent_at, received_at=NOW)
    except InvalidEventError:
        return
    assert 0 <= found <= NOW + 23 * HOUR


@given(times, times, st.integers(min_value=0, max_value=HOUR))
@example(23 * HOUR, 0, 1)  # the second is one millisecond too far in the future and becomes the time of receipt
def test_events_of_one_request_keep_their_order(first: int, sent: int, later: int) -> None:
    received = max(sent, first + later)

    def counted(at: int) -> int:
        """As the engine counts: nothing happens after it was received."""
        return min(received, corrected_time(to_iso(at), sent_at=sent, received_at=received))

    assert counted(first) <= counted(first + later)


@given(times)
def test_an_iso_text_and_a_number_of_milliseconds_are_the_same(at: int) -> None:
    assert at == instant(to_iso(at))
    if at >= 100_000_000_000:
        assert at == instant(at)


@given(st.integers(min_value=0, max_value=4_102_444_800))
def test_a_small_number_is_seconds(at: int) -> None:
    assert at * 1000 == instant(at) == instant(float(at))


@given(
    st.none()
    | st.booleans()
    | st.text()
    | st.lists(st.integers())
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers()
)
def test_whatever_json_says_is_a_time_or_none(said: object) -> None:
    found = instant(said)
    assert found is None or isinstance(found, int)


@pytest.mark.parametrize("said", ["2026-03-02T19:00:00+09:00", "2026-03-02T10:00:00", "2026-03-02 10:00:00Z"])
def test_a_time_without_a_zone_is_utc(said: str) -> None:
    assert NOW == instant(said)
