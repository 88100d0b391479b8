"""Claims on a real Redis: one winner, nothing after a takeover, back by itself after loss, kill and hang."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from time import monotonic

import pytest
from redis.asyncio import Redis

from services.dispatcher.claims import RedisClaims, Tenure, connect
from services.dispatcher.ports import ClaimsUnavailableError, FencedError
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.integration


class Confirm:
    """Counts; fails when a later owner is in the log."""

    def __init__(self) -> None:
        self.asked = 0
        self.fenced = False

    async def __call__(self) -> None:
        self.asked += 1
        if self.fenced:
            raise FencedError


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """One of our own: these tests kill it."""
    with RedisServer() as server:
        yield server


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    client = connect(redis_server.url)
    yield client
    await client.aclose()


def claims_of(redis: Redis, scope: str, term: int, confirm: Confirm | None = None, lease: int = 60_000) -> RedisClaims:
    return RedisClaims(redis, Tenure(scope=scope, term=term, lease=lease), confirm=confirm or Confirm())


async def test_an_owner_claims_after_writing_its_term(redis: Redis) -> None:
    claims = claims_of(redis, "first", 7)
    assert "rebuild_first" == await claims.acquire("m1")
    await claims.rebuild()
    assert ["granted"] * 300 == await asyncio.gather(*[claims.acquire(f"m{number}") for number in range(300)])
    assert "granted" == await claims.acquire("m1")


async def test_a_later_owner_waits_only_for_what_a_former_one_may_have_with_a_provider(redis: Redis) -> None:
    """A process that was killed a moment after its provider had refused never gave its claim back."""
    former, later = claims_of(redis, "heir", 1), claims_of(redis, "heir", 2)
    await former.rebuild()
    for name in ("in hand", "deferred"):
        assert "granted" == await former.acquire(name)
    await later.rebuild()
    assert "held_elsewhere" == await later.acquire("deferred")
    later.respect(["in hand"])
    answers = await asyncio.gather(later.acquire("deferred"), later.acquire("in hand"))
    assert ["granted", "held_elsewhere"] == list(answers)
    with pytest.raises(FencedError):
        await former.acquire("deferred")


async def test_asking_whether_a_claim_could_be_had_takes_none(redis: Redis) -> None:
    former, owner = claims_of(redis, "ask", 7), claims_of(redis, "ask", 9)
    assert "rebuild_first" == await former.acquire(None)
    await former.rebuild()
    assert "granted" == await former.acquire(None)
    await owner.rebuild()
    assert "granted" == await owner.acquire("m1")
    with pytest.raises(FencedError):
        await former.acquire(None)


async def test_of_two_claimants_one_wins(redis: Redis) -> None:
    """The former owner's claim holds off the next for one lease; the former itself gets nothing any more."""
    former, owner = claims_of(redis, "two", 7, lease=300), claims_of(redis, "two", 9)
    await former.rebuild()
    assert "granted" == await former.acquire("m1")
    await owner.rebuild()
    assert "held_elsewhere" == await owner.acquire("m1")
    assert "granted" == await owner.acquire("m2")
    with pytest.raises(FencedError):
        await former.acquire("m2")
    with pytest.raises(FencedError):
        await former.rebuild()
    await asyncio.sleep(0.35)
    assert "granted" == await owner.acquire("m1")


async def test_what_is_released_can_be_claimed_at_once(redis: Redis) -> None:
    former, owner = claims_of(redis, "release", 1), claims_of(redis, "release", 2)
    await former.rebuild()
    await former.acquire("m1")
    await former.release("m1")
    await former.acquire("m2")
    await owner.rebuild()
    assert "granted" == await owner.acquire("m1")
    assert "held_elsewhere" == await owner.acquire("m2")


async def test_what_is_released_is_given_back_also_when_nothing_else_is_asked(redis: Redis) -> None:
    former, owner = claims_of(redis, "alone", 1), claims_of(redis, "alone", 2)
    await former.rebuild()
    await former.acquire("m1")
    await former.release("m1")
    async with asyncio.timeout(5):
        while await redis.exists("kikkake:{alone}:m1"):
            await asyncio.sleep(0.02)
    await owner.rebuild()
    assert "granted" == await owner.acquire("m1")


async def test_after_a_flush_the_log_is_asked_before_anything_is_granted(redis: Redis) -> None:
    confirm = Confirm()
    claims = claims_of(redis, "flush", 7, confirm)
    await claims.rebuild()
    await redis.delete("kikkake:{flush}:owner")
    assert "rebuild_first" == await claims.acquire("m1")
    confirm.fenced = True
    with pytest.raises(FencedError):
        await claims.rebuild()
    assert "rebuild_first" == await claims.acquire("m1")
    confirm.fenced = False
    await claims.rebuild()
    assert "granted" == await claims.acquire("m1")
    assert 3 == confirm.asked


async def test_a_copy_that_went_back_in_time_is_rebuilt_too(redis: Redis) -> None:
    """Redis restored an older snapshot: its term is lower than ours."""
    claims = claims_of(redis, "older", 9)
    await claims.rebuild()
    await redis.hset("kikkake:{older}:owner", "term", "7")
    assert "rebuild_first" == await claims.acquire("m1")


async def test_a_rebuilt_copy_knows_what_is_in_somebody_s_hands(redis: Redis) -> None:
    owner = RedisClaims(redis, Tenure(scope="held", term=7, lease=60_000), confirm=Confirm(), held=lambda: ["m1"])
    await owner.rebuild()
    assert await redis.exists("kikkake:{held}:m1")


async def test_a_dead_redis_is_an_error_within_the_bound_and_comes_back(own_redis: RedisServer) -> None:
    client = connect(own_redis.url)
    claims = claims_of(client, "killed", 7)
    await claims.rebuild()
    own_redis.kill()
    began = monotonic()
    with pytest.raises(ClaimsUnavailableError):
        await claims.acquire("m1")
    assert 2 > monotonic() - began
    own_redis.start()
    assert "granted" == await claims.acquire("m1")
    await client.aclose()


async def test_a_hung_redis_is_an_error_within_the_bound_and_comes_back(own_redis: RedisServer) -> None:
    client = connect(own_redis.url)
    claims = claims_of(client, "hung", 7)
    await claims.rebuild()
    assert own_redis.pid is not None
    os.kill(own_redis.pid, signal.SIGSTOP)
    began = monotonic()
    answers = await asyncio.gather(*[claims.acquire(f"m{n}") for n in range(50)], return_exceptions=True)
    assert {ClaimsUnavailableError} == {type(answer) for answer in answers}
    assert 2 > monotonic() - began
    os.kill(own_redis.pid, signal.SIGCONT)
    assert "granted" == await claims.acquire("m1")
    await client.aclose()
