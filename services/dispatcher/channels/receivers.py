"""Servers that contacts name, by webhooks and push subscriptions: each answers for itself alone.

One that is down, hostile or refuses says nothing of the others, or anybody could stop the provider for everybody: each
is a party of its own, its absence counts as the message's attempt, and no answer of it is called a fault of ours.
"""

from __future__ import annotations

from collections.abc import Mapping

from services.dispatcher.channels.http import HttpApi
from services.dispatcher.errors import (
    AmbiguousError,
    BusyError,
    DeadAddressError,
    RefusedError,
    UnavailableError,
)
from services.dispatcher.guard import Guard
from services.dispatcher.http1 import Answer

_LATER = frozenset({408, 425, 429, 503})


class Receivers:
    """Posts to the URLs of contacts' data that ``guard`` allows."""

    def __init__(self, guard: Guard, *, timeout: float, connections: int, headers: Mapping[str, str]) -> None:
        self._api = HttpApi(timeout=timeout, connections=connections, headers=headers, guard=guard)

    async def post(self, url: str, content: bytes, headers: Mapping[str, str]) -> Answer:
        """Post ``content`` and return the answer. Raises BusyError, AmbiguousError and RefusedError."""
        try:
            return await self._api.post(url, content, headers)
        except UnavailableError as error:
            raise BusyError(str(error)) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()


def raise_for_receiver(answer: Answer, *, dead: frozenset[int], kept: bool) -> None:
    """Raise what ``answer`` means; nothing for a 2xx. ``dead`` are the statuses with which a receiver ends.

    ``kept``: after a 500, 502 or 504 it may have the message all the same.
    """
    status = answer.status
    detail = f"HTTP {status}"
    if 200 <= status < 300:
        return
    if status in dead:
        raise DeadAddressError(detail, why="unregistered")
    if status >= 500 and status not in _LATER and kept:
        raise AmbiguousError(detail)
    if status >= 500 or status in _LATER:
        raise BusyError(detail, retry_after=answer.retry_after)
    raise RefusedError(detail)
