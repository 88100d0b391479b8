"""The channel of ``kikkake dev`` without ``--smtp``: keeps the newest messages in memory for ``GET /v1/inbox``."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from services.dispatcher.channels.base import Message, Receipt
from services.dispatcher.lanes import RefusedError

_KEPT = 1_000


class InboxChannel:
    """Takes every message. Idempotent: a repeat of a command id replaces nothing and adds nothing."""

    idempotent = True

    def __init__(self, name: str = "email", *, kept: int = _KEPT) -> None:
        self.name = name
        self._messages: deque[Message] = deque(maxlen=kept)
        self._ids: set[str] = set()

    @property
    def messages(self) -> Sequence[Message]:
        """The newest messages, oldest first."""
        return tuple(self._messages)

    async def send(self, message: Message) -> Receipt:
        """Keep ``message``; raises RefusedError for an empty address."""
        if not message.address.strip():
            raise RefusedError("no address")
        if message.command_id not in self._ids:
            if len(self._messages) == self._messages.maxlen:
                self._ids.discard(self._messages[0].command_id)
            self._ids.add(message.command_id)
            self._messages.append(message)
        return Receipt(provider_id=message.command_id)

    async def close(self) -> None:
        """Nothing to let go of."""
