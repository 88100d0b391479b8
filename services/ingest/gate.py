"""How much may be under way at once, and whether the log answers: who comes on top of it is turned away at once.

Nothing here waits in a queue that grows. Bounded are the requests, the bytes of their bodies (received, inflated, and
until the log has acknowledged them), and the time for which a log that does not answer is believed to be well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

import msgspec

from services.ingest.errors import OverloadedError
from shared.clock import SECOND, Clock
from shared.log import LogUnavailableError, OfferingPublisher, Output, Publisher

Answered = Callable[[Exception | None], None]

_DOUBT = 3 * SECOND
"""How long after the last failure /readyz says no. Afterwards it says yes again, or no request would ever try."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """``in_flight_bytes`` and ``requests`` at once; ``patience``: ms until an unanswered write means a stalled log."""

    in_flight_bytes: int = 32 * 1024 * 1024
    requests: int = 2_000
    patience: int = 2 * SECOND


class Gate:
    """Counts what is under way, and writes to the log while it answers."""

    def __init__(self, publisher: Publisher, bounds: Bounds, clock: Clock) -> None:
        """``clock`` is a monotonic one."""
        self._publisher = publisher
        self._offer = publisher.offer if isinstance(publisher, OfferingPublisher) else None
        self._bounds = bounds
        self._clock = clock
        self.requests = 0
        self.in_flight_bytes = 0
        # When each write began that has no answer yet, the oldest first.
        self._unanswered: dict[object, int] = {}
        self._failed_at: int | None = None

    def place(self) -> Place:
        """Return one more request's place, a block that it is in. Raises OverloadedError or LogUnavailableError."""
        if self.requests >= self._bounds.requests:
            raise OverloadedError("too many requests are under way")
        self._require_log()
        return Place(self)

    def reserve(self, size: int) -> None:
        """Count ``size`` more bytes as in flight. Raises OverloadedError."""
        if self.in_flight_bytes + size > self._bounds.in_flight_bytes:
            raise OverloadedError
        self.in_flight_bytes += size

    async def publish(self, outputs: Sequence[Output]) -> None:
        """Return once the outputs are durable. Raises LogUnavailableError, at once while the log does not answer.

        After a failure one write at a time goes through, as a probe; the first that succeeds opens the gate again.
        """
        self._require_log()
        write = object()
        self._unanswered[write] = self._clock()
        try:
            await self._publisher.publish(outputs)
        except LogUnavailableError as error:
            self._end(error)
            raise
        else:
            self._end(None)
        finally:
            del self._unanswered[write]

    def offer(self, outputs: Sequence[Output], answered: Answered) -> bool:
        """Publish as ``publish`` does if nothing has to be waited for to begin with; return whether that was done.

        ``answered`` is called later, once, and must not raise. Raises as ``publish`` does when the log is known to be
        away.
        """
        if self._offer is None:
            return False
        self._require_log()

        write = _Offered(self._unanswered, self._end, answered)
        begun = self._offer(outputs, write)
        if begun:
            self._unanswered[write] = self._clock()
        return begun

    def _end(self, error: Exception | None) -> None:
        """Note how a write has ended."""
        if error is None:
            self._failed_at = None
        elif isinstance(error, LogUnavailableError):
            self._failed_at = self._clock()

    def is_open(self) -> bool:
        """Return whether the log has answered of late, as far as anybody has asked it."""
        now = self._clock()
        return not self._is_stalled(now) and (self._failed_at is None or now - self._failed_at > _DOUBT)

    def _require_log(self) -> None:
        if self._is_stalled(self._clock()) or (self._failed_at is not None and self._unanswered):
            raise LogUnavailableError

    def _is_stalled(self, now: int) -> bool:
        oldest = next(iter(self._unanswered.values()), now)
        return now - oldest > self._bounds.patience


class _Offered:
    """A write that is answered by a call. No closure: one that names itself is garbage that has to be looked for."""

    __slots__ = ("_answered", "_end", "_unanswered")

    def __init__(self, unanswered: dict[object, int], end: Answered, answered: Answered) -> None:
        self._unanswered = unanswered
        self._end = end
        self._answered = answered

    def __call__(self, error: Exception | None) -> None:
        del self._unanswered[self]
        self._end(error)
        self._answered(error)


class Place:
    """One request's share of what may be under way: itself from the start of the block, and the bytes it holds."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._held = 0

    def hold(self, size: int) -> None:
        """Hold ``size`` bytes more. Raises OverloadedError."""
        self._gate.reserve(size)
        self._held += size

    def enter(self) -> Self:
        """Count the request, until it leaves."""
        self._gate.requests += 1
        return self

    def leave(self) -> None:
        """Count it, and the bytes that it held, no more."""
        self._gate.requests -= 1
        self._gate.in_flight_bytes -= self._held

    def __enter__(self) -> Self:
        """Enter."""
        return self.enter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave."""
        self.leave()
