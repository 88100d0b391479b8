"""The breaker of one server: told of every call, asked before each."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
import structlog

from services.dispatcher.core.breaker import Breaker, BreakerPolicy, answered, failed, is_silent, opened, paused
from services.dispatcher.errors import (
    AmbiguousError,
    BusyError,
    MisconfiguredError,
    TemporaryError,
    UnavailableError,
)
from shared.clock import Clock, system_clock
from shared.errors import PermanentError

_LOG = structlog.get_logger(__name__)
R = TypeVar("R")


class CircuitOptions(msgspec.Struct, frozen=True, kw_only=True):
    """``provider`` is what logs call it; ``left_alone`` is called when it opens."""

    provider: str
    left_alone: Callable[[], None]
    policy: BreakerPolicy = BreakerPolicy()
    clock: Clock = system_clock
    jitter: Callable[[], float] = random.random


class Circuit:
    """``probing``: a call is on its way that finds out whether the server is back."""

    def __init__(self, options: CircuitOptions) -> None:
        self.breaker = Breaker()
        self.probing = False
        self._options = options
        self._asked: dict[object, int] = {}
        self._answered_at = 0

    @property
    def idle(self) -> bool:
        """Whether no call is under way."""
        return not self._asked

    @property
    def closed(self) -> bool:
        """Whether all may pass."""
        self._notice_silence()
        return self.breaker.until is None

    @property
    def ready(self) -> bool:
        """Whether one may pass now: all while it is closed, one at a time while it is half open."""
        self._notice_silence()
        state = self.breaker.state(self._options.clock())
        return state == "closed" or (state == "half_open" and not self.probing)

    async def ask(self, call: Awaitable[R]) -> R:
        """Await ``call`` to the server, and judge what it comes to."""
        token = object()
        self._asked[token] = self._options.clock()
        try:
            answer = await call
        except Exception as error:
            self._failed(error)
            raise
        else:
            self._answered()
            return answer
        finally:
            del self._asked[token]

    def _notice_silence(self) -> None:
        if self._asked and self.breaker.until is None:
            now, policy = self._options.clock(), self._options.policy
            if is_silent(next(iter(self._asked.values())), self._answered_at, now, policy):
                self._move(opened(self.breaker, now, self._options.jitter(), policy), "no answer")

    def _answered(self) -> None:
        self._answered_at = self._options.clock()
        self._move(answered(self.breaker, self._answered_at), "")

    def _failed(self, error: Exception) -> None:
        """Judge ``error``: what says nothing of the server but of the message is an answer like any other."""
        now, jitter, policy = self._options.clock(), self._options.jitter(), self._options.policy
        match error:
            case MisconfiguredError():
                _LOG.error(
                    "dispatcher.provider_refuses_us",
                    provider=self._options.provider,
                    reason=str(error),
                    do="correct what providers.yaml says of it, or the account there",
                )
                again = self.breaker.state(now) == "open"
                breaker = self.breaker if again else opened(self.breaker, now, jitter, policy)
            case BusyError(retry_after=int(after)) if after > 0:
                breaker = paused(self.breaker, now, after)
            case BusyError() | UnavailableError() | AmbiguousError():
                breaker = failed(self.breaker, now, jitter, policy)
            case TemporaryError() | PermanentError():
                return self._answered()
            case _:
                breaker = failed(self.breaker, now, jitter, policy)
        return self._move(breaker, str(error) or type(error).__name__)

    def _move(self, breaker: Breaker, reason: str) -> None:
        former, self.breaker = self.breaker, breaker
        provider = self._options.provider
        if former.until is None and breaker.until is not None:
            _LOG.warning("dispatcher.provider_left_alone", provider=provider, reason=reason)
            self._options.left_alone()
        elif former.until is not None and breaker.until is None:
            _LOG.warning("dispatcher.provider_back", provider=provider)
