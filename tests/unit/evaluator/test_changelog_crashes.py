"""A partition's changelog under crashes and retries between any two steps: no output lost, none conflicting."""

from __future__ import annotations

import pytest

from shared.log import LogUnavailableError
from tests.fakes import MemoryChangelog
from tests.unit.evaluator.changelog_workers import (
    CrashError,
    Topics,
    Worker,
    check_outputs,
    check_rows,
    crash_at,
    crashed,
    opened,
)

pytestmark = pytest.mark.usefixtures("no_rest")


async def test_a_crash_between_any_two_steps_loses_nothing() -> None:
    """Of restoring, claiming, sending again, saving and publishing; the next owner may crash in its turn."""
    number = 0
    while True:
        log, topics = MemoryChangelog(), Topics()
        if not await crashed(Worker("a", log, topics, crash_at(number, CrashError()))):
            break
        for second in range(8):
            copied, outputs = MemoryChangelog(), Topics()
            copied.records += log.records
            outputs.outputs += topics.outputs
            await crashed(Worker("b", copied, outputs, crash_at(second, CrashError())))
            last = Worker("c", copied, outputs)
            await last.run()
            check_outputs(outputs)
            check_rows(await opened(copied, outputs, "d"))
        number += 1
    assert number > 30


async def test_a_log_that_does_not_answer_once_at_any_step_loses_nothing() -> None:
    """What was to be written may be there or not: it is written again."""
    for number in range(40):
        log, topics = MemoryChangelog(), Topics()
        step = crash_at(number, LogUnavailableError())
        worker = Worker("a", log, topics, step)
        if await crashed(worker):
            # Only opening gives up; its caller opens again.
            assert worker.changelog is None
            await Worker("b", log, topics, step).run()
        check_outputs(topics)
        check_rows(await opened(log, topics, "c"))
