"""The partition's own row."""

from __future__ import annotations

import msgspec
import pytest

from services.evaluator.meta import Counters, Meta, decode_meta, encode_meta

META = Meta(
    incarnation="log",
    next_offset=2**40,
    log_time=1_772_442_000_000,
    term=3,
    epoch=17,
    acknowledged=16,
    counters=Counters(records=5, applied=4, other=1, timers_armed=2),
)


def test_the_meta_row_comes_back_as_it_was() -> None:
    assert META == decode_meta(encode_meta(META))
    assert Meta() == decode_meta(encode_meta(Meta()))


def test_a_meta_row_that_an_older_writer_made_still_reads() -> None:
    assert Meta(next_offset=7) == decode_meta(msgspec.msgpack.encode({"next_offset": 7}))


def test_counters_add_up_and_change_nothing_else() -> None:
    before = Counters(records=5, applied=4)
    after = before.plus(records=2, duplicate=1)
    assert Counters(records=7, applied=4, duplicate=1) == after
    assert Counters(records=5, applied=4) == before
    assert before == before.plus()


def test_a_counter_that_is_not_there_cannot_be_counted() -> None:
    with pytest.raises(AttributeError):
        Counters().plus(surprises=1)
