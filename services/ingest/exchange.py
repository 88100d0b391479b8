"""A request and its answer without ASGI's messages, on a server that has a way past them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

EXCHANGE = "kikkake.exchange"
"""The extension of the ASGI scope in which our server (``server.py``) puts it."""


class Exchange(Protocol):
    """One request."""

    def take(self) -> bytes | None:
        """Return the body, once, if all of it has arrived; None: it has to be received."""

    def answer(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bool:
        """Answer in one write; tell whether that was possible. Nobody looks at ``headers`` again."""


def exchange_of(scope: Mapping[str, Any]) -> Exchange | None:
    """Return the exchange, None on a server that has none."""
    found: Exchange | None = scope.get("extensions", _NONE).get(EXCHANGE)
    return found


_NONE: Mapping[str, Any] = {}
