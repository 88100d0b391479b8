"""What every connector promises: one request in, plain data or one of three kinds of error out."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from shared.errors import PermanentError


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One call. ``command_id`` is its idempotency key; ``contact`` the contact's key (``u:`` and the userId)."""

    command_id: str
    contact: str
    arguments: dict[str, Any]


class AnswerTooLargeError(PermanentError):
    """What the connector answered is longer than anybody wants to read."""


class Connector(Protocol):
    """A service that journeys may ask. Implementations hold their connections and are used by many tasks at once."""

    async def call(self, request: Request) -> Any:
        """Ask and return the answer as plain data (JSON).

        Raises TemporaryError (ask again), RefusedError (never) or AnswerTooLargeError, in bounded time. If this runs
        twice for one ``command_id``, the service does once what it was asked: it has the id as its idempotency key.
        """

    async def close(self) -> None:
        """Let go of all connections. Running it twice is harmless."""
