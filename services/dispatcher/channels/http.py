"""One HTTP exchange with a provider, in bounded time, whose failure says whether the provider may have the message."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any

import httpx2
import msgspec

from services.dispatcher.errors import (
    AmbiguousError,
    BusyError,
    MisconfiguredError,
    RefusedError,
    UnavailableError,
)
from services.dispatcher.guard import Guard
from shared.version import USER_AGENT

ANSWER_BYTES = 64 * 1024
"""Of an answer; more is not read. What a provider says about one message is a few hundred bytes."""
_LONGEST_RETRY_AFTER = 3600
# Long before the servers' own limits (nginx 75 s, AWS 60 s): a connection that is closed while a request is being
# written to it makes that message ambiguous.
_KEEP_ALIVE = 5.0
_TRY_LATER = frozenset({408, 425, 429, 503})
_REFUSES_US = frozenset({401, 403, 407})


class Answer(msgspec.Struct, frozen=True):
    """What the provider said."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:
        """Return the body as data; an empty dict where it is no JSON object."""
        try:
            said = msgspec.json.decode(self.content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return {}
        return said if isinstance(said, dict) else {}

    @property
    def retry_after(self) -> int | None:
        """The milliseconds of ``Retry-After`` in seconds; its other form, a date, is for clocks that agree."""
        said = self.headers.get("retry-after", "")
        return min(int(said), _LONGEST_RETRY_AFTER) * 1000 if said.isdecimal() else None


class HttpApi:
    """A provider's API. Follows no redirect: whoever answers is who the operator named."""

    def __init__(
        self,
        base: str = "",
        *,
        timeout: float,
        connections: int,
        headers: Mapping[str, str] | None = None,
        http2: bool = False,
        tls: ssl.SSLContext | None = None,
        guard: Guard | None = None,
        keep_alive: float = _KEEP_ALIVE,
    ) -> None:
        """``timeout`` (seconds) is for the whole exchange; ``base`` stands before the paths that are asked.

        With a ``guard`` the paths are whole URLs of contacts' data, and it says which of them are asked; by HTTP/1.1.
        """
        self._base = base.rstrip("/")
        self._timeout = timeout
        self._headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **(headers or {})}
        self._limits = httpx2.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=keep_alive
        )
        self._http2 = http2
        self._tls = tls
        self._guard = guard
        self._client: httpx2.AsyncClient | None = None

    async def post(self, path: str, content: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """Post ``content`` and return the answer, whatever its status.

        Raises UnavailableError while the provider cannot have the request, AmbiguousError once it may have it, and
        RefusedError for a URL that is none, or none for the guard.
        """
        begun = False

        async def trace(event: str, _: object) -> None:
            nonlocal begun
            begun = begun or event.endswith("send_request_headers.started")

        client = self._open()
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(client, path, content, headers or {}, trace)
        except TimeoutError as error:
            said = f"no answer within {self._timeout:g} s"
            raise (AmbiguousError(said) if begun else UnavailableError(said)) from error
        except httpx2.InvalidURL as error:
            raise RefusedError("not a URL") from error
        except (httpx2.TransportError, OSError) as error:
            said = type(error).__name__
            raise (AmbiguousError(said) if begun else UnavailableError(said)) from error

    async def close(self) -> None:
        """Close the connections; the next exchange opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _open(self) -> httpx2.AsyncClient:
        """Return the client. It reads the certificates that it trusts, which takes no server's time."""
        if self._client is None:
            # The one time-out is ours: httpx2's own would begin anew with each part of an answer.
            self._client = httpx2.AsyncClient(
                timeout=None,
                limits=self._limits,
                follow_redirects=False,
                trust_env=False,
                http2=self._http2,
                verify=self._tls or True,
                headers=self._headers,
                transport=None if self._guard is None else self._guard.transport(self._limits, self._tls),
            )
        return self._client

    async def _exchange(
        self, client: httpx2.AsyncClient, path: str, content: bytes, headers: Mapping[str, str], trace: Any
    ) -> Answer:
        body = bytearray()
        async with client.stream(
            "POST", self._base + path, content=content, headers=dict(headers), extensions={"trace": trace}
        ) as answer:
            # As it comes: packed, which nobody asked for, it would be fifty times the bound, or no answer at all.
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > ANSWER_BYTES:
                    break
        return Answer(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, bytes(body))


def raise_for(answer: Answer, detail: str, *, kept: bool = True) -> None:
    """Raise what ``answer`` means by its status alone; nothing for a 2xx. Adapters look at the body first.

    ``kept``: after a 500, 502 or 504 the provider may have the message all the same, for nothing says who failed.
    """
    status = answer.status
    if 200 <= status < 300:
        return
    if status in _TRY_LATER:
        raise BusyError(detail, retry_after=answer.retry_after)
    if status >= 500:
        raise (AmbiguousError(detail) if kept else BusyError(detail, retry_after=answer.retry_after))
    if status in _REFUSES_US or 300 <= status < 400:
        raise MisconfiguredError(detail)
    raise RefusedError(detail)
