"""HTTP/1.1 with servers of all kinds: what is kept, what is sent, and what a failure says."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
from pathlib import Path

import pytest

from services.dispatcher.errors import AmbiguousError, RefusedError, UnavailableError
from services.dispatcher.guard import Guard
from services.dispatcher.http1 import Http1, Request
from tests.servers.process import free_port
from tests.servers.provider import Face, ProviderServer, Reply


def request(url: str, **changes: object) -> Request:
    return Request(**{"url": url, "content": b"{}", "timeout": 5.0, "most": 1000, **changes})  # type: ignore[arg-type]


OK = Face(accept=lambda _asked, _number: Reply(200, b"ok"))


class Servers:
    """Many servers on this machine; ``open`` are the connections that each has now."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._servers: list[asyncio.Server] = []
        self.open = 0

    async def __aenter__(self) -> list[str]:
        self._servers = [await asyncio.start_server(self._serve, "127.0.0.1", 0) for _ in range(self._count)]
        return [f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/" for server in self._servers]

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                assert b"Content-Length: 2" in head
                await reader.readexactly(2)
                writer.write(b"HTTP/1.1 204 X\r\n\r\n")
        except asyncio.IncompleteReadError:
            self.open -= 1
            writer.close()


async def test_idle_connections_are_no_more_than_may_be_in_use() -> None:
    servers, client = Servers(12), Http1(connections=4)
    async with servers as urls:
        for url in urls:
            assert 204 == (await client.ask(request(url))).status
        async with asyncio.timeout(5):
            while servers.open > 4:
                await asyncio.sleep(0.001)
        assert 4 == servers.open
        await client.close()


async def test_a_connection_serves_one_request_after_the_other() -> None:
    servers, client = Servers(1), Http1(connections=4)
    async with servers as [url]:
        for _ in range(10):
            await client.ask(request(url))
        assert 1 == servers.open
        await client.close()


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("/a%2Fb?by=u%3Aaki&sig=a%2Bb%3d", "/a%2Fb?by=u%3Aaki&sig=a%2Bb%3d"),
        ("/a/../b//c?x=1;y", "/a/../b//c?x=1;y"),
        ("/カート?q=ア b", "/%E3%82%AB%E3%83%BC%E3%83%88?q=%E3%82%A2+b"),
        ("/x y", "/x%20y"),
        ("/path#there", "/path"),
    ],
)
async def test_a_url_is_asked_as_it_is_written(written: str, asked: str) -> None:
    """A signature in it is of these very characters."""
    async with ProviderServer(OK) as server:
        client = Http1(connections=1)
        await client.ask(request(server.url + written))
        await client.close()
    assert [asked] == [one.path for one in server.asked]


async def test_no_cookie_is_kept() -> None:
    async with ProviderServer(Face(lambda _asked, _number: Reply(200, b"", {"Set-Cookie": "a=b"}))) as server:
        client = Http1(connections=1)
        await client.ask(request(server.url))
        await client.ask(request(server.url))
        await client.close()
    assert ["cookie" in asked.headers for asked in server.asked] == [False, False]


@pytest.mark.parametrize("url", ["", "/path", "http://[::1", "mailto:a@example.com", "http://127.1/"])
async def test_what_is_no_url_is_refused(url: str) -> None:
    client = Http1(connections=1)
    with pytest.raises(RefusedError, match=r"^not a URL$"):
        await client.ask(request(url))
    await client.close()


async def test_the_wait_for_a_connection_is_no_request_that_was_begun() -> None:
    async with ProviderServer(OK) as server:
        client = Http1(connections=1)
        server.script("hang")
        first = asyncio.create_task(client.ask(request(server.url, timeout=0.4)))
        while not server.asked:
            await asyncio.sleep(0)
        with pytest.raises(UnavailableError, match=r"^no answer within 0\.1 s$"):
            await client.ask(request(server.url, timeout=0.1))
        with pytest.raises(AmbiguousError, match=r"^no answer within 0\.4 s$"):
            await first
        await client.close()
    assert 1 == len(server.asked)


async def test_a_failure_of_one_says_nothing_of_another_that_was_begun() -> None:
    async with ProviderServer(OK) as server:
        client = Http1(connections=2)
        server.script("hang")
        hanging = asyncio.create_task(client.ask(request(server.url, timeout=0.2)))
        with pytest.raises(UnavailableError):
            await client.ask(request(f"http://127.0.0.1:{free_port()}/"))
        with pytest.raises(AmbiguousError):
            await hanging
        await client.close()


async def test_an_answer_is_read_up_to_its_bound_and_told_to_be_longer() -> None:
    async with ProviderServer(Face(lambda _asked, _number: Reply(200, bytes(5_000_000)))) as server:
        client = Http1(connections=1)
        answer = await client.ask(request(server.url, most=70_000))
        await client.close()
    assert 70_000 < len(answer.content) < 1_000_000


async def test_what_was_packed_fifty_times_is_not_unpacked_beyond_the_bound() -> None:
    packed = gzip.compress(bytes(60_000_000))
    async with ProviderServer(Face(lambda _asked, _number: Reply(200, packed, {"Content-Encoding": "gzip"}))) as server:
        client = Http1(connections=1, unpack=True)
        tracemalloc.start()
        answer = await client.ask(request(server.url, most=100_000))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        await client.close()
    assert len(answer.content) > 100_000
    assert peak < 4_000_000


async def test_the_proxies_of_the_environment_are_asked_where_that_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ProviderServer(OK) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        for wanted in (True, False):
            client = Http1(connections=1, proxies=wanted)
            asking = client.ask(request(f"http://127.0.0.1:{free_port()}/there"))
            if wanted:
                assert b"ok" == (await asking).content
            else:
                with pytest.raises(UnavailableError):
                    await asking
            await client.close()
    assert ["/there"] == [asked.path[-6:] for asked in proxy.asked]


async def test_a_proxy_gets_its_own_password_and_hosts_that_need_none_are_asked_directly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with ProviderServer(OK) as proxy, ProviderServer(OK) as server:
        monkeypatch.setenv("ALL_PROXY", proxy.url.replace("http://", "http://us:secret@"))
        monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
        client = Http1(connections=1, proxies=True)
        await client.ask(request(f"http://crm.example:{free_port()}/there"))
        await client.ask(request(f"{server.url}/here"))
        with pytest.raises(UnavailableError):  # it makes no tunnel
            await client.ask(request("https://crm.example:1/sealed"))
        await client.close()
    assert ["POST", "CONNECT"] == [asked.method for asked in proxy.asked]
    assert ["Basic dXM6c2VjcmV0"] * 2 == [asked.headers["proxy-authorization"] for asked in proxy.asked]
    assert ["/here"] == [asked.path for asked in server.asked]


async def test_passwords_in_a_netrc_are_not_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    async with ProviderServer(OK) as server:
        for ours in ({"Authorization": "Bearer ours"}, {}):
            client = Http1(connections=1, headers=ours, proxies=True)
            await client.ask(request(server.url))
            await client.close()
    assert ["Bearer ours", None] == [asked.headers.get("authorization") for asked in server.asked]


async def test_closing_while_one_is_asked_leaves_that_open() -> None:
    async with ProviderServer(OK) as server:
        client = Http1(connections=1, guard=Guard(["127.0.0.1"]))
        server.script("hang")
        asking = asyncio.create_task(client.ask(request(server.url)))
        while not server.asked:
            await asyncio.sleep(0)
        await client.close()
        with pytest.raises(AmbiguousError):
            await asking
