"""What a provider is asked over time by all dispatchers together: one number in Redis, turns for many in one call."""

from __future__ import annotations

import asyncio
import contextlib

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.dispatcher.core.rate import HORIZON, Rate, Turn
from services.dispatcher.rates import RateUnavailableError

_LOG = structlog.get_logger(__name__)
_PATIENCE = 1.5
_BATCH = 256

# KEYS: when the next turn is free, in microseconds of Redis's clock. ARGV: interval and horizon in microseconds, how
# many turns. Answers how many are given, and when the first of these, or the next to ask for, is: in microseconds.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, horizon = tonumber(ARGV[1]), tonumber(ARGV[2])
local at = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local given = 0
if at - now <= horizon then
  given = math.min(tonumber(ARGV[3]), math.floor((now + horizon - at) / interval) + 1)
  redis.call('SET', KEYS[1], string.format('%.0f', at + given * interval),
    'PX', math.ceil((at + given * interval - now) / 1000) + 1000)
end
return {given, at - now}
"""

# KEYS as above. ARGV: for how long, in ms.
_PAUSE = """
local time = redis.call('TIME')
local free = time[1] * 1000000 + time[2] + ARGV[1] * 1000
if tonumber(redis.call('GET', KEYS[1]) or 0) < free then
  redis.call('SET', KEYS[1], string.format('%.0f', free), 'PX', ARGV[1] + 1000)
end
"""


class RedisRate:
    """A ``RateLimit`` of all who name the same provider in the same Redis. Those who ask at once share one call.

    What Redis forgets is when the last turn was: once, two are nearer than they should be.
    """

    def __init__(self, redis: Redis, provider: str, rate: Rate, *, prefix: str) -> None:
        self.rate = rate
        self._provider = provider
        self._key = f"kikkake:{prefix}rate:{provider}"
        self._take = redis.register_script(_TAKE)
        self._pause = redis.register_script(_PAUSE)
        self._waiting: list[asyncio.Future[Turn]] = []
        self._asking: asyncio.Task[None] | None = None

    async def take(self) -> Turn:
        """Take a turn."""
        answer: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        return await answer

    async def pause(self, milliseconds: int) -> None:
        """Put everybody's next turn off; without Redis nothing is sent anyway."""
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await self._pause([self._key], [milliseconds])

    async def _ask(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            interval = self.rate.interval
            try:
                async with asyncio.timeout(_PATIENCE):
                    given, first = await self._take([self._key], [interval, HORIZON * 1000, len(batch)])
                turns = _turns(len(batch), int(given), int(first), interval)
            except Exception as error:  # noqa: BLE001 - whatever it is, everyone who waits must hear of it
                _LOG.warning("dispatcher.rate_unknown", provider=self._provider, reason=type(error).__name__)
                for future in batch:
                    if not future.done():
                        future.set_exception(RateUnavailableError(type(error).__name__))
                continue
            for future, turn in zip(batch, turns, strict=True):
                if not future.done():
                    future.set_result(turn)


def _turns(count: int, given: int, first: int, interval: int) -> list[Turn]:
    """Return the turns of ``count`` who asked at once; the first ``given`` have one, ``first`` µs from now."""
    waits = [-(-(first + number * interval) // 1000) for number in range(count)]
    return [
        Turn(number < given, wait if number < given else max(1, wait - HORIZON)) for number, wait in enumerate(waits)
    ]
