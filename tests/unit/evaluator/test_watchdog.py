"""The watchdog: work that is not done ends the process; rest, progress and a broker that is away do not."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence

import pytest

from services.evaluator.watchdog import CountingReader, StalledError, Stalls, Watchdog, Work
from shared.log import LogUnavailableError, Output
from shared.messages.topics import EVENTS
from tests.fakes import FakeClock, MemoryLog

SECOND = 1_000


def looks(limit: int, *seen: Work) -> list[str | None]:
    """Return what is found at looks a second apart."""
    stalls = Stalls(limit)
    return [stalls.look(work, SECOND) for work in seen]


def test_work_that_stands_still_for_the_limit_is_named_with_its_place() -> None:
    assert [None, None, "partition 3 (epoch 7)"] == looks(2 * SECOND, *[{"partition 3": "epoch 7"}] * 3)


def test_progress_begins_anew() -> None:
    marks = ["epoch 7", "epoch 7", "epoch 8", "epoch 8"]
    assert [None] * 4 == looks(2 * SECOND, *[{"partition 3": mark} for mark in marks])


def test_rest_begins_anew() -> None:
    """An epoch number that has not changed for hours is no fault of who had nothing to do."""
    work = {"partition 3": "epoch 7"}
    assert [None] * 6 == looks(2 * SECOND, work, work, {}, work, work, {})


def test_one_partition_that_stands_is_found_among_others_that_move() -> None:
    seen = [{"partition 1": f"epoch {number}", "partition 2": "epoch 1"} for number in range(3)]
    assert [None, None, "partition 2 (epoch 1)"] == looks(2 * SECOND, *seen)


class Ended(Exception):  # noqa: N818 - stands for the end of the process
    pass


async def ends(answers: Sequence[Work | Exception], *, step: int = 100) -> list[BaseException]:
    """Let a watchdog of a second look at ``answers`` and return why it ended the process, if it did.

    ``step`` ms pass by the clock from one look to the next.
    """
    clock, left, reasons = FakeClock(), list(answers), list[BaseException]()
    over = asyncio.Event()

    async def work() -> Work:
        clock.advance(step)
        answer = left.pop(0) if left else Ended()
        if isinstance(answer, Ended):
            over.set()
            await asyncio.Event().wait()
        if isinstance(answer, Exception):
            raise answer
        return answer

    watchdog = asyncio.create_task(Watchdog(1, work, end=reasons.append, clock=clock).run())
    await over.wait()
    watchdog.cancel()
    await asyncio.gather(watchdog, return_exceptions=True)
    return reasons


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    sleep = asyncio.sleep
    monkeypatch.setattr("services.evaluator.watchdog.asyncio.sleep", lambda _: sleep(0))


WORK = {"partition 3": "epoch 7"}


async def test_it_ends_the_process_and_says_what_to_do() -> None:
    [reason] = await ends([WORK] * 11)
    assert isinstance(reason, StalledError)
    assert str(reason).startswith("partition 3 (epoch 7) has had work to do for 1 s and none of it was done")
    assert "KIKKAKE_WATCHDOG_TIMEOUT" in str(reason)


async def test_no_time_counts_while_no_broker_answers() -> None:
    assert [] == await ends([WORK] * 9 + [LogUnavailableError()] + [WORK] * 9)


async def test_a_process_that_was_paused_had_no_time_to_do_anything_in() -> None:
    """SIGSTOP for an hour, then SIGCONT: what it is to do then is for its lease to say."""
    assert [] == await ends([WORK] * 5, step=3_600_000)


async def test_a_look_that_gets_no_answer_ends_and_others_follow() -> None:
    clock, reasons, over = FakeClock(), list[BaseException](), asyncio.Event()
    looks = 0

    async def work() -> Work:
        nonlocal looks
        looks += 1
        clock.advance(5)
        if looks == 1:
            await asyncio.Event().wait()
        return WORK

    def end(reason: BaseException) -> None:
        reasons.append(reason)
        over.set()

    watchdog = asyncio.create_task(Watchdog(0.05, work, end=end, clock=clock).run())
    async with asyncio.timeout(10):
        await over.wait()
    watchdog.cancel()
    await asyncio.gather(watchdog, return_exceptions=True)
    assert isinstance(reasons[0], StalledError)


async def test_an_event_loop_that_stands_ends_the_process_too() -> None:
    reasons: list[BaseException] = []
    ended = threading.Event()

    def end(reason: BaseException) -> None:
        reasons.append(reason)
        ended.set()

    async def work() -> Work:
        return {}

    watchdog = asyncio.create_task(Watchdog(0.2, work, end=end).run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    stuck = time.monotonic() + 10
    while not ended.is_set() and time.monotonic() < stuck:
        pass
    watchdog.cancel()
    await asyncio.gather(watchdog, return_exceptions=True)
    assert ["the event loop"] == [str(reason)[:14] for reason in reasons]


async def test_a_restore_that_moves_on_is_counted() -> None:
    log = MemoryLog()
    await log.publish([Output(EVENTS, b"k", b"v")] * 3)
    reader = CountingReader(log)
    assert 3 == sum([len(batch) async for batch in reader.read_all(EVENTS, 0)])
    assert (3, 3, 1) == (reader.records, await reader.end(EVENTS, 0), len(await reader.read(EVENTS, 0, 1, 1)))
