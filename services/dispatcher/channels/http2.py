"""HTTP/2 with a provider that wants it, as ``http1`` does the rest: bounded, and a failure says who may have what."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import httpx2

from services.dispatcher.errors import AmbiguousError, RefusedError, UnavailableError
from services.dispatcher.http1 import Answer, Request
from shared.version import USER_AGENT

# Apple asks to leave connections open. HTTP/2 says when it closes one, so that no message is lost in it.
_KEEP_ALIVE = 60.0


class Http2:
    """Asks one server over at most ``connections`` connections, each for many requests at once."""

    def __init__(self, *, connections: int, tls: ssl.SSLContext | None = None) -> None:
        self._limits = httpx2.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_KEEP_ALIVE
        )
        self._tls = tls
        self._client: httpx2.AsyncClient | None = None

    async def ask(self, request: Request) -> Answer:
        """Return the answer, whatever its status. Raises as ``Http1.ask`` does."""
        begun = False

        async def trace(event: str, _: object) -> None:
            nonlocal begun
            begun = begun or event.endswith("send_request_headers.started")

        def failed(detail: str) -> AmbiguousError | UnavailableError:
            return AmbiguousError(detail) if begun else UnavailableError(detail)

        client = self._open()
        try:
            async with asyncio.timeout(request.timeout):
                return await _exchange(client, request, trace)
        except TimeoutError as error:
            raise failed(f"no answer within {request.timeout:g} s") from error
        except httpx2.InvalidURL as error:
            raise RefusedError("not a URL") from error
        except (httpx2.TransportError, OSError) as error:
            raise failed(type(error).__name__) from error

    async def close(self) -> None:
        """Close the connections; the next exchange opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _open(self) -> httpx2.AsyncClient:
        """Return the client. It reads the certificates that it trusts, which takes no server's time."""
        if self._client is None:
            self._client = httpx2.AsyncClient(
                # The one time-out is the exchange's: httpx2's own would begin anew with each part of an answer.
                timeout=None,
                limits=self._limits,
                follow_redirects=False,
                trust_env=False,
                http2=True,
                verify=self._tls or True,
                headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            )
        return self._client


async def _exchange(client: httpx2.AsyncClient, request: Request, trace: Any) -> Answer:
    body = bytearray()
    async with client.stream(
        request.method,
        request.url,
        content=request.content,
        headers=dict(request.headers),
        extensions={"trace": trace},
    ) as answer:
        async for chunk in answer.aiter_raw():
            body += chunk
            if len(body) > request.most:
                break
    return Answer(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, bytes(body))
