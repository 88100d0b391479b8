"""Ids of commands that have ended: each found again on its day, in little memory."""

from __future__ import annotations

import tracemalloc
from uuid import NAMESPACE_DNS, uuid5

from services.dispatcher.ended import EndedIds, compact, expand
from shared.clock import DAY
from tests.dispatching import NOON, a_command

TODAY = NOON // DAY


def test_what_ended_is_found_on_its_day_until_that_is_forgotten() -> None:
    ended = EndedIds()
    ended.add("one", NOON - DAY)
    ended.add(a_command(1).command_id, NOON)
    ended.add(a_command(1).command_id, NOON)
    assert (TODAY - 1, TODAY, None) == (ended.day("one"), ended.day(a_command(1).command_id), ended.day("two"))
    ended.forget(TODAY)
    assert (None, TODAY) == (ended.day("one"), ended.day(a_command(1).command_id))


def test_an_id_is_found_where_it_begins_and_nowhere_between_two() -> None:
    ended = EndedIds()
    whole = bytes(range(16))
    first, second = expand(whole[8:] + whole[:8]), expand(whole[8:] + whole[:8])
    ended.add(first, NOON)
    ended.add(second, NOON)
    # The last byte decides the bucket: both neighbours and what lies across them would be in one.
    ended._days[TODAY] = [bytearray(whole[:8] + whole + whole[8:])] * 1024
    assert ended.day(expand(whole)) is None
    assert TODAY == ended.day(expand(whole[:8] + whole[:8]))


def test_ids_that_are_no_uuid_have_their_place_too() -> None:
    assert 16 == len(compact("not a uuid at all"))
    assert compact("a") != compact("b")
    assert a_command(1).command_id == expand(compact(a_command(1).command_id))


def test_an_id_takes_about_twenty_bytes() -> None:
    ids = [str(uuid5(NAMESPACE_DNS, str(number))) for number in range(50_000)]
    ended = EndedIds()
    tracemalloc.start()
    for one in ids:
        ended.add(one, NOON)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size / len(ids) < 24
    assert all(ended.day(one) == TODAY for one in ids)
