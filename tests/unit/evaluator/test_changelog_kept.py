"""Rows that outlive their process: continued from their mark they are what the whole changelog says, or discarded."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from services.evaluator.changelog.image import Image
from services.evaluator.changelog.partition import PartitionChangelog
from services.evaluator.changelog.records import META, Stamp
from services.evaluator.changelog.rows import MemoryRows
from shared.log import LogRecord
from shared.messages.topics import INCARNATION_KEY
from tests.fakes import DurableRows, MemoryChangelog
from tests.unit.evaluator.changelog_workers import (
    CrashError,
    Topics,
    Worker,
    an_epoch,
    check_outputs,
    check_rows,
    crash_at,
    crashed,
)
from tests.unit.evaluator.test_changelog_image import Written, claim, histories, meta, outbox, records, row

pytestmark = pytest.mark.usefixtures("no_rest")


def a_log(incarnation: bytes = b"one") -> MemoryChangelog:
    log = MemoryChangelog()
    log.records.append(LogRecord(0, 0, INCARNATION_KEY, incarnation))
    return log


async def opened(log: MemoryChangelog, rows: DurableRows) -> tuple[PartitionChangelog, int]:
    """Open the partition; return it and from which offset on the log was read."""
    with capture_logs() as logs:
        changelog = await Worker("owner", log, Topics(), rows=rows).open()
    return changelog, next(it["begin"] for it in logs if it["event"] == "partition_restored")


def everything(changelog: PartitionChangelog) -> tuple[dict[str, bytes], bytes | None]:
    return dict(changelog.scan()), changelog.load_meta()


async def a_cold_image(log: MemoryChangelog) -> Image:
    image = Image(MemoryRows(), "")
    image.apply([record for record in log.records if record.key != INCARNATION_KEY])
    return image


# ---- crashes ------------------------------------------------------------------------------------------------------


async def test_a_crash_between_any_two_steps_loses_nothing_whatever_the_disk_has_of_it() -> None:
    """The newest writes of the rows may be gone, as after kill -9; the next owner may crash in its turn."""
    number = 0
    while True:
        log, topics, rows = a_log(), Topics(), DurableRows()
        if not await crashed(Worker("a", log, topics, crash_at(number, CrashError()), rows=rows)):
            break
        for lost, second in [(0, 99), (1, 99), (2, 3), (1, 5), (99, 1)]:
            copied, outputs = MemoryChangelog(), Topics()
            copied.records += log.records
            outputs.outputs += topics.outputs
            kept = rows.after_crash(lost)
            await crashed(Worker("b", copied, outputs, crash_at(second, CrashError()), rows=kept))
            kept = kept.after_crash(lost)
            await Worker("c", copied, outputs, rows=kept).run()
            assert 0 == kept.discarded
            check_outputs(outputs)
            last, _ = await opened(copied, kept.after_crash(lost))
            check_rows(last)
        number += 1
    assert number > 30


async def test_only_what_is_behind_the_mark_is_read() -> None:
    log, rows = a_log(), DurableRows()
    changelog, begin = await opened(log, rows)
    assert 0 == begin
    for number in range(1, 10):
        await changelog.save(an_epoch(number, one=b"%d" % number, two=b"2"))
    end = len(log.records)
    _, begin = await opened(log, rows.after_crash())
    assert end - 1 == begin
    again, begin = await opened(log, rows.after_crash(lost=1))
    assert end - 5 == begin  # rows, outbox and meta row of the last epoch, and the record that proves the mark
    assert ({"u:one": b"9", "u:two": b"2"}, changelog.load_meta()) == everything(again)


# ---- another's log ------------------------------------------------------------------------------------------------


async def saved(log: MemoryChangelog, epochs: int) -> DurableRows:
    rows = DurableRows()
    changelog, _ = await opened(log, rows)
    for number in range(1, epochs + 1):
        await changelog.save(an_epoch(number, **{f"c{number}": b"old"}))
    return rows


async def test_rows_of_a_topic_that_was_created_anew_are_discarded() -> None:
    """Although the records at its mark look the same."""
    rows = (await saved(a_log(b"one"), 3)).after_crash()
    log = a_log(b"two")
    changelog, _ = await opened(log, DurableRows())
    for number in range(1, 4):
        await changelog.save(an_epoch(number, new=b"new"))
    again, begin = await opened(log, rows)
    assert (1, 0) == (rows.discarded, begin)
    assert {"u:new": b"new"} == everything(again)[0]


async def test_rows_that_are_ahead_of_the_log_are_discarded() -> None:
    """A broker that was not in sync took over and cut off what had been acknowledged."""
    log = a_log()
    rows = (await saved(log, 3)).after_crash()
    del log.records[-1:]
    again, begin = await opened(log, rows)
    assert (1, 0) == (rows.discarded, begin)
    assert everything(again)[0].keys() == (await a_cold_image(log)).rows._rows.keys()  # type: ignore[attr-defined]


async def test_rows_of_a_log_that_was_cut_off_and_went_on_otherwise_are_discarded() -> None:
    log = a_log()
    rows = (await saved(log, 3)).after_crash()
    del log.records[5:]
    await saved(log, 6)
    again, begin = await opened(log, rows)
    assert (1, 0) == (rows.discarded, begin)
    assert (await a_cold_image(log)).meta == again.load_meta()


async def test_what_was_in_the_rows_is_looked_for_in_the_log_although_reading_it_again_did_not_come_so_far() -> None:
    """A first restart ends early; then the log loses its newest records, which are in the rows."""
    log = MemoryChangelog()
    log.records += records(claim(1), meta(1, epoch=1), row(1, "u:1", b"1"), row(1, "u:1", b"2"), row(1, "u:1", b"3"))
    rows = DurableRows()
    Image(rows, "").apply(log.records)
    rows = rows.after_crash()
    Image(rows, "").apply(log.records[1:3])
    image = Image(rows.after_crash(), "")
    image.apply(log.records[1:4])
    assert {4} == {place.offset for place in image.unproved}


async def test_what_others_wrote_meanwhile_is_read() -> None:
    """Another owner with a higher term, and nothing compacted yet."""
    log = a_log()
    rows = (await saved(log, 2)).after_crash()
    other = await Worker("other", log, Topics()).open()
    await other.save(an_epoch(3, c1=b"new", c3=b"new"))
    again, _ = await opened(log, rows)
    assert 0 == rows.discarded
    assert {"u:c1": b"new", "u:c2": b"old", "u:c3": b"new"} == everything(again)[0]


async def test_beyond_what_was_compacted_all_is_read_again() -> None:
    """A deletion may be among what the compaction took away."""
    log = a_log()
    rows = (await saved(log, 2)).after_crash()
    other = await Worker("other", log, Topics()).open()
    await other.save(an_epoch(3, c1=b"new"))
    log.compact(lag=0)
    again, begin = await opened(log, rows)
    assert (1, 0) == (rows.discarded, begin)
    assert {"u:c1": b"new", "u:c2": b"old"} == everything(again)[0]


async def test_an_idle_partition_is_continued_however_old_it_is() -> None:
    log = a_log()
    rows = (await saved(log, 2)).after_crash()
    log.compact(lag=0)
    await opened(log, rows)
    assert 0 == rows.discarded


# ---- stale writers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("looks", [False, True])
async def test_what_a_stale_writer_overwrote_is_repaired_also_after_a_crash(*, looks: bool) -> None:
    """Whether the owner had seen it already or not: its mark stays before what is not repaired."""
    log, topics, rows = a_log(), Topics(), DurableRows()
    worker = Worker("a", log, topics, rows=rows)
    changelog = await worker.open()
    await changelog.save(an_epoch(1, one=b"good"))
    await log.append(0, [(b"c:u:one", b"stale"), (META, b"stale")], Stamp(0, 9))
    if looks:
        worker.look()
    await changelog.save(an_epoch(2, two=b"good"))
    await changelog.save(an_epoch(3, two=b"better"))
    again, _ = await opened(log, rows.after_crash())
    assert {"u:one": b"good", "u:two": b"better"} == everything(again)[0]
    log.compact(lag=0)
    image = await a_cold_image(log)
    assert {"u:one": b"good", "u:two": b"better"} == dict(image.contacts())
    assert set() == image.overwritten


async def test_the_mark_moves_on_once_what_stood_between_was_read() -> None:
    log, rows = a_log(), DurableRows()
    worker = Worker("a", log, Topics(), rows=rows)
    changelog = await worker.open()
    await log.append(0, [(b"c:u:one", b"stale")], Stamp(0, 9))
    await changelog.save(an_epoch(1, two=b"good"))
    worker.look()
    await changelog.repair()
    await changelog.save(an_epoch(2, two=b"better"))
    _, begin = await opened(log, rows.after_crash())
    assert log.records[begin].key == META
    assert begin == len(log.records) - 2  # the last but the new claim


async def test_what_we_wrote_behind_anothers_claim_does_not_stay_on_our_disk() -> None:
    """We were paused, another claimed, our write was taken by the broker all the same; then the other died."""
    log, rows = a_log(), DurableRows()
    changelog, _ = await opened(log, rows)
    await changelog.save(an_epoch(1, one=b"good"))
    await Worker("other", log, Topics()).open()
    await changelog.save(an_epoch(2, one=b"stale"))
    kept = rows.after_crash()
    again, begin = await opened(log, kept)
    assert {"u:one": b"good"} == everything(again)[0]
    assert (1, 0) == (kept.discarded, begin)


@pytest.mark.parametrize("again", ["restart", "rewind"])
def test_nor_does_it_when_reading_was_cut_short_behind_the_others_claim(again: str) -> None:
    """Continued from that claim, our write behind it would look like one of before."""
    ours = records(claim(1), row(1, "u:1", b"good"), meta(1, epoch=1))
    claimed, *stale = records(*[claim(1)] * 3, claim(2, "other"), row(1, "u:1", b"stale"), meta(1, epoch=2))[3:]
    rows = DurableRows()
    image = Image(rows, "")
    image.apply(ours)
    image.saved([(it.key or b"", it.value) for it in stale], stale[0].offset, Stamp(1, 0))
    image.rewind()
    image.apply([ours[-1], claimed])
    if again == "rewind":
        image.rewind()
    else:
        image = Image(rows.after_crash(), "")
    image.apply([it for it in (*ours, claimed, *stale) if it.offset >= image.next_offset])
    assert image.spoilt


# ---- in general ---------------------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None, derandomize=True)
@given(histories(), st.data())
def test_continued_from_any_crash_it_is_what_the_whole_log_says(written: list[Written], data: st.DataObject) -> None:
    """Read in any portions up to anywhere, some writes lost, compacted meanwhile, and the same once more."""
    log = MemoryChangelog()
    log.records += records(*written)
    rows = DurableRows()
    for _ in range(2):
        image = Image(rows, "")
        upto = data.draw(st.integers(0, len(log.records)))
        behind = [record for record in log.records[:upto] if record.offset >= image.next_offset]
        while behind:
            size = data.draw(st.integers(1, 6))
            image.apply(behind[:size])
            behind = behind[size:]
        rows = rows.after_crash(data.draw(st.integers(0, 3)))
    compacted = data.draw(st.booleans())
    if compacted:
        log.compact(data.draw(st.integers(0, 12)))
    continued = Image(rows, "")
    continued.apply([record for record in log.records if record.offset >= continued.next_offset])
    whole = Image(MemoryRows(), "")
    whole.apply(log.records)
    if continued.unproved:
        assert compacted
        return
    assert dict(whole.contacts()) == dict(continued.contacts())
    assert (whole.meta, whole.term) == (continued.meta, continued.term)
    assert whole.unacknowledged() == continued.unacknowledged()
    assert whole.overwritten == continued.overwritten


@settings(max_examples=300, deadline=None, derandomize=True)
@given(histories(), st.data())
def test_gone_back_to_its_mark_and_read_on_an_image_is_what_the_whole_log_says(
    written: list[Written], data: st.DataObject
) -> None:
    """As a standby does that becomes the owner, and an owner that becomes a standby."""
    log = records(*written)
    image = Image(MemoryRows(), "")
    for _ in range(3):
        image.apply(log[image.next_offset : data.draw(st.integers(image.next_offset, len(log)))])
        resume = image.next_offset
        assert image.rewind() or not resume
        assert image.next_offset <= resume
    image.apply(log[image.next_offset :])
    whole = Image(MemoryRows(), "")
    whole.apply(log)
    assert (set(), False) == (image.unproved, image.spoilt)
    assert dict(whole.contacts()) == dict(image.contacts())
    assert (whole.meta, whole.term, whole.overwritten) == (image.meta, image.term, image.overwritten)
    assert whole.unacknowledged() == image.unacknowledged()


def test_a_mark_stands_only_where_an_epoch_or_a_claim_ends_and_nothing_is_to_be_repaired() -> None:
    """What stands between could go by compaction while the deletions behind it are gone as well."""
    rows = DurableRows()
    image = Image(rows, "")
    log = records(claim(1), row(1, "u:1", b"1"), outbox(1, 1, b"x"), meta(1, epoch=1), row(1, "u:1", b"2"))
    for record in log:
        image.apply([record])
    for offset, later in enumerate(records(row(0, "u:1", b"stale"), meta(1, epoch=2)), start=5):
        image.apply([msgspec.structs.replace(later, offset=offset)])
    marks = [mark for _, mark in rows.writes if mark is not None]
    assert [0, 0, 0, 3, 3, 3, 3] == [mark.resume.offset for mark in marks]
    assert [0, 1, 2, 3, 4, 5, 6] == [mark.last.offset for mark in marks]
