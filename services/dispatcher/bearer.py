"""A bearer token that ends: fetched when it is first needed and again before it ends, once for everybody who waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from shared.clock import MINUTE, Clock, system_clock

_EARLY = MINUTE


class Granted(msgspec.Struct, frozen=True):
    """A token, and for how many ms it is good."""

    token: str
    lasts: int


class BearerToken:
    """Holds the token that ``fetch`` gets. What ``fetch`` raises, all who wait for it get."""

    def __init__(self, fetch: Callable[[], Awaitable[Granted]], *, clock: Clock = system_clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._token = ""
        self._ends = 0
        self._fetching: asyncio.Task[Granted] | None = None

    async def get(self) -> str:
        """Return a token that is good for a minute yet, or half its time where that is less."""
        if self._clock() < self._ends:
            return self._token
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._renew())
        # Who gives up waiting takes the token away from nobody.
        return (await asyncio.shield(self._fetching)).token

    def forget(self) -> None:
        """Fetch another one next time: this one was refused."""
        self._ends = 0

    async def _renew(self) -> Granted:
        try:
            asked_at = self._clock()
            granted = await self._fetch()
            self._token = granted.token
            self._ends = asked_at + granted.lasts - min(_EARLY, granted.lasts // 2)
            return granted
        finally:
            self._fetching = None
