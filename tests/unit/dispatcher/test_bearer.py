"""A token that ends: fetched once for everybody, before it ends, and again after a failure."""

from __future__ import annotations

import asyncio

from services.dispatcher.bearer import BearerToken, Granted
from services.dispatcher.errors import UnavailableError
from shared.clock import HOUR, MINUTE, SECOND


class Server:
    """Grants ``t1``, ``t2``, …, each good for ``lasts`` ms, once it is let."""

    def __init__(self, lasts: int = HOUR) -> None:
        self.lasts = lasts
        self.now = 0
        self.fetched = 0
        self.fails = 0
        self.may = asyncio.Event()
        self.may.set()

    async def fetch(self) -> Granted:
        self.fetched += 1
        number = self.fetched
        await self.may.wait()
        if self.fails:
            self.fails -= 1
            raise UnavailableError("nobody there")
        return Granted(f"t{number}", self.lasts)

    def token(self) -> BearerToken:
        return BearerToken(self.fetch, clock=lambda: self.now)


async def test_it_is_fetched_once_until_a_minute_before_it_ends() -> None:
    server = Server()
    token = server.token()
    assert ["t1", "t1"] == [await token.get(), await token.get()]
    server.now = HOUR - MINUTE - 1
    assert "t1" == await token.get()
    server.now += 1
    assert "t2" == await token.get()


async def test_a_short_one_is_used_for_half_its_time() -> None:
    server = Server(lasts=10 * SECOND)
    token = server.token()
    await token.get()
    server.now = 5 * SECOND - 1
    assert "t1" == await token.get()
    server.now += 1
    assert "t2" == await token.get()


async def test_everybody_who_waits_gets_the_same_one_though_one_gives_up() -> None:
    server = Server()
    server.may.clear()
    token = server.token()
    waiting = [asyncio.create_task(token.get()) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    server.may.set()
    assert ["t1"] * 4 == await asyncio.gather(*waiting[1:])
    assert 1 == server.fetched


async def test_a_failure_is_everybodys_who_waits_and_nobodys_later() -> None:
    server = Server()
    server.fails = 1
    token = server.token()
    failed = await asyncio.gather(token.get(), token.get(), return_exceptions=True)
    assert [UnavailableError, UnavailableError] == [type(error) for error in failed]
    assert ("t2", 2) == (await token.get(), server.fetched)


async def test_one_that_was_refused_is_fetched_anew() -> None:
    server = Server()
    token = server.token()
    await token.get()
    token.forget()
    assert "t2" == await token.get()


async def test_one_that_does_not_last_is_fetched_each_time() -> None:
    server = Server(lasts=0)
    token = server.token()
    assert ["t1", "t2"] == [await token.get(), await token.get()]
