"""Room: a bound in bytes that is kept in order, and that nothing too large waits before for ever."""

from __future__ import annotations

import asyncio

from shared.room import Room


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_whoever_finds_no_room_waits_until_it_is_given_back() -> None:
    room = Room(10)
    await room.take(6)
    second = asyncio.create_task(room.take(5))
    await turns()
    assert (False, 6) == (second.done(), room.taken)
    room.give(6)
    await turns()
    assert (True, 5) == (second.done(), room.taken)


async def test_a_small_one_does_not_overtake_a_large_one() -> None:
    room = Room(10)
    await room.take(6)
    order: list[str] = []

    async def take(name: str, amount: int) -> None:
        await room.take(amount)
        order.append(name)

    tasks = [asyncio.create_task(take("large", 8)), asyncio.create_task(take("small", 1))]
    await turns()
    assert [] == order
    room.give(6)
    await asyncio.gather(*tasks)
    assert ["large", "small"] == order


async def test_what_is_larger_than_all_of_it_gets_in_alone() -> None:
    room = Room(10)
    await room.take(25)
    assert 25 == room.taken


async def test_who_gives_up_waiting_has_taken_nothing() -> None:
    room = Room(10)
    await room.take(10)
    waiting = asyncio.create_task(room.take(1))
    await turns()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    room.give(10)
    assert 0 == room.taken
    await room.take(10)


async def test_who_takes_at_once_does_not_overtake_who_waits() -> None:
    room = Room(10)
    assert (True, True, False) == (room.take_now(6), room.take_now(4), room.take_now(1))
    waiting = asyncio.create_task(room.take(8))
    await turns()
    room.give(6)
    await turns()
    assert not room.take_now(1)
    room.give(4)
    await waiting
    assert room.take_now(2)
