"""A message as it is shown in a browser: made again of its command, which has all that it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from html import escape

import msgspec

from shared.composing.compose import compose
from shared.composing.links import Links
from shared.errors import BadMessageError
from shared.links.link import Link
from shared.log import LogRecord
from shared.messages import codec
from shared.messages.command import SendCommand
from shared.rendering import TemplateError

Fetch = Callable[[str, int], Awaitable[LogRecord | None]]
"""Returns the record of ``commands`` at an offset in the partition of a contact (its key), or one behind it.

None: there is none. Raises LogUnavailableError."""

POLICY = (
    "default-src 'none'; img-src http: https: data:; style-src 'unsafe-inline' http: https:; font-src http: https:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation"
)
"""What a mail may do in a browser: look as it does in a mail program, lead elsewhere, and run nothing."""


class Views(msgspec.Struct, frozen=True):
    """Where commands are read again, and the links that their messages have."""

    fetch: Fetch
    links: Links

    async def page(self, link: Link) -> str | None:
        """Return the message of ``link`` as a page; None: its command is kept no more. Raises LogUnavailableError."""
        offset = int(link.target)
        record = await self.fetch(link.contact, offset)
        if record is None or record.offset != offset:
            return None
        try:
            command = codec.COMMANDS.decode(record.value)
            # A topic that was created anew has other commands at the same places.
            if not isinstance(command, SendCommand) or command.command_id != link.command_id:
                return None
            # In a thread: a template may take a fifth of a second, for which nobody else waits.
            parts = await asyncio.to_thread(compose, command, link.channel, self.links, offset)
        except (BadMessageError, TemplateError):
            return None
        return parts["html"] if "html" in parts else _plain(parts.get("subject", ""), parts.get("text", ""))


def _plain(title: str, text: str) -> str:
    return (
        f'<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><pre style="white-space:pre-wrap;font:inherit">{escape(text)}</pre>'
    )
