"""An exchange with a provider: what it answers is read as it comes."""

from __future__ import annotations

import gzip
import tracemalloc

from services.dispatcher.channels.http import ANSWER_BYTES, HttpApi
from tests.servers.provider import Face, ProviderServer, Reply


async def test_an_answer_is_not_unpacked() -> None:
    """Nobody asked for it packed; the bound is of what is held in memory."""
    packed = gzip.compress(bytes(60_000_000))
    reply = Reply(500, packed, {"Content-Encoding": "gzip"})
    async with ProviderServer(Face(lambda _asked, _number: reply)) as server:
        api = HttpApi(server.url, timeout=20, connections=1)
        await api.post("/", b"{}")  # imports, and reads certificates
        tracemalloc.start()
        answer = await api.post("/", b"{}")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        await api.close()
    assert ANSWER_BYTES * 20 > peak
    assert (500, {}) == (answer.status, answer.json())
    assert "identity" == server.asked[0].headers["accept-encoding"]


async def test_an_answer_that_says_it_is_packed_and_is_not_is_an_answer() -> None:
    async with ProviderServer(Face(lambda _asked, _number: Reply(400, b"{}", {"Content-Encoding": "gzip"}))) as server:
        api = HttpApi(server.url, timeout=20, connections=1)
        assert 400 == (await api.post("/", b"{}")).status
        await api.close()
