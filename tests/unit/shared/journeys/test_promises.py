"""``in_flight`` and ``invariants``: how they are read, and what their author is told."""

from __future__ import annotations

import pytest

from shared.clock import DAY, HOUR
from shared.journeys.promises import InFlight, MaxDuration, MaxSends, Migration, MinGap, NoSendAfter
from tests.unit.shared.journeys.literals import VALID, changed, faults, parsed

INVARIANTS = "max_sends, min_gap, no_send_after, max_duration"


def written(line: str) -> str:
    """Return the valid journey, in its version 3, with ``line`` as line 5."""
    return changed("entry: {priority: 10}", line, VALID.replace("version: 1", "version: 3"))


def test_a_journey_that_says_nothing_pins_its_runs_and_promises_nothing() -> None:
    journey = parsed(VALID)
    assert InFlight(default="pin", migrate=()) == journey.in_flight
    assert () == journey.invariants


def test_in_flight_maps_steps_of_older_versions() -> None:
    text = "in_flight: {default: exit, migrate: [{from: 2, map: {pause: rest}, timers: recompute}, {from: 1}]}"
    assert (
        InFlight(
            default="exit",
            migrate=(
                Migration(source=2, map={"pause": "rest"}, timers="recompute"),
                Migration(source=1, map={}, timers="keep"),
            ),
        )
        == parsed(written(text)).in_flight
    )


def test_invariants_are_a_list_of_one_word_each() -> None:
    text = "invariants: [{max_sends: 2}, {min_gap: 20h}, {no_send_after: Order Completed}, {max_duration: 10d}]"
    assert (MaxSends(2), MinGap(20 * HOUR), NoSendAfter("Order Completed"), MaxDuration(10 * DAY)) == parsed(
        written(text)
    ).invariants


def test_several_events_may_end_the_sends() -> None:
    text = "invariants: [{no_send_after: Paid}, {no_send_after: Cancelled}]"
    assert (NoSendAfter("Paid"), NoSendAfter("Cancelled")) == parsed(
        changed(
            "{for: 1d}",
            "{for: 2d}",
            written(text + "\nexit: [{reason: a, event: Paid}, {reason: b, event: Cancelled}]"),
        )
    ).invariants


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("in_flight: pin", ["expected a mapping (lines of `key: value`), not `pin`"]),
        ("in_flight: {default: stay}", ["unknown default `stay`; known: exit, migrate, pin"]),
        ("in_flight: {defualt: pin}", ["unknown key `defualt`; did you mean `default`?"]),
        ("in_flight: {migrate: {from: 2}}", ["expected a list, not a mapping"]),
        ("in_flight: {migrate: [{map: {a: rest}}]}", ["`from` is missing"]),
        ("in_flight: {migrate: [{from: two}]}", ["expected a whole number from 1 to 1000000, not `two`"]),
        ("in_flight: {migrate: [{from: 3}]}", ["runs migrate from an older version than this one (3), not 3"]),
        ("in_flight: {migrate: [{from: 2}, {from: 2}]}", ["runs of version 2 are migrated twice; write one `map`"]),
        ("in_flight: {migrate: [{from: 2, timers: drop}]}", ["unknown timers `drop`; known: keep, recompute"]),
        ("in_flight: {migrate: [{from: 2, map: {pause: resr}}]}", [
            "`pause` is mapped to an unknown step `resr`; did you mean `rest`?",
        ]),
        ("in_flight: {migrate: [{from: 2, map: {pause: }}]}", ["expected a text, but nothing is written here"]),
        ("invariants: {max_sends: 2}", ["expected a list, not a mapping"]),
        ("invariants: [{max_sends: 2, min_gap: 1h}]", [
            f"an invariant has exactly one of {INVARIANTS}; write each as an item of its own",
        ]),
        ("invariants: [{}]", [
            f"an invariant has exactly one of {INVARIANTS}; write each as an item of its own",
        ]),
        ("invariants: [max_sends]", ["expected a mapping (lines of `key: value`), not `max_sends`"]),
        ("invariants: [{max_send: 2}]", ["unknown key `max_send`; did you mean `max_sends`?"]),
        ("invariants: [{max_sends: 0}]", ["expected a whole number from 1 to 1000"]),
        ("invariants: [{min_gap: 0s}]", ["expected a duration longer than nothing"]),
        ("invariants: [{min_gap: 20}]", ["expected a duration such as 45m, 24h, 3d or 2w, not `20`"]),
        ("invariants: [{no_send_after: }]", ["expected a text, but nothing is written here"]),
        ("invariants: [{max_duration: P1M}]", [
            "`P1M` is not a duration; write a number and a unit, such as 45m, 24h, 3d or 2w",
        ]),
        ("invariants: [{max_sends: 2}, {max_sends: 3}]", ["the invariant `max_sends` is written twice; keep one"]),
    ],
)  # fmt: skip
def test_a_fault_says_what_to_do(line: str, expected: list[str]) -> None:
    assert [f"journey.yaml:5: {fault}" for fault in expected] == faults(written(line))


def test_an_unknown_step_is_shown_where_it_is_mapped() -> None:
    text = written(
        "in_flight:\n  default: pin\n  migrate:\n    - from: 2\n      map:\n        pause: rest\n        end: fin"
    )
    assert ["journey.yaml:11: `end` is mapped to an unknown step `fin`; known: end, hello, rest"] == faults(text)
