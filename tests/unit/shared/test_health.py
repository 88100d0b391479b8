"""Health over HTTP for services without a server of their own."""

from __future__ import annotations

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from shared.errors import ConfigurationError
from shared.health import HealthServer
from shared.metrics import Metrics


class Host:
    """A service that is ready when told so."""

    def __init__(self) -> None:
        self.is_ready = False

    async def ready(self) -> bool:
        return self.is_ready


async def test_it_answers_for_its_host() -> None:
    host, metrics = Host(), Metrics()
    server = HealthServer(host.ready, metrics.registry, host="127.0.0.1", port=0)
    await server.start()
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as http:
            assert 200 == (await http.get("/livez")).status_code
            assert 503 == (await http.get("/readyz")).status_code
            host.is_ready = True
            assert 200 == (await http.get("/readyz")).status_code
            assert "kikkake_events_accepted_total 0.0" in (await http.get("/metrics")).text
    finally:
        await server.stop()
    await server.stop()


async def test_a_service_may_serve_more_on_the_same_port() -> None:
    async def hello(_request: Request) -> Response:
        return PlainTextResponse("hello")

    more = [Route("/hello", hello)]
    server = HealthServer(Host().ready, Metrics().registry, host="127.0.0.1", port=0, more=more)
    await server.start()
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as http:
            assert ["hello", "ok\n"] == [(await http.get(path)).text for path in ("/hello", "/livez")]
    finally:
        await server.stop()


async def test_a_port_in_use_is_the_operators_business() -> None:
    """Left alone, uvicorn would end the whole process."""
    host, registry = Host(), Metrics().registry
    first = HealthServer(host.ready, registry, host="127.0.0.1", port=0)
    await first.start()
    second = HealthServer(host.ready, registry, host="127.0.0.1", port=first.port)
    try:
        with pytest.raises(ConfigurationError, match=str(first.port)):
            await second.start()
    finally:
        await first.stop()
