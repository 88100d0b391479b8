"""A partition's changelog under one owner: what is saved is restored, what is foreign is repaired."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from services.evaluator.changelog.ports import FencedError
from services.evaluator.changelog.records import CLAIM, OUTBOX, SLOTS, Stamp, contact_record_key, stamp_of
from services.evaluator.meta import decode_meta
from shared.log import LogRecord, LogRecreatedError, LogUnavailableError
from tests.fakes import MemoryChangelog
from tests.unit.evaluator.changelog_workers import Topics, Worker, an_epoch, check_outputs, check_rows, opened

pytestmark = pytest.mark.usefixtures("no_rest")


async def test_a_new_partition_is_claimed_and_empty() -> None:
    log = MemoryChangelog()
    changelog = await opened(log, Topics())
    assert ([], None, None) == (list(changelog.scan()), changelog.load_meta(), changelog.load("u:1"))
    assert [(CLAIM, 1)] == [(record.key, stamp_of(record).term) for record in log.records]


async def test_what_was_saved_is_restored() -> None:
    log, topics = MemoryChangelog(), Topics()
    changelog = await opened(log, topics)
    await changelog.save(an_epoch(1, a=b"1", b=b"1"))
    await changelog.save(an_epoch(2, a=b"2"))
    again = await opened(log, topics, "b")
    for it in (changelog, again):
        assert [("u:a", b"2"), ("u:b", b"1")] == sorted(it.scan())
        assert (b"2", None) == (it.load("u:a"), it.load("u:never"))
    meta = decode_meta(again.load_meta() or b"")
    assert (2, 2, 1) == (meta.epoch, meta.next_offset, meta.term)


async def test_an_epoch_is_one_batch_that_carries_term_and_epoch() -> None:
    log = MemoryChangelog()
    changelog = await opened(log, Topics())
    await changelog.save(an_epoch(7, a=b"1"))
    assert [(b"c:u:a", b"o:7", b"m")] == [tuple(record.key for record in log.records[1:])]
    assert {Stamp(1, 7)} == {stamp_of(record) for record in log.records[1:]}


async def test_outputs_follow_once_the_epoch_is_durable() -> None:
    log, topics = MemoryChangelog(), Topics()
    seen: list[int] = []

    async def step() -> None:
        seen.append(len(log.records))

    worker = Worker("a", log, topics)
    worker._publisher = topics.publisher(step)
    await (await worker.open()).save(an_epoch(1, a=b"1"))
    assert [4, 4] == seen


async def test_outputs_that_may_be_missing_are_sent_again_in_order() -> None:
    log, topics = MemoryChangelog(), Topics()
    changelog = await opened(log, topics)
    for number in range(1, 20):
        await changelog.save(an_epoch(number))
    published = [output.value for output in topics.outputs]
    assert [str(number).encode() for number in range(1, 20)] == published
    again = await opened(log, topics, "b")
    # Whether the last epoch's were acknowledged stands nowhere yet; of all before it the cursor says so.
    assert [b"19"] == [output.value for output in topics.outputs[19:]]
    await again.save(an_epoch(20))
    assert 19 == decode_meta(again.load_meta() or b"").acknowledged


async def test_a_partition_that_is_given_up_leaves_nothing_to_send_again() -> None:
    log, topics = MemoryChangelog(), Topics()
    changelog = await opened(log, topics)
    await changelog.close()
    assert 1 == len(log.records)
    await changelog.save(an_epoch(1, a=b"1"))
    await changelog.close()
    await changelog.close()
    assert 5 == len(log.records)
    await opened(log, topics, "b")
    assert 1 == len(topics.outputs)


async def test_outboxes_use_sixteen_keys() -> None:
    log = MemoryChangelog()
    changelog = await opened(log, Topics())
    for number in range(1, 50):
        await changelog.save(an_epoch(number))
    assert SLOTS == len({record.key for record in log.records if (record.key or b"").startswith(OUTBOX)})


async def test_compaction_makes_no_difference() -> None:
    log, topics = MemoryChangelog(), Topics()
    await Worker("a", log, topics).run()
    whole = len(log.records)
    log.compact(lag=5)
    assert len(log.records) < whole
    check_rows(await opened(log, topics, "b"))
    check_outputs(topics)


async def test_without_the_lease_nothing_is_written_and_a_higher_claim_ends_the_wait() -> None:
    log, topics = MemoryChangelog(), Topics()
    worker = Worker("a", log, topics)
    changelog = await worker.open()
    worker.lease = False
    saving = asyncio.create_task(changelog.save(an_epoch(1, a=b"1")))
    for _ in range(10):
        await asyncio.sleep(0)
    assert 1 == len(log.records)
    await opened(log, topics, "b")
    worker.look()
    with pytest.raises(FencedError):
        await saving
    assert (2, []) == (len(log.records), topics.outputs)


async def test_an_epoch_that_was_not_written_is_not_in_the_image() -> None:
    """Else a repair, or the note at the end, would write parts of it without the rest."""
    log, topics = MemoryChangelog(), Topics()
    changelog = await opened(log, topics)
    await changelog.save(an_epoch(1, a=b"1"))
    changelog.fenced = True
    with pytest.raises(FencedError):
        await changelog.save(an_epoch(2, a=b"2"))
    assert (b"1", 1) == (changelog.load("u:a"), decode_meta(changelog.load_meta() or b"").epoch)


async def test_a_repair_and_an_epoch_never_overlap() -> None:
    """A repair that was begun before an epoch and ends after it would put an older row behind a newer one."""
    log, topics = MemoryChangelog(), Topics()
    refused = [LogUnavailableError()]
    waiting = asyncio.Event()

    async def step() -> None:
        if waiting.is_set() and refused:
            raise refused.pop()

    worker = Worker("a", log, topics, step)
    changelog = await worker.open()
    await changelog.save(an_epoch(1, a=b"old"))
    log.records.append(LogRecord(9, 0, contact_record_key("u:a"), b"stale", tuple(Stamp(0, 0).headers())))
    worker.look()
    waiting.set()
    await asyncio.gather(changelog.repair(), changelog.save(an_epoch(2, a=b"new")))
    assert b"new" == (await opened(log, topics, "b")).load("u:a")


async def test_what_is_overwritten_during_a_repair_is_repaired_again() -> None:
    log, topics = MemoryChangelog(), Topics()
    stale = [contact_record_key("u:a")]

    def overwrite() -> None:
        offset = log.records[-1].offset + 1
        log.records.append(LogRecord(offset, 0, stale[0], b"stale", tuple(Stamp(0, 0).headers())))
        worker.look()

    async def step() -> None:
        if repairing and log.records[-1].value == b"good":
            repairing.clear()
            overwrite()

    repairing: list[bool] = []
    worker = Worker("a", log, topics, step)
    changelog = await worker.open()
    await changelog.save(an_epoch(1, a=b"good"))
    overwrite()
    repairing.append(True)
    assert 1 == await changelog.repair()
    worker.look()  # again: what stood behind the repair might have been the repair itself
    assert 1 == await changelog.repair()
    assert 0 == await changelog.repair()
    log.compact(lag=0)
    assert b"good" == (await opened(log, topics, "b")).load("u:a")


async def test_a_foreign_record_is_passed_over_and_repaired() -> None:
    """Not by the restart that it would cause again and again: by who finds it, in the tail or when restoring."""
    log, topics = MemoryChangelog(), Topics()
    worker = Worker("a", log, topics)
    changelog = await worker.open()
    await changelog.save(an_epoch(1, a=b"good"))
    log.records.append(LogRecord(9, 0, contact_record_key("u:a"), None))
    worker.look()
    assert not changelog.fenced
    assert 1 == await changelog.repair()
    log.records.append(LogRecord(11, 0, contact_record_key("u:a"), b"foreign"))
    await opened(log, topics, "b")
    log.compact(lag=0)
    assert b"good" == (await opened(log, topics, "c")).load("u:a")


async def test_a_repair_that_was_cut_off_is_made_up_for() -> None:
    log, topics = MemoryChangelog(), Topics()
    worker = Worker("a", log, topics)
    changelog = await worker.open()
    await changelog.save(an_epoch(1, a=b"good"))
    log.records.append(LogRecord(9, 0, contact_record_key("u:a"), b"stale", tuple(Stamp(0, 0).headers())))
    worker.look()
    worker.lease = False
    repairing = asyncio.create_task(changelog.repair())
    await asyncio.sleep(0)
    repairing.cancel()
    await asyncio.gather(repairing, return_exceptions=True)
    worker.lease = True
    assert 1 == await changelog.repair()


async def test_an_epoch_that_lands_before_the_end_that_was_known_ends_the_owner() -> None:
    """The topic was created anew beneath it: it has this epoch's contacts and none of the others."""
    log = MemoryChangelog()
    changelog = await opened(log, Topics())
    await changelog.save(an_epoch(1, a=b"1"))
    log.records.clear()
    with pytest.raises(LogRecreatedError, match="took an epoch at 0, but it had 4 records"):
        await changelog.save(an_epoch(2, b=b"1"))


async def test_an_epoch_whose_answer_was_lost_may_be_read_back_before_it_is_answered() -> None:
    """A leader that fails behind the append: the next one answers the same batch with the place it has."""
    log, topics = MemoryChangelog(), Topics()
    worker = Worker("a", log, topics)
    changelog = await worker.open()
    answers: list[int] = []

    async def append(partition: int, records: Sequence[tuple[bytes, bytes | None]], stamp: Stamp) -> int:
        if not answers:
            answers.append(await log.append(partition, records, stamp))
            raise LogUnavailableError("the leader is gone")
        return answers[0]

    writer: Any = changelog._writer
    writer.append = append
    saving = asyncio.create_task(changelog.save(an_epoch(1, a=b"1")))
    while not saving.done():
        await asyncio.sleep(0)
        worker.look()
    await saving
    del writer.append
    await changelog.save(an_epoch(2, a=b"2"))
    assert ([b"1", b"2"], 7) == ([output.value for output in topics.outputs], len(log.records))
    assert b"2" == (await opened(log, topics, "b")).load("u:a")


async def test_a_log_with_an_epoch_that_nobody_claimed_is_refused() -> None:
    """What such an owner left behind: whoever went on from it would forget all other contacts."""
    log = MemoryChangelog()
    changelog = await opened(log, Topics())
    log.records.clear()
    with pytest.raises(LogRecreatedError):
        await changelog.save(an_epoch(2, b=b"1"))
    with pytest.raises(LogRecreatedError, match="a term that nobody has claimed in it"):
        await opened(log, Topics(), "b")
    assert CLAIM not in {record.key for record in log.records}
