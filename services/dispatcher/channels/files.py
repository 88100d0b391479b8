"""Files that go with a message: from its own data, or fetched from where the operator allows it."""

from __future__ import annotations

import asyncio
import binascii
import mimetypes
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence

from services.dispatcher.channels.base import Attachment
from services.dispatcher.errors import AmbiguousError, RefusedError, TemporaryError
from services.dispatcher.guard import read_url
from services.dispatcher.http1 import Http1, Request
from shared.errors import WordError
from shared.journeys.faults import shown

# Of one message together; in base64 it is what Postmark takes, and most mail servers.
_LONGEST = 7 * 1024 * 1024
_TIMEOUT = 10.0
_CONNECTIONS = 100
_UNKNOWN = "application/octet-stream"
_PREFIX = "attachment"


class Files:
    """Reads ``origins`` (``https://files.example.com``) and nothing else, whatever a contact's data says."""

    def __init__(self, origins: Iterable[str], *, timeout: float = _TIMEOUT) -> None:
        """``timeout`` (seconds) is for all files of a message. Raises WordError for what is no origin."""
        self._origins = frozenset(map(_named, origins))
        self._timeout = timeout
        self._client = Http1(connections=_CONNECTIONS, unpack=True)

    async def of(self, parts: Mapping[str, str]) -> tuple[Attachment, ...]:
        """Return the files that ``parts`` names, in their order.

        Raises RefusedError for one that may not be had or is too long, TemporaryError for one that cannot be had now:
        an invoice is often there a moment later.
        """
        described = _described(parts)
        if not described:
            return ()
        room, found = _LONGEST, []
        try:
            async with asyncio.timeout(self._timeout):
                for words in described:
                    kind, content = await self._content(words, room)
                    room -= len(content)
                    if room < 0:
                        raise RefusedError(f"the attachments are longer than {_LONGEST} bytes")
                    found.append(_attachment(words, kind, content))
        except TimeoutError as error:
            raise TemporaryError(f"the attachments took longer than {self._timeout:g} s") from error
        return tuple(found)

    async def close(self) -> None:
        """Close the connections; the next file opens new ones."""
        await self._client.close()

    async def _content(self, words: Mapping[str, str], room: int) -> tuple[str, bytes]:
        """Return the type that its server says, and the content, up to one byte more than there is room for."""
        if "data" in words:
            try:
                return "", b64decode("".join(words["data"].split()), validate=True)
            except (binascii.Error, ValueError):
                raise RefusedError("the `data` of an attachment is not base64") from None
        url = words["url"]
        if _origin(url) not in self._origins:
            raise RefusedError("an attachment of an origin that `files_from` does not name")
        try:
            answer = await self._client.ask(Request(url=url, method="GET", timeout=self._timeout, most=room))
        except (AmbiguousError, TemporaryError) as error:
            raise TemporaryError(f"an attachment: {error}") from error
        if answer.status != 200:
            raise TemporaryError(f"an attachment: HTTP {answer.status}")
        return answer.headers.get("content-type", "").partition(";")[0].strip(), answer.content


def _described(parts: Mapping[str, str]) -> Sequence[Mapping[str, str]]:
    """Return the words of each file, of parts such as ``attachment.1.name``."""
    found: dict[str, dict[str, str]] = {}
    for part, text in parts.items():
        kind, _, rest = part.partition(".")
        if kind == _PREFIX:
            number, _, word = rest.partition(".")
            found.setdefault(number, {})[word] = text.strip()
    return [found[number] for number in sorted(found, key=int)]


def _attachment(words: Mapping[str, str], said: str, content: bytes) -> Attachment:
    name = words["name"]
    kind = words.get("type") or said or mimetypes.guess_type(name)[0] or _UNKNOWN
    return Attachment(name, kind, content, words.get("cid", ""))


def _origin(url: str) -> tuple[str, str | None, int | None] | None:
    try:
        parsed = read_url(url)
    except RefusedError:
        return None
    return None if parsed.user or parsed.password else (parsed.scheme, parsed.raw_host, parsed.port)


def _named(text: str) -> tuple[str, str | None, int | None]:
    found = _origin(text)
    if found is None or found[0] not in ("https", "http") or not found[1] or read_url(text).path not in ("", "/"):
        raise WordError("files_from", f"{shown(text)} is no origin; write one such as https://files.example.com")
    return found
