"""The address of the client, seen through proxies that are trusted, and what is kept of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Literal

import msgspec

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
AddressPolicy = Literal["keep", "truncate", "drop"]
ForwardedHeader = Literal["x-forwarded-for", "forwarded"]

_IPV4_KEPT, _IPV6_KEPT = 24, 48
_LONGEST = 128
"""Characters of an address, with its zone and port; what is longer is none, and is not kept in the cache."""


class ClientAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Whose request it is, as far as an event may know it.

    ``address`` None: unknown, or nobody wants it. ``fill``: the source's own clients send, so the address is the
    contact's; of a server it would be the server's, and is filled in only for an event that says ``direct``.
    """

    address: str | None = None
    fill: bool = False
    policy: AddressPolicy = "truncate"


UNKNOWN = ClientAddress()
"""Nobody's address: what an event says of its own is kept by the standard policy."""


def stamp(context: dict[str, Any], client: ClientAddress) -> None:
    """Put the client's address into ``context`` as ``ip``, and keep of it, whoever put it there, what may be kept."""
    if "ip" not in context and client.address is not None and (client.fill or context.get("direct") is True):
        context["ip"] = client.address
    if "ip" in context:
        kept = kept_of(context["ip"], client.policy)
        if kept is None:
            del context["ip"]
        else:
            context["ip"] = kept


def kept_of(said: object, policy: AddressPolicy) -> str | None:
    """Return what ``policy`` keeps of an address; None: nothing, as of what is no address."""
    return _kept(said, policy) if isinstance(said, str) and policy != "drop" and len(said) <= _LONGEST else None


@lru_cache(maxsize=4096)
def _kept(said: str, policy: AddressPolicy) -> str | None:
    address = _parsed(said)
    if address is None:
        return None
    if policy == "keep":
        return str(address)
    kept = _IPV4_KEPT if address.version == 4 else _IPV6_KEPT
    return str(ip_network(f"{address}/{kept}", strict=False).network_address)


def client_of(
    peer: str | None, headers: Mapping[str, str], *, trusted: Sequence[Network], header: ForwardedHeader
) -> str | None:
    """Return the address of the nearest machine that is no trusted proxy; None when no one can tell.

    ``peer`` is the other end of the connection. ``header`` is read from a trusted proxy alone and from right to left:
    each proxy adds the address that it saw itself on the right, and what stands further left, anyone can have written.
    """
    hop = _parse(peer or "")
    if hop is None or not _is_trusted(hop, trusted):
        return _kept(peer or "", "keep")
    for said in reversed(_forwarded(headers.get(header, ""), header)):
        nearer = _parse(said)
        if nearer is None:
            return None
        hop = nearer
        if not _is_trusted(hop, trusted):
            break
    return str(hop)


def _is_trusted(address: Address, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)


def _forwarded(value: str, header: ForwardedHeader) -> list[str]:
    """Return the addresses of the header, the nearest last."""
    hops = [hop.strip() for hop in value.split(",") if hop.strip()]
    if header == "x-forwarded-for":
        return hops
    return [_for_of(hop) for hop in hops]


def _for_of(hop: str) -> str:
    """Return the ``for`` of one element of ``Forwarded`` (RFC 7239); an element without one names nobody."""
    for pair in hop.split(";"):
        name, _, value = pair.strip().partition("=")
        if name.lower() == "for":
            return value.strip('"')
    return ""


def _parse(text: str) -> Address | None:
    return _parsed(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Address | None:
    """Return the address in ``text``, with or without a port: ``192.0.2.1:80``, ``[2001:db8::1]:80``."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # A socket that listens on both says ::ffff:192.0.2.1.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
