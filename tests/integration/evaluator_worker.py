"""The evaluator's own main, but it dies like a killed process at the place that its argument names.

``python -m tests.integration.evaluator_worker '{"place": "appended", "nth": 3}'``
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from services.evaluator import __main__ as evaluator
from services.evaluator.changelog.disk import DiskRows
from services.evaluator.changelog.writer import ChangelogWriter
from shared.kafka.publisher import KafkaPublisher
from shared.log import Output
from shared.messages.topics import CANCELS, EVENTS

PLACES = ("before_append", "appended", "kept", "half_published", "published", "claimed")
EXIT_CODE = 9


def _die() -> None:
    os._exit(EXIT_CODE)  # nothing is flushed, drained or said goodbye to


class Failpoint:
    """Counts how often its place is passed and ends the process at the n-th time."""

    def __init__(self, place: str, nth: int) -> None:
        self._place = place
        self._left = nth

    def reached(self, place: str) -> bool:
        """Count; True at the n-th time."""
        if place != self._place:
            return False
        self._left -= 1
        return self._left == 0


def install(failpoint: Failpoint) -> None:
    """Wrap what the evaluator writes with."""
    append: Callable[..., Awaitable[int]] = ChangelogWriter.append
    publish: Callable[..., Awaitable[None]] = KafkaPublisher.publish

    async def dying_append(self: ChangelogWriter, partition: int, records: Any, stamp: Any) -> int:
        claim = len(records) == 1 and records[0][0] == b"t"
        if not claim and failpoint.reached("before_append"):
            _die()
        offset = await append(self, partition, records, stamp)
        if failpoint.reached("claimed" if claim else "appended"):
            _die()
        return offset

    async def dying_publish(self: KafkaPublisher, outputs: Sequence[Output]) -> None:
        if len(outputs) == 1 and outputs[0].topic in (EVENTS, CANCELS):
            return await publish(self, outputs)  # ticks and marks carry nothing
        if outputs and failpoint.reached("half_published"):
            await publish(self, outputs[: len(outputs) // 2])
            _die()
        await publish(self, outputs)
        if failpoint.reached("published"):
            _die()
        return None

    keep: Callable[..., None] = DiskRows.write

    def dying_keep(self: DiskRows, changes: Any, mark: Any) -> None:
        keep(self, changes, mark)
        if b"m" in changes and failpoint.reached("kept"):
            _die()

    DiskRows.write = dying_keep  # type: ignore[method-assign]
    ChangelogWriter.append = dying_append  # type: ignore[method-assign]
    KafkaPublisher.publish = dying_publish  # type: ignore[method-assign]


if __name__ == "__main__":
    install(Failpoint(**json.loads(sys.argv[1])))
    evaluator.main()
