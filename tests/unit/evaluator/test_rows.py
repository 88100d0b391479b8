"""A contact's row as it is kept."""

from __future__ import annotations

import msgspec
import pytest

from services.evaluator.core.applied_ids import each_id
from services.evaluator.core.catalog import build_catalog
from services.evaluator.core.recent import events_of
from services.evaluator.core.state import NEVER, ContactState, PendingCommand
from services.evaluator.processor import PartitionProcessor
from services.evaluator.rows import ROW_VERSION, Head, Row, decode_row, encode_row, read_head
from shared.errors import BadMessageError
from shared.messages.command import SendCommand
from tests.builders import a_journey, a_record, an_event, an_outcome, at, consented, identified
from tests.fakes import MemoryEpochs

EMPTY = Row(ContactState(contact="u:c1"))


def a_full_row() -> Row:
    """A row in which every part holds something: a cart, a held reminder, a credited goal."""
    store = MemoryEpochs()
    processor = PartitionProcessor(partition=0, catalog=build_catalog([a_journey()]), store=store, incarnation="log")
    messages = [
        identified(at("08:00"), email="a@example.jp", 名前="亜紀", age=2**63),
        consented(at("08:00"), "cart_reminders"),
        an_event("Product Added", at("10:00"), name="Kettle"),
        an_event("Product Viewed", at("10:46")),
    ]
    store.keep(processor.process([a_record(n, it) for n, it in enumerate(messages)], caught_up=False))
    return decode_row(store.rows["u:c1"])


def test_a_row_comes_back_as_it_was() -> None:
    row = a_full_row()
    assert 1 == len(row.held) == len(row.state.runs) == len(row.state.pending)
    assert row == decode_row(encode_row(row))
    assert EMPTY == decode_row(encode_row(EMPTY))


def test_a_held_command_comes_back_whole() -> None:
    [held] = a_full_row().held
    assert isinstance(held, SendCommand)
    assert held.command_id == an_outcome(held, "sent", 0).command_id
    assert {"email": "a@example.jp"} == held.addresses


def test_the_head_is_read_without_the_body() -> None:
    row = a_full_row()
    assert Head(at("10:45", day=1), 1, 1) == read_head(encode_row(row)[:21])
    assert Head(NEVER, 0, 0) == read_head(encode_row(EMPTY)[:21] + b"garbage")
    adopted = Row(ContactState(contact="u:c1", adopted=2**63 - 1))
    assert Head(NEVER, 0, 0, 2**63 - 1) == read_head(encode_row(adopted)[:21])


def test_a_row_of_the_first_version_is_read_as_one_without_a_catalogue() -> None:
    """Its head had thirteen bytes; the state was shorter by what has been added since."""
    first = encode_row(a_full_row())[:12] + b"\x01" + msgspec.msgpack.encode([["u:c1", 3], 7])
    assert Head(at("10:45", day=1), 1, 1, 0) == read_head(first)
    assert Row(ContactState(contact="u:c1", seq=3), offset=7) == decode_row(first)
    assert Head(at("10:45", day=1), 1, 1, 0) == read_head(first[:13])


def test_the_due_time_stands_first_so_that_others_can_read_it() -> None:
    """The SQLite adapter indexes these eight bytes."""
    assert at("10:45", day=1).to_bytes(8, "big") == encode_row(a_full_row())[:8]
    assert b"\xff" * 8 == encode_row(EMPTY)[:8]


def test_more_commands_than_the_head_can_count_are_many() -> None:
    pending = tuple(PendingCommand(str(number), "r", "j", 1, "s") for number in range(70_000))
    row = Row(ContactState(contact="u:c1", pending=pending))
    assert 0xFFFF == read_head(encode_row(row)).pending
    assert 70_000 == len(decode_row(encode_row(row)).state.pending)


def test_a_row_of_another_release_is_refused() -> None:
    """By its head already, and not read as something else."""
    value = bytearray(encode_row(EMPTY))
    value[12] = ROW_VERSION + 1
    for read in (read_head, decode_row):
        with pytest.raises(BadMessageError, match=f"schema version {ROW_VERSION + 1}"):
            read(bytes(value))


@pytest.mark.parametrize("value", [b"", b"\x00" * 12, b"\x00" * 12 + b"\x02" + b"\x00" * 7])
def test_a_row_that_is_cut_short_is_refused(value: bytes) -> None:
    with pytest.raises(BadMessageError, match="cut short"):
        read_head(value)


@pytest.mark.parametrize("rest", [b"", b"\xc1", b"\x90", encode_row(EMPTY)[21:-1]])
def test_a_body_that_cannot_be_read_is_refused(rest: bytes) -> None:
    with pytest.raises(BadMessageError, match="cannot be read"):
        decode_row(encode_row(EMPTY)[:21] + rest)


def test_a_row_that_an_older_writer_made_still_reads() -> None:
    """Fields are only ever added at the end, with a default."""
    short = msgspec.msgpack.encode([["u:c1", 3], 7])
    assert Row(ContactState(contact="u:c1", seq=3), offset=7) == decode_row(encode_row(EMPTY)[:21] + short)


def test_a_row_of_the_second_version_keeps_its_last_events_and_knows_its_repeats() -> None:
    """Its bytes are those of the release before: names and times in pairs, numbers by hash."""
    stored = bytes.fromhex(
        "ffffffffffffffff0000000002000000000000000094dc001da4753a63310380808082cf00000100000000000205cf019cadfd8900000790"
        "9090809392a742726f777365640192ab5061676520566965776564cf0000019cadfd890092a742726f77736564fdc09090908080c0"
        "80800080c0008080809090090490"
    )
    row = decode_row(stored)
    assert [(1 << 40, 2), (5, at("10:00") << 16 | 7)] == [*each_id(row.state.ids)]
    assert [("Browsed", 1), ("Page Viewed", at("10:00")), ("Browsed", -3)] == [*events_of(row.state.lately)]
    assert ({}, ()) == (row.state.seen, row.state.recent)
    assert (3, 9, 4) == (row.state.seq, row.offset, row.incarnation)
    assert row == decode_row(encode_row(row))
