"""Countdown pictures as they are asked for: drawn in a thread, once for all who look in the same second."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import msgspec

from services.ingest.errors import TooManyLinksError
from services.ingest.links.pictures import draw
from services.ingest.pace import Pace
from shared.clock import SECOND
from shared.links.seals import Seals
from shared.rendering.countdown import Countdown

PER_SECOND = 10
"""Pictures that are drawn in a second in a process: a third of a core at the most."""
_KEPT = 64
"""Pictures of the last seconds that are kept: some 36 KB each."""
_DECODER = msgspec.msgpack.Decoder(Countdown)


class Countdowns:
    """Draws at the pace of ``pace``; what somebody has just seen is not drawn again."""

    def __init__(self, seals: Seals, pace: Pace | None = None) -> None:
        self._seals = seals
        self._pace = pace or Pace(PER_SECOND)
        self._drawn: OrderedDict[tuple[Countdown, int], asyncio.Task[bytes]] = OrderedDict()

    def countdown_of(self, token: str) -> Countdown | None:
        """Return what ``token`` was sealed as; None: it was not."""
        content = self._seals.open("countdown", token)
        try:
            return None if content is None else _DECODER.decode(content)
        except msgspec.DecodeError:
            return None

    async def picture(self, countdown: Countdown, now: int) -> bytes:
        """Return the picture as it is at ``now``. Raises TooManyLinksError."""
        left = max(0, countdown.deadline - now) // SECOND * SECOND
        task = self._drawn.get((countdown, left))
        if task is None:
            if not self._pace.take():
                raise TooManyLinksError
            task = asyncio.create_task(asyncio.to_thread(draw, countdown, left))
            self._drawn[countdown, left] = task
            if len(self._drawn) > _KEPT:
                self._drawn.popitem(last=False)
        # Whoever goes away takes no picture from the others.
        return await asyncio.shield(task)
