"""The tail of the changelogs that we own: what is looked at, and what is no longer ours to look at."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, cast

from services.evaluator.tail import ChangelogTail
from shared.log import LogRecord

RECORD = LogRecord(4, 0, b"c:u:1", b"stale")


class Changelog:
    """One that has something at 4 which is not ours, and notes up to where it was looked at."""

    def __init__(self) -> None:
        self.upto: list[int] = []

    def unread(self, _end: int) -> int:
        return 4

    def looked(self, end: int) -> None:
        self.upto.append(end)


class Reader:
    """Has ``records``; the group takes the partition away while it closes, if ``revoked``."""

    def __init__(self, *records: LogRecord, revoked: bool = False) -> None:
        self.records = records
        self.revoked = revoked
        self.tail: ChangelogTail | None = None

    async def read_all(self, _topic: str, _partition: int, _from: int) -> AsyncGenerator[list[LogRecord], None]:
        if self.records:
            yield list(self.records)
        if self.revoked and self.tail is not None:
            self.tail.follow({})


async def looked_at(reader: Reader) -> tuple[list[LogRecord], list[int]]:
    seen: list[LogRecord] = []
    changelog = Changelog()
    tail = ChangelogTail("", prefix="", reader=cast("Any", reader), observe=lambda _partition, it: seen.append(it))
    reader.tail = tail
    followed = {0: changelog}
    tail.follow(followed)
    await tail._look(followed, 0, 6)
    await tail.stop()
    return seen, changelog.upto


async def test_what_is_not_ours_is_looked_at_up_to_the_end() -> None:
    assert ([RECORD], [6]) == await looked_at(Reader(RECORD))
    assert ([], [6]) == await looked_at(Reader())  # compacted away since


async def test_a_partition_that_was_taken_away_meanwhile_is_not_moved_on() -> None:
    """Its image may be a standby's by then, or go back to be read again: it would pass over what was not read."""
    assert ([RECORD], []) == await looked_at(Reader(RECORD, revoked=True))
    assert ([], []) == await looked_at(Reader(revoked=True))
