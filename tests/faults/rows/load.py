"""R14: one contact makes a fifth of the traffic."""

from __future__ import annotations

import asyncio
import time

import msgspec

from shared.clock import system_clock
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


async def r14(setting: Setting) -> Result:
    """The same rate twice, without and with the hot contact; the others' time from log to decision is compared."""
    seconds = setting.pick(6, 120)
    async with world(setting.kafka.bootstrap, setting.random) as made:
        await made.worker("a").ready()
        crowd = Crowd(setting.random, 2_000)
        await made.feed(crowd, _RATE, at_least=2_000)
        await made.at_rest()
        begins = []
        for share in (0.0, _HOT_SHARE):
            begins.append(system_clock())
            await _phase(made, setting, crowd, share, seconds)
            await made.at_rest()
        latencies = await _latencies(made, begins[1])
        before, hot = (percentile(found, 0.99) for found in latencies)
        result = Result(
            row="R14",
            findings=await made.judge(),
            figures={"p99_ms": before, "p99_beside_hot_ms": hot, "ratio": hot / max(1, before)},
        )
        # A figure of few ms doubles by chance alone.
        result.require("p99_beside_hot_ms", max(50, 2 * before))
        return result


async def _phase(made: World, setting: Setting, crowd: Crowd, share: float, seconds: int) -> None:
    due = time.monotonic()
    for _ in range(0, seconds * _RATE, _CHUNK):
        acts = crowd.acts(_CHUNK, system_clock())
        acts = [_hot(event) if setting.random.random() < share else event for event in acts]
        await made.happen(acts)
        due += len(acts) / _RATE
        await asyncio.sleep(max(0.0, due - time.monotonic()))


def _hot(event: Event) -> Event:
    return msgspec.structs.replace(event, user_id="hot")


async def _latencies(made: World, hot_since: int) -> tuple[list[int], list[int]]:
    """Return ms from an event's append to its decision, of every contact but the hot one: before, and beside it."""
    found: tuple[list[int], list[int]] = ([], [])
    for number in range(made.settings.partitions):
        appended: dict[str, int] = {}
        for record in await made.read(EVENTS, number):
            if record.offset and isinstance(event := codec.EVENTS.decode(record.value), Event):
                appended[event.message_id] = record.timestamp
        for record in await made.read(JOURNAL, number):
            if record.offset == 0:
                continue
            entry = codec.JOURNAL.decode(record.value)
            if entry.cause in appended and entry.contact != "u:hot":
                at = appended[entry.cause]
                found[at >= hot_since].append(record.timestamp - at)
    return found
