"""Signed webhooks (Standard Webhooks): the address is a URL of the contact's own server, the text its body.

The receiver is told to keep to ``webhook-id``, which is the command's id: a repeat is no second message.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

from standardwebhooks import Webhook

from services.dispatcher.channels.base import Message, Receipt
from services.dispatcher.channels.kinds import ALLOW, TIMEOUT, Kind, Settings, Word
from services.dispatcher.channels.receivers import Receivers, raise_for_receiver
from services.dispatcher.guard import Guard
from shared.clock import Clock, system_clock
from shared.errors import WordError

_PREFIX = "whsec_"
# Standard Webhooks, "Signature scheme": a secret has 24 to 64 random bytes.
_SECRET_BYTES = 24
_GONE = frozenset({410})


class WebhookProvider:
    """Posts what was rendered to contacts' servers, signed with every secret of ``secrets``, the newest first."""

    idempotent = True

    def __init__(
        self,
        provider_id: str,
        *,
        secrets: Sequence[str],
        guard: Guard,
        content_type: str,
        timeout: float,
        connections: int,
        clock: Clock = system_clock,
    ) -> None:
        """Raises WordError where there is no secret, or one that is none."""
        self.id = provider_id
        if not secrets:
            raise WordError("secrets", "`secrets` has none; give the one that receivers check with")
        self._signers = [_signer(secret) for secret in secrets]
        self._clock = clock
        headers = {"Content-Type": content_type}
        self._receivers = Receivers(guard, timeout=timeout, connections=connections, headers=headers)

    def takes(self, address: str) -> bool:
        """Return True: whether it is a URL that may be asked is found out where the reason can be told."""
        return True

    async def send(self, message: Message) -> Receipt:
        """Post the text. Raises as ``Provider.send`` does."""
        body = message.parts.get("text", "")
        answer = await self._receivers.post(message.address, body.encode(), self._signed(message.command_id, body))
        raise_for_receiver(answer, dead=_GONE, kept=False)
        return Receipt(provider_id=message.command_id)

    async def close(self) -> None:
        """Close the connections."""
        await self._receivers.close()

    def _signed(self, command_id: str, body: str) -> dict[str, str]:
        """Return the headers of an attempt that is made now."""
        now = datetime.fromtimestamp(self._clock() // 1000, UTC)
        return {
            "webhook-id": command_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signer.sign(command_id, now, body) for signer in self._signers),
        }


def _signer(secret: str) -> Webhook:
    try:
        # It takes what it is given; whatever is no base64 would be a secret that no receiver has.
        length = len(binascii.a2b_base64(secret.removeprefix(_PREFIX), strict_mode=True))
        if secret.startswith(_PREFIX) and length >= _SECRET_BYTES:
            return Webhook(secret)
    except (binascii.Error, ValueError):
        pass
    raise WordError(
        "secrets",
        f"a secret is not `whsec_` and {_SECRET_BYTES} random bytes or more in base64; "
        "make one with: echo whsec_$(openssl rand -base64 32)",
    )


def _server(address: str) -> str:
    try:
        return urlsplit(address).netloc
    except ValueError:
        return address


def _make(settings: Settings, connections: int) -> WebhookProvider:
    return WebhookProvider(
        settings.id,
        secrets=settings.texts("secrets"),
        guard=Guard(settings.texts("allow"), ports=(443, *(settings.values["ports"] or ()))),
        content_type=settings.text("content_type"),
        timeout=settings.seconds("timeout"),
        connections=connections,
    )


WEBHOOK = Kind(
    name="webhook",
    channels=("webhook",),
    words=(
        Word(name="secrets", form="secrets", needed=True, about="what is signed with; two while one takes over"),
        Word(name="content_type", default="application/json", about="of what the template says"),
        TIMEOUT,
        Word(name="ports", form="ports", about="ports that may be asked besides 443; hosts of `allow` on any"),
        ALLOW,
    ),
    make=_make,
    party=_server,
)
