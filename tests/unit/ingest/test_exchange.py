"""The way past ASGI's messages is there on our own server alone."""

from __future__ import annotations

from services.ingest.exchange import EXCHANGE, exchange_of


def test_a_server_that_has_none_gives_none() -> None:
    assert exchange_of({"type": "http"}) is None
    assert exchange_of({"type": "http", "extensions": {"http.response.trailers": {}}}) is None


def test_ours_puts_it_among_the_extensions() -> None:
    ours = object()
    assert ours is exchange_of({"extensions": {EXCHANGE: ours}})
