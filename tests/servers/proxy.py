"""Trouble on the wire: a TCP proxy on loopback that delays, cuts, half closes or swallows what passes through it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import Future
from types import TracebackType
from typing import Literal, Self

from tests.servers.process import HOST, free_port

_CHUNK = 64 * 1024
Trouble = Literal["none", "half_open", "black_hole", "cut"]


class Proxy:
    """Listens on ``port`` and passes everything to ``target`` (a loopback port), in a thread of its own.

    What goes wrong is said by its methods, from any thread and at any time; it holds for the connections that there
    are and for new ones.
    """

    def __init__(self, target: int, *, port: int | None = None) -> None:
        self.port = free_port() if port is None else port
        self._target = target
        self._delay = 0.0
        self._trouble: Trouble = "none"
        self._links: set[asyncio.Transport] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        """Where it listens, host:port."""
        return f"{HOST}:{self.port}"

    def delay(self, seconds: float) -> None:
        """Hold every chunk back for so long, in each direction."""
        self._delay = seconds

    def cut(self) -> None:
        """Reset every connection and every new one: the host is up and nobody listens."""
        self._turn("cut")

    def reset_connections(self) -> None:
        """Reset every connection once; new ones pass."""
        self._call(self._reset())

    def half_open(self) -> None:
        """Let requests through and swallow every answer: the connection stays open."""
        self._turn("half_open")

    def black_hole(self) -> None:
        """Swallow everything in both directions, and accept connections that lead nowhere."""
        self._turn("black_hole")

    def behave(self) -> None:
        """Pass everything again. What was swallowed is gone, so connections that lost something are reset."""
        self._delay = 0.0
        if self._trouble != "none":
            self._turn("none")
            self.reset_connections()

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        self._call(self._listen())

    def stop(self) -> None:
        """End every connection and stop listening."""
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _turn(self, trouble: Trouble) -> None:
        async def turn() -> None:
            self._trouble = trouble
            if trouble == "cut":
                await self._reset()

        self._call(turn())

    def _call(self, work: object) -> None:
        done: Future[None] = asyncio.run_coroutine_threadsafe(work, self._loop)  # type: ignore[arg-type]
        done.result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, HOST, self.port)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._reset()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _reset(self) -> None:
        for link in tuple(self._links):
            link.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._links.add(writer.transport)  # type: ignore[arg-type]
        ends = [writer]
        try:
            if self._trouble == "cut":
                return
            far_reader, far_writer = await asyncio.open_connection(HOST, self._target)
            self._links.add(far_writer.transport)  # type: ignore[arg-type]
            ends.append(far_writer)
            ways = [
                asyncio.create_task(self._pass(reader, far_writer, {"black_hole"})),
                asyncio.create_task(self._pass(far_reader, writer, {"black_hole", "half_open"})),
            ]
            # One side's end is the other's: no protocol of ours half closes on purpose.
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
        except OSError:
            pass  # the target is away: the client sees its connection reset, as it would without us
        finally:
            for end in ends:
                self._links.discard(end.transport)
                end.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, swallowed: set[Trouble]) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                if self._delay:
                    await asyncio.sleep(self._delay)
                if self._trouble in swallowed:
                    continue
                writer.write(chunk)
                await writer.drain()
