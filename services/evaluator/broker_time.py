"""What time the broker has, as far as a worker can tell."""

from __future__ import annotations

from shared.clock import Clock


class BrokerTime:
    """This machine's clock, or the log's own time where that is later.

    A tick is worth writing once the broker would stamp it with a time past the timer's. By its own clock alone, a
    machine that is an hour behind would let every timer of a quiet log wait for that hour. One that is ahead only
    writes ticks that fire nothing yet.
    """

    def __init__(self, clock: Clock, pace: Clock) -> None:
        """``clock`` is this machine's; ``pace`` counts ms and must not go back."""
        self._clock = clock
        self._pace = pace
        self._shown = 0
        self._at = pace()

    def observe(self, appended: int) -> None:
        """Take note that a record which the broker stamped ``appended`` has just been read."""
        self._shown, self._at = appended, self._pace()

    def now(self) -> int:
        """Return the time in ms; never later than the broker's unless this machine's clock is ahead of it."""
        return max(self._clock(), self._shown + self._pace() - self._at)
