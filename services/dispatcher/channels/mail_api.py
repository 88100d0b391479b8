"""What all providers of e-mail with an HTTP API have in common: who mails are from, the connections, no key of ours."""

from __future__ import annotations

from collections.abc import Mapping

from services.dispatcher.channels.http import HttpApi
from services.dispatcher.channels.kinds import Settings
from services.dispatcher.channels.mail import mails_of


class MailApi:
    """The part of a provider beside its ``send``. None of them knows an idempotency key."""

    idempotent = False

    def __init__(
        self, settings: Settings, connections: int, headers: Mapping[str, str] | None = None, *, base: str = ""
    ) -> None:
        """``base`` empty: whole URLs are posted to. Raises WordError."""
        self.id = settings.id
        self._mails = mails_of(settings)
        self._api = HttpApi(base, timeout=settings.seconds("timeout"), connections=connections, headers=headers)

    def takes(self, address: str) -> bool:
        """Return True: whether it is an address at all is found out where the reason can be told."""
        return True

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()
        await self._mails.close()
