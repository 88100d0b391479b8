"""A connector that is an HTTP API: JSON there, JSON back, the command id as ``Idempotency-Key``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from services.dispatcher import http1
from services.dispatcher.connectors.auth import Auth, Authorizer
from services.dispatcher.connectors.base import AnswerTooLargeError, Request
from services.dispatcher.connectors.filling import filled, filled_url
from services.dispatcher.errors import AmbiguousError, BusyError, RefusedError, TemporaryError, UnavailableError
from services.dispatcher.http1 import Answer, Http1

BODY_BYTES = 256 * 1024
"""Of an answer, before ``answer`` picks what is kept of it."""
_TRY_LATER = frozenset({408, 425, 429})


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where to ask and how. ``timeout`` is in seconds, for the whole exchange. ``success`` empty: any 2xx.

    ``answer`` names what is kept of the answer: the name in the context, and the path to the value (``data.code``).
    Empty: the whole answer. ``connections`` is how many calls may be under way at once. ``url`` and ``body`` may have
    placeholders; without a ``body`` the call's arguments are sent as they are. ``auth`` says who asks.
    """

    url: str
    method: str = "POST"
    headers: Mapping[str, str] = {}
    timeout: float = 10.0
    success: frozenset[int] = frozenset()
    answer: Mapping[str, str] = {}
    connections: int = 8
    body: Any = None
    auth: Auth | None = None


class HttpConnector:
    """Asks one URL. Follows no redirect: whoever answers is who the operator named."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._client = Http1(connections=settings.connections, unpack=True, proxies=True)
        self._authorizer = Authorizer(settings.auth, self._grant)

    async def call(self, request: Request) -> Any:
        """Ask and return what ``answer`` picks; null for an answer without a body.

        429, 408, 425, 5xx and whatever keeps the answer from arriving are temporary, every other refusal is final.
        """
        settings = self._settings
        whole = {"command_id": request.command_id, "contact": request.contact, "arguments": request.arguments}
        content = msgspec.json.encode(whole if settings.body is None else filled(settings.body, request))
        url = filled_url(settings.url, request)
        headers = {**settings.headers, "Content-Type": "application/json", "Idempotency-Key": request.command_id}
        try:
            async with asyncio.timeout(settings.timeout):
                headers |= await self._authorizer.headers()
                answer = await self._ask(settings.method, url, content, headers)
        except TimeoutError as error:
            raise UnavailableError(f"no answer within {settings.timeout:g} s") from error
        if not self._is_well(answer.status):
            if answer.status == 401 and self._authorizer.refused():
                raise TemporaryError("HTTP 401: the token is not accepted any more")
            if answer.status >= 500 or answer.status in _TRY_LATER:
                raise BusyError(f"HTTP {answer.status}", retry_after=answer.retry_after)
            raise RefusedError(f"HTTP {answer.status}")
        return self._read(answer.content)

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        await self._client.close()

    async def _grant(self, url: str, content: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        # Everybody waits for the one token, and nobody's time-out ends its fetching.
        answer = await self._ask("POST", url, content, headers)
        return answer.status, answer.content

    async def _ask(self, method: str, url: str, content: bytes, headers: Mapping[str, str]) -> Answer:
        """Return the answer. Raises UnavailableError and AnswerTooLargeError."""
        asked = http1.Request(
            url=url, method=method, content=content, headers=headers, timeout=self._settings.timeout, most=BODY_BYTES
        )
        try:
            answer = await self._client.ask(asked)
        except AmbiguousError as error:
            # Lost on the way or after it arrived: the same, for the connector drops a repeat by its key.
            raise UnavailableError(str(error)) from error
        if len(answer.content) > BODY_BYTES:
            raise AnswerTooLargeError(f"the answer is longer than {BODY_BYTES} bytes")
        return answer

    def _is_well(self, status: int) -> bool:
        return status in self._settings.success if self._settings.success else 200 <= status < 300

    def _read(self, content: bytes) -> Any:
        if not content.strip():
            return None
        try:
            said = msgspec.json.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RefusedError("the answer is not JSON") from error
        answer = self._settings.answer
        return {name: _at(said, path) for name, path in answer.items()} if answer else said


def _at(value: Any, path: str) -> Any:
    """Return what stands at ``path`` (``data.items.0.code``); None where there is nothing."""
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value
