"""A provider's lane: how many may wait, who goes first, when it is left alone, and what its rate is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.dispatcher.core.rate import Rate
from services.dispatcher.errors import (
    AmbiguousError,
    BusyError,
    MisconfiguredError,
    RefusedError,
    TemporaryError,
    UnavailableError,
)
from services.dispatcher.lanes import Lane, LaneOptions, Place, choose
from services.dispatcher.rates import LocalRate
from shared.clock import SECOND
from tests.dispatching import NOON
from tests.fakes import FakeClock, RecordingProvider


def a_lane(clock: FakeClock, width: int = 2, name: str = "email", **options: Any) -> Lane[RecordingProvider]:
    made = LaneOptions(clock=clock, jitter=lambda: 0.0, **options)
    return Lane(RecordingProvider(name), width, name=name, options=made)


async def answer(error: Exception | None = None) -> None:
    if error is not None:
        raise error


async def ask(lane: Lane[RecordingProvider], error: Exception | None = None, address: str = "") -> bool:
    """Ask once by ``lane``; False: it let nobody in."""
    place = lane.enter(address)
    if place is None:
        return False
    try:
        assert await place.connect(1)
        await place.ask(answer(error))
    except (TemporaryError, RefusedError, AmbiguousError, KeyError):
        pass
    finally:
        place.leave()
    return True


def entered(lane: Lane[RecordingProvider], *, urgent: bool = False) -> list[Place[RecordingProvider]]:
    """Enter until there is no room."""
    places: list[Place[RecordingProvider]] = []
    while (place := lane.enter(urgent=urgent)) is not None:
        places.append(place)
    return places


async def test_its_line_is_bounded_and_the_urgent_have_one_more() -> None:
    lane = a_lane(FakeClock(NOON))
    places = entered(lane)
    assert 2 + 8 == len(places)
    assert 8 == len(entered(lane, urgent=True))
    places[0].leave()
    places[0].leave()
    assert (0, 1) == (lane.room(), lane.room(urgent=True))


async def test_the_urgent_get_the_next_connection() -> None:
    lane = a_lane(FakeClock(NOON), width=1)
    first, second = lane.enter(), lane.enter()
    urgent = lane.enter(urgent=True)
    assert first is not None
    assert second is not None
    assert urgent is not None
    assert await first.connect(1)
    waiting = [asyncio.create_task(place.connect(1)) for place in (second, urgent)]
    await asyncio.sleep(0)
    first.leave()
    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert {waiting[1]} == done
    urgent.leave()
    assert await waiting[0]


async def test_who_waits_too_long_for_a_connection_is_turned_away_and_holds_none() -> None:
    lane = a_lane(FakeClock(NOON), width=1)
    first, second = lane.enter(), lane.enter()
    assert first is not None
    assert second is not None
    assert await first.connect(1)
    assert not await second.connect(0.001)
    second.leave()
    first.leave()
    assert await ask(lane)


@pytest.mark.parametrize(
    "error", [UnavailableError("away"), AmbiguousError("reset"), BusyError("503"), KeyError("bug")]
)
async def test_what_is_wrong_with_the_provider_opens_it(error: Exception) -> None:
    lane = a_lane(FakeClock(NOON))
    assert [True] * 5 + [False] == [await ask(lane, error) for _ in range(6)]


@pytest.mark.parametrize("error", [RefusedError("550"), TemporaryError("451 4.7.1")])
async def test_a_message_s_own_refusal_never_counts(error: Exception) -> None:
    lane = a_lane(FakeClock(NOON))
    assert [True] * 20 == [await ask(lane, error) for _ in range(20)]


async def test_one_that_refuses_us_is_left_alone_at_once() -> None:
    lane = a_lane(FakeClock(NOON))
    assert [True, False] == [await ask(lane, MisconfiguredError("401")), await ask(lane)]


async def test_one_that_hangs_is_left_alone_within_five_seconds_and_who_waits_in_line_turned_away() -> None:
    clock = FakeClock(NOON)
    lane = a_lane(clock, width=1)
    hung, waiting = lane.enter(), lane.enter()
    assert hung is not None
    assert waiting is not None
    assert await hung.connect(1)
    call = asyncio.create_task(hung.ask(asyncio.Event().wait()))
    line = asyncio.create_task(waiting.connect(60))
    await asyncio.sleep(0)
    assert lane.room() > 0
    clock.advance(4 * SECOND)
    assert 0 == lane.room()
    assert not await line
    call.cancel()


async def test_half_open_one_finds_out_and_its_answer_opens_the_gate() -> None:
    clock = FakeClock(NOON)
    lane = a_lane(clock)
    await ask(lane, MisconfiguredError("401"))
    clock.advance(500)
    probe = lane.enter()
    assert probe is not None
    assert lane.enter() is None
    assert await probe.connect(1)
    await probe.ask(answer())
    probe.leave()
    assert 10 == lane.room()


async def test_a_probe_that_never_asked_leaves_the_next_one_its_turn() -> None:
    clock = FakeClock(NOON)
    lane = a_lane(clock)
    await ask(lane, MisconfiguredError("401"))
    clock.advance(500)
    probe = lane.enter()
    assert probe is not None
    probe.leave()
    assert await ask(lane)


async def test_a_retry_after_is_kept_whatever_other_calls_come_to() -> None:
    clock = FakeClock(NOON)
    lane = a_lane(clock)
    slow = lane.enter()
    assert slow is not None
    assert await slow.connect(1)
    await ask(lane, BusyError("429", retry_after=30_000))
    await slow.ask(answer())
    slow.leave()
    clock.advance(29_999)
    assert not await ask(lane)
    clock.advance(1)
    assert await ask(lane)


async def test_a_retry_after_of_nothing_is_a_failure_as_without_one() -> None:
    lane = a_lane(FakeClock(NOON))
    for _ in range(5):
        assert await ask(lane, BusyError("429", retry_after=0))
    assert not await ask(lane)


async def test_of_servers_of_their_own_one_s_trouble_is_nobody_else_s() -> None:
    lane = a_lane(FakeClock(NOON), party=lambda address: address)
    for _ in range(5):
        await ask(lane, UnavailableError("away"), "a.example")
    assert [False, True] == [await ask(lane, None, "a.example"), await ask(lane, None, "b.example")]


async def test_what_is_known_of_servers_is_bounded() -> None:
    lane = a_lane(FakeClock(NOON), party=lambda address: address)
    await ask(lane, MisconfiguredError("403"), "first")
    for number in range(1_000):
        await ask(lane, None, str(number))
    assert 1_000 == len(lane._circuits)
    assert await ask(lane, None, "first")


async def test_turns_are_given_at_equal_distances_and_no_more_enter_than_soon_have_one() -> None:
    clock = FakeClock(NOON)
    lane = a_lane(clock, width=9, rate=LocalRate(Rate(10, SECOND), clock))
    places = entered(lane)
    # Turns at 0, 100, ... 500 ms.
    assert 6 == len(places)
    for place in places:
        place.leave()
    assert [True, True] == [await ask(lane), await ask(lane)]


async def test_without_a_turn_soon_the_lane_has_no_room_until_then() -> None:
    clock = FakeClock(NOON)
    rate = LocalRate(Rate(1, 10 * SECOND), clock)
    lane = a_lane(clock, rate=rate)
    assert await ask(lane)
    place = lane.enter()
    assert place is not None
    assert not await place.connect(1)
    place.leave()
    clock.advance(9_499)
    assert 0 == lane.room()
    clock.advance(1)
    assert 1 == lane.room()


async def test_an_urgent_message_that_found_no_turn_has_the_next_one() -> None:
    """Marketing that comes without a pause would be there before the schedule's next look each time."""
    clock = FakeClock(NOON)
    lane = a_lane(clock, rate=LocalRate(Rate(1, 10 * SECOND), clock))
    assert await ask(lane)
    refused = lane.enter()
    assert refused is not None
    assert not await refused.connect(1)
    refused.leave()
    assert 0 == lane.room(urgent=True)
    clock.advance(9_500)
    assert lane.enter() is None
    clock.advance(50)
    assert lane.enter(urgent=True) is not None


async def test_turns_are_not_kept_for_urgent_messages_that_do_not_come() -> None:
    clock = FakeClock(NOON)
    lane = a_lane(clock, rate=LocalRate(Rate(1, SECOND), clock))
    (place,) = entered(lane, urgent=True)
    place.leave()
    assert lane.enter() is None
    clock.advance(100)
    assert lane.enter() is not None


async def test_a_retry_after_pauses_the_rate_that_others_share() -> None:
    clock = FakeClock(NOON)
    rate = LocalRate(Rate(10, SECOND), clock)
    await ask(a_lane(clock, rate=rate), BusyError("429", retry_after=5_000))
    turn = await rate.take()
    assert (False, 4_500) == (turn.granted, turn.after)


def test_the_next_one_is_asked_past_one_that_is_left_alone_but_a_full_one_is_waited_for() -> None:
    clock = FakeClock(NOON)
    first, second = a_lane(clock, name="first"), a_lane(clock, name="second")
    assert first is choose([first, second])
    entered(first)
    assert choose([first, second]) is None
    overflowing = a_lane(clock, name="third", overflow=True)
    entered(overflowing)
    assert second is choose([overflowing, second])


async def test_all_left_alone_is_nobody() -> None:
    clock = FakeClock(NOON)
    first, second = a_lane(clock, name="first"), a_lane(clock, name="second")
    await ask(first, MisconfiguredError("401"))
    assert second is choose([first, second])
    await ask(second, MisconfiguredError("401"))
    assert choose([first, second]) is None
