"""Lines of deferred commands: each waits for its time, and for room."""

from __future__ import annotations

from typing import Literal

from services.dispatcher.delivery import Line
from services.dispatcher.lanes import Lane, LaneOptions
from services.dispatcher.schedule import Schedule, Times
from shared.messages.delivery import Delivery
from tests.dispatching import NOON
from tests.fakes import RecordingProvider

NOBODY = Line((), urgent=False)


def a_row(number: int, at: int = NOON, clock: Literal["journey", "machine"] = "machine") -> Delivery:
    return Delivery(command_id=str(number), status="deferred", at=NOON, retry_at=at, clock=clock)


def a_line(width: int, *, urgent: bool = False, name: str = "email") -> Line:
    lane = Lane(RecordingProvider(name), width, name=name, options=LaneOptions(clock=lambda: NOON))
    return Line((lane,), urgent)


def ids(schedule: Schedule, now: Times, limit: int = 9) -> list[str]:
    return [command_id for _, command_id in schedule.take(now, limit)]


def test_it_has_two_clocks() -> None:
    schedule = Schedule()
    schedule.put(a_row(1, NOON + 1), NOBODY)
    schedule.put(a_row(2, NOON + 2, "journey"), NOBODY)
    schedule.put(a_row(3, NOON + 3), NOBODY)
    assert [] == ids(schedule, Times(NOON, NOON))
    assert ["1"] == ids(schedule, Times(NOON, NOON + 2))
    assert ["2", "3"] == ids(schedule, Times(NOON + 9, NOON + 9))
    assert 0 == len(schedule)


def test_of_a_line_no_more_come_than_there_is_room_for_the_oldest_first() -> None:
    schedule, narrow = Schedule(), a_line(1)
    for number in range(9):
        schedule.put(a_row(number, NOON - number), narrow)
    # One in hand and four in line.
    assert ["8", "7", "6", "5", "4"] == ids(schedule, Times(NOON, NOON))
    assert 4 == len(schedule)


def test_a_line_without_room_holds_up_no_other() -> None:
    schedule, full, other = Schedule(), a_line(1), a_line(1, name="sms")
    while full.lanes[0].enter() is not None:
        pass
    schedule.put(a_row(1), full)
    schedule.put(a_row(2), other)
    assert ["2"] == ids(schedule, Times(NOON, NOON))
    assert 1 == len(schedule)


def test_those_on_their_way_count_until_they_are_there() -> None:
    """Each partition has a schedule of its own for the one lane: together they call no more than it has room for."""
    here, there, line = Schedule(), Schedule(), a_line(1)
    for number in range(9):
        here.put(a_row(number), line)
        there.put(a_row(10 + number), line)
    called = [line.call() for _ in ids(here, Times(NOON, NOON), limit=3)]
    assert 2 == len(ids(there, Times(NOON, NOON)))
    for lane in called:
        assert lane is not None
        lane.called -= 1
    assert 5 == len(ids(there, Times(NOON, NOON)))
    assert Line((), urgent=False).call() is None


def test_the_urgent_come_first_and_each_line_has_its_share_of_a_look() -> None:
    schedule, line = Schedule(), a_line(8)
    schedule.put(a_row(1), line)
    schedule.put(a_row(2), line)
    schedule.put(a_row(3), Line(line.lanes, urgent=True))
    assert ["3", "1"] == ids(schedule, Times(NOON, NOON), limit=1)


def test_those_that_wait_for_room_are_glanced_at_in_turn_and_stay() -> None:
    schedule, full = Schedule(), a_line(1)
    while full.lanes[0].enter() is not None:
        pass
    for number in range(3):
        schedule.put(a_row(number), full)
    schedule.put(a_row(9), NOBODY)
    assert [["0", "1"], ["2"], ["0", "1"]] == [schedule.glance(2) for _ in range(3)]
    assert 4 == len(schedule)
