"""What the guard asks, and that a transport of it reaches nothing else, however its address is written."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_address
from typing import Any

import pytest
import trustme

from services.dispatcher.errors import RefusedError, UnavailableError
from services.dispatcher.guard import ForbiddenTargetError, Guard, is_public
from services.dispatcher.http1 import Answer, Http1, Request
from shared.errors import ConfigurationError
from tests.servers.provider import Face, ProviderServer, Reply


async def ask(guard: Guard, *urls: str, tls: ssl.SSLContext | None = None) -> Answer:
    """Ask ``urls``, one after the other, and return the last one's answer."""
    client = Http1(connections=2, guard=guard, tls=tls)
    try:
        answers = [await client.ask(Request(url=url, content=b"{}", timeout=5, most=1000)) for url in urls]
    finally:
        await client.close()
    return answers[-1]


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
        *("169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.8", "192.0.0.192", "192.0.2.1", "192.88.99.1"),
        *("198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"),
        "168.63.129.16",
        *("::", "::1", "::7f00:1", "fe80::1", "fe80::1%1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "ff0e::1"),
        *("2001:db8::1", "2001::1", "3fff::1", "5f00::1", "100::1", "64:ff9b:1::7f00:1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "64:ff9b::7f00:1"),
        "64:ff9b::a9fe:a9fe",
    ],
)
def test_what_not_everybody_can_reach_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "172.15.0.1", "172.32.0.1", "100.63.255.255", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"],
)
def test_what_everybody_can_reach_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "//example.com/",
        "https://",
        "https:///path",
        "example.com",
        "",
        "https://example.com:22/",
        "https://example.com:80/",
        "https://user@example.com/",
        "https://user:password@example.com/",
        "https://example.com:99999/",
        "https://[::1/",
        "https://example.com/\x00",
    ],
)
def test_a_url_of_another_kind_is_refused_by_its_text(url: str) -> None:
    with pytest.raises(ForbiddenTargetError) as caught:
        Guard().check(url)
    assert "example" not in str(caught.value)


def test_the_ports_and_the_hosts_of_the_operator_may_be_asked() -> None:
    guard = Guard(["Hooks.internal", "10.1.0.0/16", "::1"], ports=[443, 8443])
    for url in (
        "https://example.com/",
        "https://example.com:443/",
        "https://example.com:8443/",
        "http://hooks.internal:9000/",
        "http://HOOKS.internal./",
        "http://10.1.2.3:1/",
        "http://[::1]:9000/",
    ):
        guard.check(url)
    for url in ("http://10.2.0.1/", "https://not.hooks.internal:9000/", "http://example.com/"):
        with pytest.raises(ForbiddenTargetError):
            guard.check(url)


@pytest.mark.parametrize("entry", ["", "10.0.0.1/8", "10.0.0.0/33", "https://example.com", "example.com:80", "a b"])
def test_an_entry_that_is_no_host_and_no_network_is_refused(entry: str) -> None:
    with pytest.raises(ConfigurationError, match="neither a host nor a network"):
        Guard([entry])


class Resolver:
    """Answers with one of ``answers`` after another; the last stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
async def inside() -> AsyncIterator[ProviderServer]:
    """What nobody outside may reach."""
    async with ProviderServer(Face(accept=lambda _asked, _number: Reply(200, b"secret"))) as server:
        yield server


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "localhost.",
        "2130706433",
        "0177.0.0.1",
        "0x7f.0.0.1",
        "0x7f000001",
        "127.1",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[0:0:0:0:0:ffff:7f00:1]",
        "127.0.0.1.",
    ],
)
async def test_no_way_of_writing_this_machine_reaches_it(inside: ProviderServer, host: str) -> None:
    port = int(inside.url.rpartition(":")[2])
    with pytest.raises((RefusedError, UnavailableError)):
        await ask(Guard(ports=[port]), f"https://{host}:{port}/")
    assert [] == inside.asked


async def test_a_name_that_has_one_address_inside_is_refused(inside: ProviderServer) -> None:
    resolver = Resolver(["93.184.215.14", "127.0.0.1"])
    with pytest.raises(ForbiddenTargetError, match="no public address"):
        await ask(Guard(resolve=resolver), "https://example.com/")


async def test_a_name_that_changes_its_address_is_asked_where_it_was_checked(inside: ProviderServer) -> None:
    # The first answer is allowed, and nobody listens there; the second would be the machine inside.
    port = int(inside.url.rpartition(":")[2])
    resolver = Resolver(["127.0.0.2"], ["127.0.0.1"])
    guard = Guard(["127.0.0.2"], ports=[port], resolve=resolver)
    with pytest.raises(UnavailableError):
        await ask(guard, f"https://rebinding.example:{port}/")
    assert ["rebinding.example"] == resolver.asked
    with pytest.raises(ForbiddenTargetError):
        await ask(guard, f"https://rebinding.example:{port}/")
    assert [] == inside.asked


async def test_a_redirect_is_an_answer_and_not_followed(inside: ProviderServer) -> None:
    there = Face(
        accept=lambda asked, _number: Reply(302, headers={"Location": inside.url.replace("127.0.0.1", "127.1")})
    )
    async with ProviderServer(there) as outside:
        assert 302 == (await ask(Guard(["127.0.0.1"]), outside.url)).status
    assert [] == inside.asked


async def test_the_proxies_of_the_environment_are_not_asked(
    inside: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", inside.url)
    monkeypatch.setenv("ALL_PROXY", inside.url)
    with pytest.raises(ForbiddenTargetError):
        await ask(Guard(resolve=Resolver(["10.0.0.1"])), "https://example.com/")
    assert [] == inside.asked


async def test_an_allowed_host_is_asked() -> None:
    async with ProviderServer(Face(accept=lambda _asked, _number: Reply(200, b"ok"))) as server:
        assert b"ok" == (await ask(Guard(["127.0.0.1"]), f"{server.url}/hook")).content
    assert ["/hook"] == [asked.path for asked in server.accepted]


async def test_a_host_that_does_not_exist_is_unavailable() -> None:
    async def nowhere(host: str, port: int) -> Sequence[str]:
        raise OSError(-2, "Name or service not known")

    with pytest.raises(UnavailableError, match=r"^ClientConnectorDNSError$"):
        await ask(Guard(resolve=nowhere), "https://example.com/")


@pytest.mark.parametrize(("name", "trusted"), [("hooks.example", True), ("other.example", False)])
async def test_the_certificate_is_the_names_though_the_address_is_asked(name: str, trusted: bool) -> None:
    authority = trustme.CA()
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("hooks.example").configure_cert(serving)
    asking_for: list[str | None] = []
    serving.sni_callback = lambda _socket, asked, _context: asking_for.append(asked)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 X\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=serving)
    port = server.sockets[0].getsockname()[1]
    mine = ssl.create_default_context()
    authority.configure_trust(mine)
    guard = Guard(["127.0.0.1"], ports=[port], resolve=Resolver(["127.0.0.1"]))
    async with server:
        if trusted:
            assert 204 == (await ask(guard, f"https://{name}:{port}/", tls=mine)).status
        else:
            with pytest.raises(UnavailableError, match=r"^ClientConnectorCertificateError$"):
                await ask(guard, f"https://{name}:{port}/", tls=mine)
    assert [name] == asking_for


async def test_look_ups_that_hang_hold_up_nobody_else_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name's own server decides how long they take, and the one of a contact's URL is anybody's."""
    released, really = threading.Event(), socket.getaddrinfo

    def slow(host: str, *args: Any, **options: Any) -> Any:
        if host == "slow.example":
            released.wait(30)
            raise OSError
        return really(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    guarded = [asyncio.ensure_future(Guard().addresses("slow.example", 443)) for _ in range(64)]
    try:
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            assert await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)
    finally:
        released.set()
        await asyncio.gather(*guarded, return_exceptions=True)
