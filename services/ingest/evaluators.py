"""Contacts from the evaluators: each is asked of the worker that owns its partition.

Nobody is told who owns what: whoever answered for a partition last is asked first, and if it does not answer now, all
are. A worker answers only while it surely owns the partition (``services/evaluator/queries.py``), so that what is
remembered here may be old without any answer being wrong.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import httpx2
import structlog

from services.ingest.errors import ContactUnavailableError
from shared.kafka.partition import partition_of

_LOG = structlog.get_logger(__name__)

PATH = "/internal/contact"
ONE_ANSWER = 1.0
"""s for a worker's answer: it takes a few ms, behind a full batch some hundred; a stopped worker takes for ever."""
PATIENCE = 3.0
"""s for all of it."""
_CONNECTIONS = 64
_KEEP_ALIVE = 3.0
"""s that an idle connection is used again: uvicorn closes it after five."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the addresses of a host's name; none if it has none now."""


class Told(NamedTuple):
    """What the owner says: the contact as JSON (None: nobody knows it), or the key ``to`` that it has now."""

    contact: bytes | None = None
    to: str = ""


class Evaluators:
    """The evaluators at ``addresses``, each ``host:port``. A host's name may stand for several: all are asked."""

    def __init__(
        self,
        addresses: Sequence[str],
        token: str,
        partitions: int,
        *,
        resolve: Resolve | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Connect to nobody yet."""
        self._places = [_place(address) for address in addresses]
        self._partitions = partitions
        self._resolve = resolve or _addresses
        self._owners: dict[int, str] = {}
        self._client = httpx2.AsyncClient(
            headers={"authorization": f"Bearer {token}"},
            timeout=ONE_ANSWER,
            limits=httpx2.Limits(max_connections=_CONNECTIONS, keepalive_expiry=_KEEP_ALIVE),
            trust_env=False,
            transport=transport,
        )

    async def stop(self) -> None:
        """Disconnect."""
        await self._client.aclose()

    async def find(self, contact: str) -> bytes | None:
        """Return the JSON of the contact of this key, or None. Raises ContactUnavailableError."""
        try:
            async with asyncio.timeout(PATIENCE):
                told = await self._ask_owner(contact)
                if told.to:
                    told = await self._ask_owner(told.to)
        except TimeoutError as error:
            raise ContactUnavailableError from error
        return told.contact

    async def _ask_owner(self, contact: str) -> Told:
        partition = partition_of(contact.encode(), self._partitions)
        last = self._owners.get(partition)
        if last is not None:
            told = await self._ask(last, contact)
            if told is not None:
                return told
            self._owners.pop(partition, None)
        peers = await self._peers()
        # The last one too: it may only have closed the connection.
        asked = [asyncio.create_task(self._tell(peer, contact)) for peer in peers]
        try:
            for answering in asyncio.as_completed(asked):
                peer, told = await answering
                if told is not None:
                    self._owners[partition] = peer
                    return told
        finally:
            for task in asked:
                task.cancel()
        raise ContactUnavailableError

    async def _tell(self, peer: str, contact: str) -> tuple[str, Told | None]:
        return peer, await self._ask(peer, contact)

    async def _ask(self, peer: str, contact: str) -> Told | None:
        """Return what the worker at ``peer`` says; None: it does not own the partition, or does not answer."""
        try:
            answer = await self._client.post(f"http://{peer}{PATH}", content=contact.encode())
        except httpx2.TransportError:
            return None
        match answer.status_code:
            case 200:
                return Told(answer.content)
            case 204:
                return Told()
            case 303:
                return Told(to=answer.text)
            case 401:
                _LOG.error("internal_token_refused", evaluator=peer)
                return None
            case _:
                return None

    async def _peers(self) -> list[str]:
        found = await asyncio.gather(*[self._resolve(host, port) for host, port in self._places])
        ports = [port for _, port in self._places]
        return [
            f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
            for port, addresses in zip(ports, found, strict=True)
            for address in addresses
        ]


def _place(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


async def _addresses(host: str, port: int) -> Sequence[str]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror:
        return ()
    return list(dict.fromkeys(str(place[0]) for *_, place in found))
