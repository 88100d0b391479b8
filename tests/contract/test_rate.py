"""One suite for every rate limit: never two turns nearer than its interval, whoever asks, and a pause holds for all."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any, cast
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from services.dispatcher.claims import connect
from services.dispatcher.core.rate import HORIZON, Rate
from services.dispatcher.rates import LocalRate, RateLimit, RateUnavailableError
from services.dispatcher.redis_rates import RedisRate
from shared.clock import HOUR, MINUTE, SECOND, monotonic_clock
from tests.servers.process import free_port
from tests.servers.redis import RedisServer

Make = Callable[[Rate], RateLimit]
"""Makes the limit as another replica would: the same rate of the same provider."""


@pytest.fixture(params=["local", pytest.param("redis", marks=pytest.mark.integration)])
async def make(request: pytest.FixtureRequest) -> AsyncIterator[Make]:
    if request.param == "local":
        known: dict[Rate, RateLimit] = {}
        yield lambda rate: known.setdefault(rate, LocalRate(rate, monotonic_clock))
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    clients = [connect(server.url) for _ in range(3)]
    prefix = f"t-{uuid4().hex[:8]}."
    left = list(clients)
    yield lambda rate: RedisRate(left.pop(), "one", rate, prefix=prefix)
    for client in clients:
        await client.aclose()


async def test_turns_are_an_interval_apart_whoever_asks(make: Make) -> None:
    rate = Rate(100, SECOND)
    replicas = [make(rate) for _ in range(3)]
    began = monotonic_clock()
    turns = await asyncio.gather(*[replicas[number % 3].take() for number in range(90)])
    given = sorted(turn.after for turn in turns if turn.granted)
    # Those that are told to come again could not have had theirs within the horizon.
    assert 50 <= len(given) <= 51 + (monotonic_clock() - began) // 10
    assert all(later - sooner >= 9 for sooner, later in itertools.pairwise(given))
    assert {True} == {1 <= turn.after <= 500 for turn in turns if not turn.granted}


async def test_who_comes_again_when_told_gets_a_turn(make: Make) -> None:
    limit = make(Rate(10, SECOND))
    turns = [await limit.take() for _ in range(8)]
    refused = next(turn for turn in turns if not turn.granted)
    await asyncio.sleep(refused.after / 1000)
    assert (await limit.take()).granted


@pytest.mark.parametrize(("rate", "interval"), [(Rate(50, SECOND), 20_000), (Rate(7, MINUTE), 8_571_429)])
def test_an_interval_is_never_too_short(rate: Rate, interval: int) -> None:
    assert interval == rate.interval


async def test_one_an_hour_is_one(make: Make) -> None:
    limit = make(Rate(1, HOUR))
    first, second = await limit.take(), await limit.take()
    assert (True, 0) == (first.granted, first.after)
    assert not second.granted
    assert HOUR - HORIZON - 2_000 <= second.after <= HOUR


async def test_a_pause_holds_for_all(make: Make) -> None:
    rate = Rate(50, SECOND)
    mine, others = make(rate), make(rate)
    await mine.pause(60_000)
    turn = await others.take()
    assert not turn.granted
    assert 55_000 <= turn.after <= 60_000


class Nonsense:
    """Answers with ``answers``, one after another, whatever the script asks."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)

    def register_script(self, _: str) -> Any:
        async def script(_keys: Any, _arguments: Any) -> Any:
            return self._answers.pop(0)

        return script


@pytest.mark.parametrize("nonsense", [None, [1], [b"x", b"y"], [1, None]])
async def test_an_answer_that_is_none_keeps_nobody_waiting(nonsense: Any) -> None:
    limit = RedisRate(cast("Redis", Nonsense(nonsense, [2, 0])), "one", Rate(50, SECOND), prefix="")
    found = await asyncio.gather(limit.take(), limit.take(), return_exceptions=True)
    assert [RateUnavailableError, RateUnavailableError] == [type(error) for error in found]
    assert [0, 20] == [turn.after for turn in await asyncio.gather(limit.take(), limit.take())]


@pytest.mark.integration
async def test_without_redis_nobody_has_a_turn() -> None:
    client = connect(f"redis://127.0.0.1:{free_port()}/0")
    limit = RedisRate(client, "one", Rate(50, SECOND), prefix="")
    await limit.pause(1_000)
    with pytest.raises(RateUnavailableError):
        await limit.take()
    await client.aclose()
