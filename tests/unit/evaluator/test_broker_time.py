"""A worker whose clock is wrong still knows when a tick is worth writing."""

from __future__ import annotations

from services.evaluator.broker_time import BrokerTime
from shared.clock import HOUR, SECOND
from tests.builders import at


class _Clocks:
    def __init__(self, machine: int) -> None:
        self.machine = machine
        self.pace = 5_000
        self.time = BrokerTime(lambda: self.machine, lambda: self.pace)

    def passes(self, milliseconds: int) -> None:
        self.machine += milliseconds
        self.pace += milliseconds


def test_before_anything_was_read_it_is_the_machines() -> None:
    assert at("09:00") == _Clocks(at("09:00")).time.now()


def test_a_machine_that_is_behind_goes_by_the_log_and_by_what_has_passed_since() -> None:
    clocks = _Clocks(at("09:00") - HOUR)
    clocks.time.observe(at("09:00"))
    clocks.passes(30 * SECOND)
    assert at("09:00:30") == clocks.time.now()


def test_an_old_record_does_not_turn_the_clock_back() -> None:
    """Read in a backlog, say: when it was read tells nothing of when it was appended."""
    clocks = _Clocks(at("09:00"))
    clocks.time.observe(at("03:00"))
    clocks.passes(1 * SECOND)
    assert at("09:00:01") == clocks.time.now()


def test_it_follows_a_broker_whose_clock_was_put_back() -> None:
    clocks = _Clocks(at("09:00"))
    clocks.time.observe(at("10:00"))
    clocks.time.observe(at("09:00"))
    clocks.passes(1 * SECOND)
    assert at("09:00:01") == clocks.time.now()
