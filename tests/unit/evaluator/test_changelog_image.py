"""A partition's state as its changelog tells it, with what stale writers and compaction do to it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.evaluator.changelog.image import Image
from services.evaluator.changelog.records import (
    CLAIM,
    META,
    SLOTS,
    Claim,
    Outbox,
    Stamp,
    contact_record_key,
    encode_claim,
    encode_outbox,
    outbox_key,
    stamp_of,
)
from services.evaluator.changelog.rows import MemoryRows
from services.evaluator.meta import Meta, encode_meta
from shared.errors import BadMessageError
from shared.log import LogRecord, Output
from shared.messages.topics import INCARNATION_KEY
from tests.fakes import MemoryChangelog

Written = tuple[int, bytes, bytes | None]
"""Term, key and value of a record."""


def row(term: int, contact: str, value: bytes | None) -> Written:
    return term, contact_record_key(contact), value


def claim(term: int, owner: str = "owner") -> Written:
    return term, CLAIM, encode_claim(Claim(term, owner))


def meta(term: int, **fields: int) -> Written:
    return term, META, encode_meta(msgspec.structs.replace(Meta(), **fields))


def outbox(term: int, epoch: int, *values: bytes) -> Written:
    return term, outbox_key(epoch), encode_outbox(epoch, [Output("journal", b"k", value) for value in values])


def records(*written: Written) -> list[LogRecord]:
    return [
        LogRecord(offset, 0, key, value, tuple(Stamp(term, 0).headers()))
        for offset, (term, key, value) in enumerate(written)
    ]


def an_image(found: Sequence[LogRecord]) -> Image:
    image = Image(MemoryRows(), "")
    image.apply(found)
    return image


def rows_of(image: Image) -> dict[str, bytes]:
    return dict(image.contacts())


def test_the_last_record_of_a_key_counts() -> None:
    image = an_image(
        records(claim(1), row(1, "u:1", b"old"), row(1, "u:2", b"gone"), row(1, "u:1", b"new"), row(1, "u:2", None))
    )
    assert {"u:1": b"new"} == rows_of(image)
    assert [("u:1", b"new")] == list(image.contacts())
    assert 5 == image.next_offset


def test_the_logs_first_record_and_those_without_a_key_say_nothing() -> None:
    image = an_image([LogRecord(0, 0, INCARNATION_KEY, b"id"), LogRecord(1, 0, None, b"?")])
    assert ({}, None, 0, 2) == (rows_of(image), image.meta, image.term, image.next_offset)


def test_a_record_without_a_term_is_nobodys_and_what_it_overwrote_is_noted() -> None:
    """An operator's tombstone must neither delete a contact nor stop the partition."""
    image = an_image(records(claim(1), row(1, "u:1", b"good")))
    for offset, key in enumerate([b"c:u:1", META, b"o:3", CLAIM, b"c:\xff", b"surprise"], 2):
        image.apply([LogRecord(offset, 0, key, None, (("e", b"short"), ("f", bytes(16))))])
    assert ({"u:1": b"good"}, 1) == (rows_of(image), image.term)
    assert {b"c:u:1", META, b"o:3"} == image.overwritten
    assert 8 == image.next_offset


def test_who_wrote_a_record_that_carries_no_term_cannot_be_told() -> None:
    with pytest.raises(BadMessageError, match="offset 7"):
        stamp_of(LogRecord(7, 0, b"c:u:1", b"x"))


def test_the_first_claim_of_the_highest_term_holds() -> None:
    image = an_image(records(claim(1, "a"), claim(3, "b"), claim(3, "c"), claim(2, "d")))
    assert (3, Claim(3, "b")) == (image.term, image.claim)


def test_a_stale_writers_records_behind_a_claim_change_nothing_and_are_noted() -> None:
    """Its row, its outbox, its cursor and its tombstone alike."""
    stale = [row(1, "u:1", b"stale"), row(1, "u:2", None), meta(1, epoch=9), outbox(1, 9, b"stale"), row(1, "u:3", b"")]
    image = an_image(
        records(claim(1), row(1, "u:1", b"good"), row(1, "u:2", b"good"), meta(1, epoch=8), claim(2), *stale)
    )
    assert {"u:1": b"good", "u:2": b"good"} == rows_of(image)
    assert encode_meta(Meta(epoch=8)) == image.meta
    assert [] == image.unacknowledged()
    assert {key for _, key, _ in stale} == image.overwritten
    assert [b"good", b"good", image.meta, None, None] == [image.current(key) for _, key, _ in stale]


def test_a_record_of_the_owner_repairs_what_was_overwritten() -> None:
    image = an_image(
        records(claim(1), row(1, "u:1", b"good"), claim(2), row(1, "u:1", b"stale"), row(2, "u:1", b"good"))
    )
    assert (set(), {"u:1": b"good"}) == (image.overwritten, rows_of(image))


def test_what_was_written_before_the_claim_is_no_stale_writers() -> None:
    image = an_image(records(claim(1), row(1, "u:1", b"good"), claim(2)))
    assert (set(), {"u:1": b"good"}) == (image.overwritten, rows_of(image))


def test_outboxes_beyond_the_acknowledged_come_in_the_order_of_their_epochs() -> None:
    """Not in that of their slots: the ring has turned between 15 and 16."""
    written = [outbox(1, epoch, str(epoch).encode()) for epoch in (14, 15, 16, 17)]
    image = an_image(records(claim(1), *written, meta(1, epoch=17, acknowledged=14)))
    expected = [Outbox(epoch, (Output("journal", b"k", str(epoch).encode()),)) for epoch in (15, 16, 17)]
    assert expected == image.unacknowledged()


def test_a_slot_is_used_again_after_sixteen_epochs() -> None:
    assert (16, outbox_key(3)) == (SLOTS, outbox_key(19))
    image = an_image(records(claim(1), outbox(1, 3, b"old"), outbox(1, 19, b"new"), meta(1, epoch=19, acknowledged=2)))
    assert [19] == [box.epoch for box in image.unacknowledged()]


def test_an_outbox_without_any_cursor_was_not_written_by_an_epoch() -> None:
    assert [] == an_image(records(claim(1), outbox(1, 1, b"x"))).unacknowledged()


CONTACTS = st.sampled_from(["u:1", "u:2", "u:3"])


@st.composite
def histories(draw: st.DrawFn) -> list[Written]:
    """What owners one after another write, each repairing first what a stale predecessor overwrote."""
    written: list[Written] = []
    for term in range(1, draw(st.integers(1, 4)) + 1):
        written.append(claim(term))
        stale = draw(st.lists(CONTACTS, max_size=3)) if term > 1 else []
        written += [row(term - 1, contact, b"stale") for contact in stale]
        good = an_image(records(*written))
        written += [(term, key, good.current(key)) for key in sorted(good.overwritten)]
        for epoch in range(draw(st.integers(0, 4))):
            contacts = draw(st.lists(CONTACTS, max_size=3, unique=True))
            written += [row(term, contact, f"{term}.{epoch}".encode()) for contact in contacts]
            number = term * 10 + epoch
            written += [outbox(term, number, b"x"), meta(term, epoch=number, acknowledged=number - 1)]
    return written


@settings(max_examples=300, deadline=None, derandomize=True)
@given(histories(), st.integers(0, 12))
def test_compaction_changes_no_image(written: list[Written], lag: int) -> None:
    """What stale writers left is repaired within the lag, so the last record of each key is always a good one."""
    log = MemoryChangelog()
    log.records += records(*written)
    before = an_image(log.records)
    log.compact(lag)
    after = an_image(log.records)
    assert rows_of(before) == rows_of(after)
    assert (before.meta, before.term, before.claim) == (after.meta, after.term, after.claim)
    assert before.unacknowledged() == after.unacknowledged()
    assert before.next_offset == after.next_offset
    assert set() == before.overwritten == after.overwritten


def test_a_stale_record_that_is_within_the_lag_leaves_the_good_one_beside_it() -> None:
    """Why nothing is compacted within the hour: its owner still has to find what to repair it with."""
    log = MemoryChangelog()
    log.records += records(claim(1), row(1, "u:1", b"older"), row(1, "u:1", b"good"), claim(2), row(1, "u:1", b"stale"))
    log.compact(lag=2)
    image = an_image(log.records)
    assert ({"u:1": b"good"}, {b"c:u:1"}) == (rows_of(image), image.overwritten)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(histories())
def test_rows_of_one_epoch_read_the_short_way_are_the_same(written: list[Written]) -> None:
    """As a reader gives them, with one object for the headers of an epoch; or each with its own."""
    apart = records(*written)
    together, headers = [], apart[0].headers if apart else ()
    for record in apart:
        headers = headers if headers == record.headers else record.headers
        together.append(LogRecord(record.offset, 0, record.key, record.value, headers))
    short, long = an_image(together), an_image(apart)
    assert rows_of(long) == rows_of(short)
    for name in ("meta", "term", "claim", "overwritten", "next_offset", "_outboxes", "_resume", "_last"):
        assert getattr(long, name) == getattr(short, name)
