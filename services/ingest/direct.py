"""The short way to the routes that take events, past FastAPI's router and validation, which cost more than the work.

The same endpoints stand in FastAPI's table, for the API's description; who comes here is answered by them directly.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.ingest.exchange import exchange_of

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]


class Application(FastAPI):
    """A FastAPI application that some requests reach by the short way."""

    express: Callable[..., bool] | None = None
    """What takes small requests past ASGI, on a server that can (``server.py``)."""
    _endpoints: Mapping[tuple[str, str], Endpoint] = {}
    _short: ASGIApp
    _answer_to: Callable[[Exception], Response]

    def shorten(
        self,
        endpoints: Mapping[tuple[str, str], Endpoint],
        *,
        around: Callable[[ASGIApp], ASGIApp],
        answer_to: Callable[[Exception], Response],
    ) -> None:
        """Answer by ``endpoints`` what they have by method and path.

        Nothing is before them but ``around`` (CORS), and that only for a page of a browser, which names its origin.
        ``answer_to`` makes an answer of what an endpoint raises.
        """
        self._endpoints = endpoints
        self._short = around(self._answer)
        self._answer_to = answer_to

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http" or (scope["method"], scope["path"]) not in self._endpoints:
            await super().__call__(scope, receive, send)
        elif _has_origin(scope["headers"]):
            await self._short(scope, receive, send)
        else:
            response = await self._response(scope, receive)
            exchange = exchange_of(scope)
            if exchange is None or not exchange.answer(
                response.status_code, response.raw_headers, bytes(response.body)
            ):
                await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._response(scope, receive)
        await response(scope, receive, send)

    async def _response(self, scope: Scope, receive: Receive) -> Response:
        try:
            return await self._endpoints[scope["method"], scope["path"]](Request(scope, receive))
        except Exception as error:  # noqa: BLE001 - this is where errors become answers
            return self._answer_to(error)


def _has_origin(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    for name, _ in headers:  # noqa: SIM110 - a generator takes longer than all of the loop
        if name == b"origin":
            return True
    return False
