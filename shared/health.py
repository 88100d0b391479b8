"""Liveness, readiness and metrics over HTTP, for services with and without a server of their own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from shared.errors import ConfigurationError

Ready = Callable[[], Awaitable[bool]]


def health_routes(ready: Ready, registry: CollectorRegistry) -> list[Route]:
    """Return /livez (asks nobody), /readyz (200 while ``ready()``, else 503) and /metrics."""

    async def livez(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        return PlainTextResponse("ready\n") if await ready() else PlainTextResponse("not ready\n", 503)

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(registry), headers={"content-type": CONTENT_TYPE_LATEST})

    return [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]


def health_app(ready: Ready, registry: CollectorRegistry, more: Sequence[Route] = ()) -> Starlette:
    """Return an application of ``health_routes`` and ``more`` routes."""
    return Starlette(routes=[*health_routes(ready, registry), *more])


class _Server(uvicorn.Server):
    """A server that leaves the process's signals to its host."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HealthServer:
    """Serves ``health_app`` in the running event loop, beside the service's own work."""

    def __init__(
        self, ready: Ready, registry: CollectorRegistry, *, host: str, port: int, more: Sequence[Route] = ()
    ) -> None:
        self._address = f"{host}:{port}"
        config = uvicorn.Config(
            health_app(ready, registry, more), host=host, port=port, lifespan="off", log_config=None, access_log=False
        )
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port served on, also when 0 was asked for."""
        return int(self._server.servers[0].sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Return once the port is served. Raises ConfigurationError if it cannot be."""
        self._task = asyncio.create_task(self._serve())
        while not self._server.started:
            if self._task.done():
                raise ConfigurationError(f"the health port {self._address} cannot be served: is it in use?")
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Stop serving. Repeating is harmless."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task

    async def _serve(self) -> None:
        # uvicorn ends the process when it cannot bind; here that is for the host to decide.
        with contextlib.suppress(SystemExit):
            await self._server.serve()
