"""Until when a wait lasts: local times, calendar spans, dates of the contact. One rule each."""

from __future__ import annotations

import msgspec
import pytest

from shared.clock import MINUTE
from shared.messages.event import Event
from tests.builders import an_event, at, consented, identified
from tests.oracle import Verdict
from tests.unit.evaluator.playing import GO, happens, iso, journey, sends, told

LAST = at("00:00", day=4_000)


def waited(wait: str, *messages: Event, zone: str | None = None, **traits: object) -> Verdict:
    known = (identified(at("08:00", day=-900), email="a@example.jp", **traits),)
    trip = journey(f"- {{id: rest, wait: {wait}}}\n- {{id: last, MAIL}}")
    return happens(trip, *(messages or (GO,)), until=LAST, known=known, zone=zone)


def left(wait: str, asked: str, *, zone: str | None = None, **traits: object) -> int:
    """Return when a contact that begins to wait at ``asked`` goes on."""
    [(_, when)] = sends(waited(wait, an_event("Go", iso(asked)), zone=zone, **traits))
    return when


@pytest.mark.parametrize(
    ("asked", "until", "expected"),
    [
        # Sunday evening in London is Monday morning in Tokyo, and not yet 8.
        ("2026-03-01T20:00:00Z", "{time: '08:00', days: [mon]}", "2026-03-02T08:00:00+09:00"),
        ("2026-03-01T23:00:00Z", "{time: '08:00', days: [mon]}", "2026-03-02T08:00:00+09:00"),
        ("2026-03-01T23:00:01Z", "{time: '08:00', days: [mon]}", "2026-03-09T08:00:00+09:00"),
        ("2026-03-01T20:00:00Z", "{time: '08:00', days: [mon], timezone: workspace}", "2026-03-02T08:00:00Z"),
        ("2026-03-01T20:00:00Z", "{time: '08:00', timezone: America/New_York}", "2026-03-02T08:00:00-05:00"),
        ("2026-03-02T00:00:00Z", "{time: '10:00'}", "2026-03-02T10:00:00+09:00"),
        ("2026-03-02T00:00:00Z", "{time: '10:00', latest: 30m}", "2026-03-02T00:30:00Z"),
        ("2026-03-02T00:00:00Z", "{time: '10:00', latest: 24h}", "2026-03-02T10:00:00+09:00"),
        ("2026-03-02T00:00:00Z", "{date: 2026-12-24, time: '18:00'}", "2026-12-24T18:00:00+09:00"),
        ("2026-03-02T00:00:00Z", "{date: 2026-12-24}", "2026-12-24T00:00:00+09:00"),
    ],
)
def test_a_local_time_is_by_the_contacts_clock(asked: str, until: str, expected: str) -> None:
    assert iso(expected) == left(f"{{until: {until}}}", asked, timezone="Asia/Tokyo")


def test_nine_in_the_morning_stays_nine_when_the_clock_jumps() -> None:
    """New York springs forward on Sunday 8 March 2026."""
    until = "{until: {time: '09:00', days: [sun]}}"
    found = left(until, "2026-03-07T12:00:00Z", timezone="America/New_York")
    assert iso("2026-03-08T09:00:00-04:00") == found


def test_a_time_that_the_clock_leaves_out_is_the_first_moment_after_it() -> None:
    found = left("{until: {time: '02:30'}}", "2026-03-08T05:00:00Z", timezone="America/New_York")
    assert iso("2026-03-08T03:00:00-04:00") == found


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", 9, None])
def test_a_contact_without_a_valid_zone_has_the_workspaces(zone: object) -> None:
    found = left("{until: {time: '08:00'}}", "2026-03-01T20:00:00Z", zone="Asia/Tokyo", timezone=zone)
    assert iso("2026-03-02T08:00:00+09:00") == found


@pytest.mark.parametrize(
    ("asked", "span", "expected"),
    [
        ("2026-01-31T10:00:00Z", "P1M", "2026-02-28T10:00:00Z"),
        ("2028-01-31T10:00:00Z", "P1M", "2028-02-29T10:00:00Z"),
        ("2028-02-29T10:00:00Z", "P1Y", "2029-02-28T10:00:00Z"),
        ("2026-01-15T10:00:00Z", "P2W", "2026-01-29T10:00:00Z"),
        ("2026-03-01T10:00:00Z", "P1M10D", "2026-04-11T10:00:00Z"),
    ],
)
def test_a_calendar_span_ends_on_the_same_day_or_the_months_last(asked: str, span: str, expected: str) -> None:
    assert iso(expected) == left(f"{{for: {span}}}", asked)


def test_a_calendar_span_keeps_the_local_time_and_a_duration_its_length() -> None:
    """A night in New York over the change of the clock: a day later by the clock is 23 hours."""
    asked = "2026-03-07T22:00:00-05:00"
    assert iso("2026-03-08T22:00:00-04:00") == left("{for: P1D}", asked, timezone="America/New_York")
    assert iso("2026-03-08T23:00:00-04:00") == left("{for: 24h}", asked, timezone="America/New_York")


def test_three_years_end_to_the_second() -> None:
    assert iso("2029-03-02T10:00:00Z") == left("{for: P3Y}", "2026-03-02T10:00:00Z")
    assert at("10:00", day=1095) == left("{for: 1095d}", "2026-03-02T10:00:00Z")


@pytest.mark.parametrize(
    ("until", "birthday", "expected"),
    [
        ("{property: contact.birthday, match: anniversary, time: '09:00'}", "1990-05-17", "2026-05-17T09:00:00+09:00"),
        ("{property: contact.birthday, match: anniversary, time: '09:00'}", "1990-01-17", "2027-01-17T09:00:00+09:00"),
        ("{property: contact.birthday, match: anniversary, offset: -10d}", "1990-05-17", "2026-05-07T00:00:00+09:00"),
        ("{property: contact.birthday, match: anniversary, offset: 0d}", "1992-02-29", "2027-02-28T00:00:00+09:00"),
        ("{property: contact.birthday, offset: +3d}", "2026-05-17", "2026-05-20T00:00:00+09:00"),
        ("{property: contact.birthday, match: exact}", "2026-05-17T22:00:00Z", "2026-05-18T00:00:00+09:00"),
        # The local day itself: it has begun, and 09:00 is still to come.
        ("{property: contact.birthday, match: anniversary, time: '23:00'}", "1990-03-02", "2026-03-02T23:00:00+09:00"),
    ],
)
def test_a_date_of_the_contact(until: str, birthday: str, expected: str) -> None:
    """Asked on Monday 2 March 2026 at 10:00 UTC, 19:00 in Tokyo."""
    found = left(f"{{until: {until}}}", "2026-03-02T10:00:00Z", timezone="Asia/Tokyo", birthday=birthday)
    assert iso(expected) == found


@pytest.mark.parametrize(
    ("until", "ends"),
    [
        ("{date: 2026-03-01}", "1990-01-01"),
        ("{property: contact.ends}", "2026-03-01"),
        ("{property: contact.ends, offset: -10d}", "2026-03-11"),
        ("{property: contact.ends, match: anniversary}", "soon"),
        ("{property: contact.nothing}", "2027-01-01"),
    ],
)
def test_a_date_that_is_over_or_none_is_passed_by_or_ends_the_run(until: str, ends: str) -> None:
    """``past: continue`` is the default. Nobody is stuck."""
    assert [("last", at("10:00"))] == sends(waited(f"{{until: {until}}}", ends=ends))
    over = waited(f"{{until: {until}, past: exit}}", ends=ends)
    assert [("entered", None, at("10:00")), ("exited", "past", at("10:00"))] == told(over)


def test_a_moment_that_is_now_is_not_past() -> None:
    assert [("last", at("10:00"))] == sends(waited("{until: {date: 2026-03-02, time: '10:00'}, past: exit}"))
    assert [("last", at("10:00"))] == sends(waited("{until: {time: '10:00'}}"))


def test_jitter_is_within_its_span_and_each_contacts_own() -> None:
    """And the same in every replay."""
    trip = journey("- {id: rest, wait: {for: 1h, jitter: 30m}}\n- {id: last, MAIL}")

    def ends() -> list[int]:
        found = []
        for number in range(200):
            known = (msgspec.structs.replace(identified(at("08:00"), email="a@example.jp"), user_id=f"{number}"),)
            verdict = happens(trip, GO, until=at("12:00"), known=known, contact=f"u:{number}")
            found += [when for _, when in sends(verdict)]
        return found

    first = ends()
    assert 200 == len(first)
    assert all(at("11:00") <= when < at("11:30") for when in first)
    assert 6 == len({(when - at("11:00")) // (5 * MINUTE) for when in first})
    assert first == ends()


def test_each_of_the_resetting_events_starts_the_wait_anew() -> None:
    trip = journey("- {id: rest, wait: {for: 1h, reset_by: [Viewed]}}\n- {id: last, MAIL}")
    views = [an_event("Viewed", at("10:30")), an_event("Viewed", at("11:10")), an_event("Other", at("11:50"))]
    assert [("last", at("12:10"))] == sends(happens(trip, GO, *views, until=at("15:00")))


def test_a_local_time_is_found_anew_from_the_resetting_event_on() -> None:
    trip = journey("- {id: rest, wait: {until: {time: '10:30'}, reset_by: [Viewed]}}\n- {id: last, MAIL}")
    before, at_it = an_event("Viewed", at("10:20")), an_event("Viewed", at("10:30:00"))
    assert [("last", at("10:30"))] == sends(happens(trip, GO, before, until=at("15:00", day=2)))
    assert [("last", at("10:30"))] == sends(happens(trip, GO, at_it, until=at("15:00", day=2)))


def test_what_the_contact_says_while_it_waits_changes_nothing() -> None:
    """The date was read when the wait began; consent and other news leave it alone."""
    verdict = waited(
        "{until: {property: contact.birthday, match: anniversary}}",
        GO,
        identified(at("11:00"), birthday="1990-12-01"),
        consented(at("12:00"), "news"),
        birthday="1990-05-17",
    )
    assert [("last", iso("2026-05-17T00:00:00Z"))] == sends(verdict)
