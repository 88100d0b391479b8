"""The guard of URLs that come from contacts' data: none of them reaches a machine that the public cannot reach.

Whoever can set a trait could otherwise have us ask our own network for them (server-side request forgery). What counts
is the address that a connection really goes to: the name is resolved here, every address that it has must be public,
and the connection is made to the address that was checked. So another answer of the resolver a moment later changes
nothing, and neither does any way of writing an address (decimal, octal, with a dot at its end).
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from services.dispatcher.errors import RefusedError
from shared.errors import WordError
from shared.journeys.faults import shown

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""From a host and a port to its addresses as texts. Raises OSError where there are none."""

_NAT64 = IPv6Network("64:ff9b::/96")
_UNICAST = IPv6Network("2000::/3")
"""All that IANA has given out of IPv6; what lies outside is for special purposes."""
# What ``is_global`` of Python 3.11 takes for public. The last one is so by its number and still a cloud's own: Azure's
# platform (metadata, DNS) answers there inside every virtual network.
_RESERVED = tuple(
    map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2001:db8::/32", "3fff::/20", "168.63.129.16/32"))
)
_HTTPS = 443
# Written otherwise, an escape would be another character to whoever signed the URL.
_AS_IT_IS = re.compile(r"[\w.~:/?#\[\]@!$&'()*+,;=%-]*", re.ASCII)
_INSIDE = "the URL's host is no public address"
# Apart from the loop's own few threads: whoever names a host of a contact's can make its look-up as slow as he likes,
# and no thread can be called back. All else that this process connects to is looked up by those.
_RESOLVERS = ThreadPoolExecutor(8, "guarded-lookup")


class ForbiddenTargetError(RefusedError):
    """The URL is none that may be asked. What it says has nothing of the URL in it."""


class Guard:
    """Says which URLs may be asked. ``allow`` are hosts, addresses and networks of the operator's own (CIDR).

    A host that ``allow`` names may be asked by ``http`` too, and on any port; every other one by ``https`` on
    ``ports``. A name outside of it may resolve to addresses of its networks.
    """

    def __init__(
        self, allow: Iterable[str] = (), *, ports: Iterable[int] = (_HTTPS,), resolve: Resolve | None = None
    ) -> None:
        """Raises WordError for an entry of ``allow`` that is neither a host nor a network."""
        self._hosts: set[str] = set()
        self._networks: list[IPv4Network | IPv6Network] = []
        for entry in allow:
            self._allow(entry)
        self._ports = frozenset(ports)
        self._resolve = resolve or _resolve

    def check(self, text: str) -> URL:
        """Return the URL ``text`` if it may be asked as far as it tells: all, where its host is an address.

        Raises ForbiddenTargetError.
        """
        try:
            url = read_url(text)
        except RefusedError:
            raise ForbiddenTargetError("not a URL") from None
        host = url.raw_host
        if url.scheme not in ("http", "https") or not host:
            raise ForbiddenTargetError("not a URL of https")
        if url.user or url.password:
            raise ForbiddenTargetError("a URL with a user or a password in it")
        if not text.isprintable():
            raise ForbiddenTargetError("not a URL")
        if self._is_ours(host):
            return url
        if url.scheme != "https":
            raise ForbiddenTargetError("not a URL of https")
        if url.port not in self._ports:
            raise ForbiddenTargetError("a URL with a port that is not asked")
        # What looks like an address is connected to without a look-up.
        if ":" in host or host.replace(".", "").isdigit():
            self._check_address(host)
        return url

    def _check_address(self, host: str) -> None:
        try:
            address = ip_address(host)
        except ValueError:
            raise ForbiddenTargetError("not a URL") from None
        if not self._may(address):
            raise ForbiddenTargetError(_INSIDE)

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses of ``host``, all of them allowed.

        Raises ForbiddenTargetError, and OSError where there is no such host.
        """
        found = await self._resolve(host, port)
        if not self._is_ours(host) and not all(self._may(ip_address(address)) for address in found):
            raise ForbiddenTargetError(_INSIDE)
        return found

    def resolver(self) -> AbstractResolver:
        """Return what gives the addresses of names that may be connected to, of URLs that were checked."""
        return _GuardedResolver(self)

    def _allow(self, entry: str) -> None:
        try:
            self._networks.append(ip_network(entry))
        except ValueError:
            # What looks like a network and is none would otherwise be a host that nobody ever asks.
            if not entry or not entry.isascii() or any(character in "/:@ " for character in entry):
                said = f"{shown(entry)} is neither a host nor a network; write hooks.internal or 10.1.0.0/16"
                raise WordError("allow", said) from None
            self._hosts.add(_plain(entry))

    def _is_ours(self, host: str) -> bool:
        if _plain(host) in self._hosts:
            return True
        try:
            return _is_in(ip_address(host), self._networks)
        except ValueError:
            return False

    def _may(self, address: IPv4Address | IPv6Address) -> bool:
        return is_public(address) or _is_in(address, self._networks)


def read_url(text: str) -> URL:
    """Return ``text`` as what is asked, in its own characters where all of them may stand in a URL (RFC 3986).

    Raises RefusedError for what is no whole URL.
    """
    try:
        url = URL(text, encoded=_AS_IT_IS.fullmatch(text) is not None)
        whole = bool(url.scheme and url.raw_host and url.port)
    except ValueError:
        whole = False
    if not whole:
        raise RefusedError("not a URL")
    return url


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Return whether anybody on the Internet may have ``address`` (IANA's special-purpose registries)."""
    inner = _inside(address)
    if inner is not None:
        return is_public(inner)
    if address.is_multicast or not address.is_global or (address.version == 6 and address not in _UNICAST):
        return False
    return not (address.is_reserved or _is_in(address, _RESERVED))


def _is_in(address: IPv4Address | IPv6Address, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    return any(address in network for network in networks)


def _inside(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that packets to ``address`` end at, where it only wraps one."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


class _GuardedResolver(AbstractResolver):
    """Gives the addresses that were checked; TLS is for the name, which the client keeps."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)
            for address in await self._guard.addresses(host, port)
        ]

    async def close(self) -> None:
        return None


async def _resolve(host: str, port: int) -> Sequence[str]:
    ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    answers = await asyncio.get_running_loop().run_in_executor(_RESOLVERS, ask)
    return list(dict.fromkeys(str(address[0]) for *_, address in answers))


def _plain(host: str) -> str:
    return host.lower().rstrip(".")
