"""R14: one contact makes a fifth of the traffic."""

from __future__ import annotations

import asyncio
import time
from statistics import median

import msgspec

from shared.clock import SECOND, system_clock
from shared.messages import codec
from shared.messages.event import Event
from shared.messages.topics import EVENTS, JOURNAL
from tests.faults.recovery import percentile
from tests.faults.result import Result
from tests.faults.setting import Setting
from tests.faults.workload import Crowd
from tests.faults.world import World, world

_RATE = 500
_HOT_SHARE = 0.2
_CHUNK = 10
_WINDOW = 4
"""Seconds. One window alone says little: its p99 are its worst twenty events, and another process's second is in it."""


async def r14(setting: Setting) -> Result:
    """The same rate in turns without and with the hot contact; the others' time from log to decision is compared.

    The first pair of windows warms up.
    """
    pairs = 1 + setting.pick(5, 30)
    async with world(setting.kafka.bootstrap, setting.random) as made:
        await made.worker("a").ready()
        crowd = Crowd(setting.random, 2_000)
        begins = []
        for number in range(2 * pairs):
            begins.append(system_clock())
            await _window(made, setting, crowd, _HOT_SHARE if number % 2 else 0.0)
        await made.at_rest()
        windows = [percentile(found, 0.99) for found in await _latencies(made, begins)]
        cool, hot = windows[2::2], windows[3::2]
        ratio = median(beside / max(1, alone) for alone, beside in zip(cool, hot, strict=True))
        result = Result(
            row="R14",
            findings=await made.judge(),
            figures={"pairs": len(cool), "p99_ms": median(cool), "p99_beside_hot_ms": median(hot), "ratio": ratio},
        )
        result.require("ratio", 2)
        return result


async def _window(made: World, setting: Setting, crowd: Crowd, share: float) -> None:
    due = time.monotonic()
    for _ in range(0, _WINDOW * _RATE, _CHUNK):
        acts = crowd.acts(_CHUNK, system_clock())
        acts = [_hot(event) if setting.random.random() < share else event for event in acts]
        await made.happen(acts)
        due += len(acts) / _RATE
        await asyncio.sleep(max(0.0, due - time.monotonic()))


def _hot(event: Event) -> Event:
    return msgspec.structs.replace(event, user_id="hot")


async def _latencies(made: World, begins: list[int]) -> list[list[int]]:
    """Return ms from an event's append to its decision, of every contact but the hot one, by the window of its append.

    A window's first second is left out: what the one before has left to do is in it.
    """
    found: list[list[int]] = [[] for _ in begins]
    for number in range(made.settings.partitions):
        appended: dict[str, int] = {}
        for record in await made.read(EVENTS, number):
            if record.offset and isinstance(event := codec.EVENTS.decode(record.value), Event):
                appended[event.message_id] = record.timestamp
        for record in await made.read(JOURNAL, number):
            if record.offset == 0:
                continue
            entry = codec.JOURNAL.decode(record.value)
            if (at := appended.get(entry.cause)) is None or entry.contact == "u:hot":
                continue
            window = sum(begin <= at for begin in begins) - 1
            if window >= 0 and at - begins[window] >= SECOND:
                found[window].append(record.timestamp - at)
    return found
