"""What is turned away at once: too much, and everything while the log does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from services.ingest.errors import OverloadedError
from services.ingest.gate import Bounds, Gate
from shared.log import LogUnavailableError, Output
from tests.fakes import FakeClock

OUTPUT = Output(topic="events", key=b"u:1", value=b"")
BOUNDS = Bounds(in_flight_bytes=100, requests=2, patience=1_000)


class Log:
    """Answers each write when, and as, it is told to."""

    def __init__(self) -> None:
        self.writes: list[asyncio.Future[None]] = []

    async def publish(self, outputs: Sequence[Output]) -> None:
        self.writes.append(asyncio.get_running_loop().create_future())
        await self.writes[-1]


class Setting:
    """A gate before such a log."""

    def __init__(self) -> None:
        self.log, self.clock = Log(), FakeClock(0)
        self.gate = Gate(self.log, BOUNDS, self.clock)

    async def write(self) -> asyncio.Task[None]:
        """Return a write that has begun."""
        task = asyncio.create_task(self.gate.publish([OUTPUT]))
        await asyncio.sleep(0)
        return task

    async def fail(self) -> None:
        """Let a write fail."""
        task = await self.write()
        self.log.writes[-1].set_exception(LogUnavailableError())
        with pytest.raises(LogUnavailableError):
            await task


def test_requests_at_once_are_bounded() -> None:
    gate = Setting().gate
    with gate.place(), gate.place(), pytest.raises(OverloadedError):
        gate.place()
    with gate.place():
        pass


def test_bytes_at_once_are_bounded_and_given_back() -> None:
    gate = Setting().gate
    with gate.place() as first, gate.place() as second:
        first.hold(60)
        with pytest.raises(OverloadedError):
            second.hold(41)
        second.hold(40)
        assert 100 == gate.in_flight_bytes
    assert 0 == gate.in_flight_bytes


async def test_a_log_that_does_not_answer_in_time_is_not_asked_again() -> None:
    """Whoever comes then is turned away before a byte of the body is read; those that wait still get their answer."""
    made = Setting()
    waiting = await made.write()
    made.clock.now = 1_000
    made.gate.place()
    assert made.gate.is_open()
    made.clock.now = 1_001
    with pytest.raises(LogUnavailableError):
        made.gate.place()
    with pytest.raises(LogUnavailableError):
        await made.gate.publish([OUTPUT])
    assert not made.gate.is_open()
    made.log.writes[0].set_result(None)
    await waiting
    made.gate.place()
    assert made.gate.is_open()


async def test_after_a_failure_one_at_a_time_tries() -> None:
    made = Setting()
    await made.fail()
    probe = await made.write()
    with pytest.raises(LogUnavailableError):
        made.gate.place()
    with pytest.raises(LogUnavailableError):
        await made.gate.publish([OUTPUT])
    made.log.writes[-1].set_result(None)
    await probe
    both = [await made.write(), await made.write()]
    for write in made.log.writes[-2:]:
        write.set_result(None)
    await asyncio.gather(*both)


async def test_readiness_says_no_after_a_failure_and_for_so_long_that_someone_tries_again() -> None:
    """Without requests nobody would ever learn that the log is back."""
    made = Setting()
    assert made.gate.is_open()
    await made.fail()
    assert not made.gate.is_open()
    made.clock.now += 3_000
    assert not made.gate.is_open()
    made.clock.now += 1
    assert made.gate.is_open()


async def test_a_write_that_is_given_up_is_waited_for_no_more() -> None:
    made = Setting()
    task = await made.write()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    made.clock.now = 60_000
    assert made.gate.is_open()
