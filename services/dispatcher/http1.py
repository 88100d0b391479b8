"""HTTP/1.1 with servers of all kinds, in bounded time; what fails says whether the server may have the request."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx2
import msgspec
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from yarl import URL

from services.dispatcher.errors import AmbiguousError, RefusedError, UnavailableError
from services.dispatcher.guard import Guard, read_url
from shared.version import USER_AGENT

_LONGEST_RETRY_AFTER = 3600
# Long before the servers' own limits (nginx 75 s, AWS 60 s): a connection that is closed while a request is being
# written to it makes that message ambiguous.
_KEEP_ALIVE = 5.0
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=None)


class Answer(msgspec.Struct, frozen=True):
    """What the server said. ``headers`` have lower-case names."""

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


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked. ``timeout`` (seconds) is for the whole exchange; of the answer no more than ``most`` bytes count.

    An answer that is longer has a few more, so that it can be told.
    """

    url: str
    method: str = "POST"
    content: bytes = b""
    headers: Mapping[str, str] = {}
    timeout: float
    most: int


class Http1:
    """Asks servers over at most ``connections`` connections at once. Follows no redirect and keeps no cookie."""

    def __init__(
        self,
        *,
        connections: int,
        headers: Mapping[str, str] | None = None,
        guard: Guard | None = None,
        tls: ssl.SSLContext | None = None,
        unpack: bool = False,
        proxies: bool = False,
    ) -> None:
        """With a ``guard`` the URLs are of contacts' data, and it says which of them are asked.

        ``headers`` go with every request; ``unpack``: an answer may come compressed; ``proxies``: those that the
        environment names are asked, and its certificates trusted.
        """
        self._connections = connections
        packing = {} if unpack else {"Accept-Encoding": "identity"}
        self._headers = {"User-Agent": USER_AGENT, **packing, **(headers or {})}
        self._guard = guard
        self._tls = tls
        self._unpack = unpack
        self._proxies = proxies
        self._by_scheme: Mapping[str, str] = {}
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, request: Request) -> Answer:
        """Return the answer, whatever its status.

        Raises UnavailableError while the server cannot have the request, AmbiguousError once it may have it, and
        RefusedError for a URL that is none, or none for the guard.
        """
        url = read_url(request.url) if self._guard is None else self._guard.check(request.url)
        session = self._open()
        attempt = _Attempt()
        _attempt.set(attempt)
        try:
            async with asyncio.timeout(request.timeout):
                return await self._exchange(session, url, request)
        except TimeoutError as error:
            raise attempt.failed(f"no answer within {request.timeout:g} s") from error
        except aiohttp.InvalidURL as error:
            raise RefusedError("not a URL") from error
        except (aiohttp.ClientError, OSError) as error:
            raise attempt.failed(type(error).__name__) from error

    async def close(self) -> None:
        """Close the connections; the next exchange opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        """Return the session. It reads the certificates that it trusts, which takes no server's time."""
        if self._session is None:
            connector = _Connector(
                limit=self._connections,
                keepalive_timeout=_KEEP_ALIVE,
                # Asked for each connection: a name may have moved, and the guard checks what is connected to.
                use_dns_cache=False,
                resolver=None if self._guard is None else self._guard.resolver(),
                ssl=self._trusting(),
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=self._headers,
                # The one time-out is the exchange's: another would begin anew with each part of an answer.
                timeout=_NO_TIMEOUT,
                # As it comes: packed, which nobody asked for, it would be fifty times the bound, or no answer at all.
                auto_decompress=self._unpack,
            )
            # Not by aiohttp's ``trust_env``: that also takes passwords from a ~/.netrc, which it does not bear beside
            # our headers, and looks for both in other threads at each request.
            self._by_scheme = getproxies() if self._proxies else {}
            # Each is asked once: it would ask again by itself when a GET or PUT is cut off.
            self._session._retry_connection = False  # noqa: SLF001
        return self._session

    def _trusting(self) -> ssl.SSLContext:
        """Return what trusts the system's certificates, as it is done for HTTP/2 too."""
        context = self._tls or httpx2.create_ssl_context(trust_env=self._proxies)
        context.set_alpn_protocols(["http/1.1"])
        return context

    async def _exchange(self, session: aiohttp.ClientSession, url: URL, request: Request) -> Answer:
        body = bytearray()
        proxy, known_as = self._proxy(url)
        # What goes through a tunnel is for the server alone; without one the proxy reads the request itself.
        tunnelled = url.scheme == "https"
        async with session.request(
            request.method,
            url,
            data=request.content or None,
            headers=request.headers if tunnelled else {**request.headers, **known_as},
            allow_redirects=False,
            proxy=proxy,
            proxy_headers=known_as if tunnelled else None,
        ) as answer:
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > request.most:
                    break
        return Answer(answer.status, {name.lower(): value for name, value in answer.headers.items()}, bytes(body))

    def _proxy(self, url: URL) -> tuple[URL | None, Mapping[str, str]]:
        """Return the proxy that the environment names for ``url``, and the headers by which it knows us."""
        named = self._by_scheme.get(url.scheme) or self._by_scheme.get("all")
        if named is None or proxy_bypass(url.host or "", self._by_scheme):
            return None, {}
        proxy = URL(named)
        if proxy.user is None:
            return proxy, {}
        ours = aiohttp.encode_basic_auth(proxy.user, proxy.password or "")
        return proxy.with_user(None), {"Proxy-Authorization": ours}


class _Attempt:
    """``begun``: it has a connection, and from then on its request may be on the way."""

    def __init__(self) -> None:
        self.begun = False

    def failed(self, detail: str) -> AmbiguousError | UnavailableError:
        """Return what a failure means."""
        return AmbiguousError(detail) if self.begun else UnavailableError(detail)


_attempt: ContextVar[_Attempt] = ContextVar("attempt")


class _Connector(aiohttp.TCPConnector):
    """Says when an attempt has its connection, and keeps no more idle ones than may be in use at once.

    aiohttp's tracing could say the first for a fifth of what a request costs. Its own bound is of those in use only:
    with a server for each contact the idle ones would take every file that the process may open. The tests of
    ``http1`` fail should a later version no longer come by here.
    """

    async def connect(self, *args: Any, **options: Any) -> Connection:
        connection = await super().connect(*args, **options)
        _attempt.get().begun = True
        return connection

    def _release(self, key: ConnectionKey, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        full = sum(map(len, self._conns.values())) >= self.limit
        super()._release(key, protocol, should_close=should_close or full)
