"""What a provider is asked over time, where one process is alone; for many: ``redis_rates``."""

from __future__ import annotations

from typing import Protocol

from services.dispatcher.core.rate import Rate, Turn, turn
from shared.clock import Clock
from shared.errors import RetryableError


class RateUnavailableError(RetryableError):
    """Whose turn it is could not be found out."""


class RateLimit(Protocol):
    """Turns at one provider. Contract: tests/contract/test_rate.py."""

    rate: Rate

    async def take(self) -> Turn:
        """Take a turn, or learn when to ask again. Raises RateUnavailableError. A turn that is not used is lost."""

    async def pause(self, milliseconds: int) -> None:
        """Give nobody a turn for so long: the provider asked for it. Best effort, twice is harmless."""


class LocalRate:
    """A ``RateLimit`` of one process."""

    def __init__(self, rate: Rate, clock: Clock) -> None:
        self.rate = rate
        self._clock = clock
        self._free_at = 0

    async def take(self) -> Turn:
        """Take a turn."""
        given, self._free_at = turn(self._free_at, self._clock() * 1000, self.rate)
        return given

    async def pause(self, milliseconds: int) -> None:
        """Put the next turn off."""
        self._free_at = max(self._free_at, (self._clock() + milliseconds) * 1000)
