"""R15: rows in the changelog that this release cannot read. A damaged folder: test_evaluator_crashes.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from services.evaluator.changelog.records import Stamp, contact_record_key
from services.evaluator.partitions import EXIT_FATAL
from services.evaluator.rows import ROW_VERSION
from shared.clock import system_clock
from tests.faults.result import Result
from tests.faults.setting import Setting
from tests.faults.workers import Worker
from tests.faults.workload import Crowd
from tests.faults.world import World, world
from tests.unfenced import append_unfenced

_HEAD = 13
_SPOILT: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "version": (lambda row: row[: _HEAD - 1] + bytes([ROW_VERSION + 1]) + row[_HEAD:], "has schema version"),
    "cut_short": (lambda row: row[:5], "is cut short"),
    "no_row": (lambda row: row[:_HEAD] + b"\xc1" * 20, "cannot be read"),
}


async def r15(setting: Setting) -> Result:
    """A row of another version, one cut short, one of garbage: the evaluator says so and ends until it is mended."""
    async with world(setting.kafka.bootstrap, setting.random) as made:
        crowd = Crowd(setting.random, 200)
        refused = 0
        missed: list[str] = []
        worker = made.worker("a")
        for name, (spoil, word) in _SPOILT.items():
            await worker.ready()
            await made.happen(crowd.acts(200, system_clock()))
            # Not at rest: its timers are pending, and come due while the row is spoilt.
            await asyncio.sleep(1)
            await worker.leave()
            partition, contact, row = await _someone(made)
            await _write(made, partition, contact, spoil(row))
            worker.start()
            if await _refuses(worker, word):
                refused += 1
            else:
                missed.append(f"{name}: it went on with a row that it cannot read\n{worker.tail()[-1_000:]}")
            await _write(made, partition, contact, row)
        await made.at_rest()
        result = Result(row="R15", findings=await made.judge(), figures={"spoilt": len(_SPOILT), "refused": refused})
        result.missed.extend(missed)
        return result


async def _refuses(worker: Worker, word: str) -> bool:
    """Tell whether the worker ends by itself and says why."""
    lives = len(worker.ends)
    try:
        async with asyncio.timeout(60):
            while len(worker.ends) == lives:
                await asyncio.sleep(0.05)
    except TimeoutError:
        return False
    return word in worker.tail() and {EXIT_FATAL} == {code for _, code in worker.ends[lives:]}


async def _someone(made: World) -> tuple[int, str, bytes]:
    """Return a contact that has a timer, with its partition and row."""
    await made.follow_up()
    for number, image in made.changelog.images.items():
        for contact, row in image.contacts():
            if row[:8] != b"\xff" * 8:
                return number, contact, row
    raise AssertionError("nobody waits for anything")


async def _write(made: World, partition: int, contact: str, row: bytes) -> None:
    """Overwrite the row as its present owner would."""
    await made.follow_up()
    image = made.changelog.images[partition]
    await append_unfenced(made.settings, partition, [(contact_record_key(contact), row)], Stamp(image.term, 0))
