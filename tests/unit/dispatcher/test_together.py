"""Calls of one turn of the loop are one, and nobody fails because of its company."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from services.dispatcher.together import Together
from shared.errors import RetryableError


class Carrier:
    """Doubles numbers; ``errors`` are what the next calls raise, and 13 is refused whoever comes with it."""

    def __init__(self, *errors: Exception | None) -> None:
        self.errors = list(errors)
        self.carried: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, items: Sequence[int]) -> list[int]:
        self.carried.append(list(items))
        await self.gate.wait()
        if self.errors and (error := self.errors.pop(0)) is not None:
            raise error
        if 13 in items:
            raise ValueError("thirteen")
        return [2 * item for item in items]


async def test_what_is_added_in_one_turn_is_carried_at_once_and_each_gets_its_own() -> None:
    carrier = Carrier()
    together = Together(carrier)
    assert [[2, 4], [6], []] == list(await asyncio.gather(*[together.add(items) for items in ([1, 2], [3], [])]))
    assert [8] == await together.add([4])
    assert [[1, 2, 3], [4]] == carrier.carried


async def test_the_next_turn_does_not_wait_for_the_one_before() -> None:
    carrier = Carrier()
    carrier.gate.clear()
    together = Together(carrier)
    first = asyncio.create_task(together.add([1]))
    while not carrier.carried:
        await asyncio.sleep(0)
    second = asyncio.create_task(together.add([2]))
    while len(carrier.carried) < 2:
        await asyncio.sleep(0)
    carrier.gate.set()
    assert [[2], [4]] == [await first, await second]


async def test_one_that_cannot_be_carried_fails_alone() -> None:
    carrier = Carrier()
    together = Together(carrier)
    found = await asyncio.gather(together.add([1]), together.add([13]), together.add([2]), return_exceptions=True)
    assert ([2], [4]) == (found[0], found[2])
    assert isinstance(found[1], ValueError)
    assert [[1, 13, 2], [1], [13], [2]] == carrier.carried


async def test_when_there_is_no_way_all_are_told_and_none_is_carried_again() -> None:
    carrier = Carrier(RetryableError("away"))
    together = Together(carrier)
    found = await asyncio.gather(together.add([1]), together.add([2]), return_exceptions=True)
    assert [RetryableError, RetryableError] == [type(error) for error in found]
    assert found[0] is not found[1]
    assert [[1, 2]] == carrier.carried


async def test_who_stops_waiting_takes_nothing_from_the_others() -> None:
    carrier = Carrier()
    carrier.gate.clear()
    together = Together(carrier)
    leaving, staying = (asyncio.create_task(together.add([number])) for number in (1, 2))
    while not carrier.carried:
        await asyncio.sleep(0)
    leaving.cancel()
    carrier.gate.set()
    assert [4] == await staying
    with pytest.raises(asyncio.CancelledError):
        await leaving
