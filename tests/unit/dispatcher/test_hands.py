"""So many at once; the urgent go first, others in the order in which they came, and no hand is ever lost."""

from __future__ import annotations

import asyncio

from services.dispatcher.hands import Hands


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_the_urgent_go_first_and_others_in_their_order() -> None:
    hands, order = Hands(1), []

    async def work(name: str, *, urgent: bool = False) -> None:
        assert await hands.take(5, urgent=urgent)
        order.append(name)
        hands.give()

    assert await hands.take(5)
    works = [asyncio.create_task(work(name, urgent=name == "urgent")) for name in ("a", "b", "urgent", "c")]
    await turns()
    hands.give()
    await asyncio.gather(*works)
    assert ["urgent", "a", "b", "c"] == order
    assert 1 == hands.free


async def test_who_waits_longer_than_he_may_has_none_and_takes_none_from_others() -> None:
    hands = Hands(1)
    assert await hands.take(5)
    assert not await hands.take(0)
    hands.give()
    assert 1 == hands.free


async def test_who_is_given_a_hand_and_is_cancelled_in_the_same_turn_gives_it_back() -> None:
    hands = Hands(1)
    assert await hands.take(5)
    waiting = asyncio.create_task(hands.take(5))
    await turns()
    hands.give()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert (True, 1) == (waiting.cancelled(), hands.free)


async def test_who_is_turned_away_has_none_and_whoever_comes_after_waits_as_ever() -> None:
    hands = Hands(1)
    assert await hands.take(5)
    waiting = asyncio.create_task(hands.take(5))
    await turns()
    hands.turn_away()
    assert not await waiting
    after = asyncio.create_task(hands.take(5))
    await turns()
    hands.give()
    assert (True, 0) == (await after, hands.free)
