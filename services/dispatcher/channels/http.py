"""One exchange with a provider's API, whose failure says whether the provider may have the message."""

from __future__ import annotations

from collections.abc import Mapping

from services.dispatcher.channels.http2 import Http2
from services.dispatcher.errors import (
    AmbiguousError,
    BusyError,
    MisconfiguredError,
    RefusedError,
)
from services.dispatcher.guard import Guard
from services.dispatcher.http1 import Answer, Http1, Request

ANSWER_BYTES = 64 * 1024
"""Of an answer; more is not read. What a provider says about one message is a few hundred bytes."""
_TRY_LATER = frozenset({408, 425, 429, 503})
_REFUSES_US = frozenset({401, 403, 407})


class HttpApi:
    """A provider's API. Follows no redirect: whoever answers is who the operator named."""

    def __init__(
        self,
        base: str = "",
        *,
        timeout: float,
        connections: int = 1,
        headers: Mapping[str, str] | None = None,
        guard: Guard | None = None,
        client: Http2 | None = None,
    ) -> None:
        """``timeout`` (seconds) is for the whole exchange; ``base`` stands before the paths that are asked.

        With a ``guard`` the paths are whole URLs of contacts' data, and it says which of them are asked. With a
        ``client`` it is asked by that one, over its own connections.
        """
        self._base = base.rstrip("/")
        self._timeout = timeout
        self._client = client or Http1(connections=connections, headers=headers, guard=guard)

    async def post(self, path: str, content: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """Post ``content`` and return the answer, whatever its status.

        Raises UnavailableError while the provider cannot have the request, AmbiguousError once it may have it, and
        RefusedError for a URL that is none, or none for the guard.
        """
        return await self._client.ask(
            Request(
                url=self._base + path,
                content=content,
                headers=headers or {},
                timeout=self._timeout,
                most=ANSWER_BYTES,
            )
        )

    async def close(self) -> None:
        """Close the connections; the next exchange opens new ones."""
        await self._client.close()


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
