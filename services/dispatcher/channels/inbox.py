"""The channel of ``kikkake dev`` without ``--smtp``: keeps the newest messages in memory for ``GET /v1/inbox``."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from services.dispatcher.channels.base import Message, Receipt
from services.dispatcher.errors import RefusedError

_KEPT = 1_000
_KEPT_BYTES = 64 * 1024 * 1024


class InboxChannel:
    """Takes every message. Idempotent: a repeat of a command id replaces nothing and adds nothing."""

    idempotent = True

    def __init__(self, name: str = "email", *, kept: int = _KEPT, kept_bytes: int = _KEPT_BYTES) -> None:
        """Keep the ``kept`` newest, and fewer where these are longer than ``kept_bytes`` together; always the last.

        ``name`` is the channel that it stands in for.
        """
        self.id = name
        self._kept = kept
        self._kept_bytes = kept_bytes
        self._bytes = 0
        self._messages: deque[Message] = deque()
        self._ids: set[str] = set()

    @property
    def messages(self) -> Sequence[Message]:
        """The newest messages, oldest first."""
        return tuple(self._messages)

    def takes(self, address: str) -> bool:
        """Return True: it stands in for every provider."""
        return True

    async def send(self, message: Message) -> Receipt:
        """Keep ``message``; raises RefusedError for an empty address."""
        if not message.address.strip():
            raise RefusedError("no address")
        if message.command_id not in self._ids:
            self._ids.add(message.command_id)
            self._messages.append(message)
            self._bytes += _size(message)
            while len(self._messages) > self._kept or (self._bytes > self._kept_bytes and len(self._messages) > 1):
                oldest = self._messages.popleft()
                self._ids.discard(oldest.command_id)
                self._bytes -= _size(oldest)
        return Receipt(provider_id=message.command_id)

    async def close(self) -> None:
        """Nothing to let go of."""


def _size(message: Message) -> int:
    return sum(map(len, message.parts.values()))
