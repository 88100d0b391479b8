"""Slack by incoming webhooks: the address is the webhook's URL. It knows no idempotency key."""

from __future__ import annotations

import msgspec

from services.dispatcher.channels.base import Message, Receipt
from services.dispatcher.channels.http import HttpApi, raise_for
from services.dispatcher.channels.kinds import TIMEOUT, Kind, Settings, Word
from services.dispatcher.errors import DeadAddressError, RefusedError

# docs.slack.dev, "Sending messages using incoming webhooks", errors: the webhook or its place is no more.
_GONE = frozenset({"no_service", "no_active_hooks", "channel_is_archived", "channel_not_found", "invalid_token"})
_LONGEST = 40_000


class SlackProvider:
    """Posts to the URLs that people of ours made in their workspace."""

    idempotent = False

    def __init__(self, provider_id: str, *, hosts: str, timeout: float, connections: int) -> None:
        self.id = provider_id
        self._prefix = hosts.rstrip("/") + "/"
        self._api = HttpApi(timeout=timeout, connections=connections, headers={"Content-Type": "application/json"})

    def takes(self, address: str) -> bool:
        """Return whether ``address`` is a webhook of Slack's: no other host is ever asked."""
        return address.startswith(self._prefix)

    async def send(self, message: Message) -> Receipt:
        """Post the text. Raises as ``Provider.send`` does."""
        text = message.parts.get("text", "")
        if len(text) > _LONGEST:
            raise RefusedError(f"longer than {_LONGEST} characters")
        answer = await self._api.post(message.address, msgspec.json.encode({"text": text}))
        said = answer.content[:64].decode("ascii", "replace")
        if said in _GONE or answer.status == 410:
            raise DeadAddressError(f"HTTP {answer.status} {said}", why="unregistered")
        raise_for(answer, f"HTTP {answer.status}")
        return Receipt()

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()


def _make(settings: Settings, connections: int) -> SlackProvider:
    return SlackProvider(
        settings.id, hosts=settings.text("hooks"), timeout=settings.seconds("timeout"), connections=connections
    )


SLACK = Kind(
    name="slack",
    channels=("slack",),
    words=(
        TIMEOUT,
        Word(
            name="hooks",
            form="url",
            default="https://hooks.slack.com/services",
            about="what every webhook's URL begins with",
        ),
    ),
    make=_make,
    # A webhook is one channel of one workspace, with a rate of its own.
    party=lambda address: address,
)
