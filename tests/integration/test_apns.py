"""APNs over real HTTP/2 and TLS: one connection for many messages, and the answers in its streams."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme
from hypercorn.asyncio import serve
from hypercorn.config import Config

from services.dispatcher.errors import DeadAddressError, UnavailableError
from tests.providers.apns import APNS, DEVICE, issued_at
from tests.servers.process import free_port

pytestmark = pytest.mark.integration


@dataclass
class Apple:
    """What arrives at Apple's: (HTTP version, path, headers, body) of each request, and from which ports it came."""

    url: str
    ca_file: Path
    asked: list[tuple[str, str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    clients: set[int] = field(default_factory=set)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            part = await receive()
            body += part.get("body", b"")
            if not part.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        issued_at(headers)
        self.asked.append((scope["http_version"], scope["path"], headers, json.loads(body)))
        self.clients.add(scope["client"][1])
        gone = scope["path"].endswith("0" * 64)
        answer = b'{"reason": "Unregistered", "timestamp": 1454402113000}' if gone else b""
        await send(
            {
                "type": "http.response.start",
                "status": 410 if gone else 200,
                "headers": [(b"apns-id", headers["apns-id"].encode())],
            }
        )
        await send({"type": "http.response.body", "body": answer})


@pytest.fixture
async def apple(tmp_path: Path) -> AsyncIterator[Apple]:
    authority, port = trustme.CA(), free_port()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(tmp_path / "chain.pem", append=True)
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.certfile, config.keyfile = str(tmp_path / "chain.pem"), str(tmp_path / "key.pem")
    config.errorlog = None
    made, stop = Apple(f"https://localhost:{port}", tmp_path / "ca.pem"), asyncio.Event()
    serving = asyncio.create_task(serve(made, config, shutdown_trigger=stop.wait))
    while not await _listens(port):
        await asyncio.sleep(0.01)
    yield made
    stop.set()
    await serving


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def test_many_messages_share_one_http2_connection(apple: Apple) -> None:
    provider = APNS.make(apple.url, ca_file=str(apple.ca_file))
    first = APNS.message(apple.url)
    assert first.command_id == (await provider.send(first)).provider_id
    messages = [
        msgspec.structs.replace(first, command_id=f"{first.command_id[:-2]}{number:02}") for number in range(20)
    ]
    receipts = await asyncio.gather(*[provider.send(message) for message in messages])
    await provider.close()
    assert [message.command_id for message in messages] == [receipt.provider_id for receipt in receipts]
    assert ({"2"}, 1) == ({version for version, *_ in apple.asked}, len(apple.clients))
    _, path, headers, body = apple.asked[0]
    assert f"/3/device/{DEVICE}" == path
    assert (first.command_id, first.command_id) == (headers["apns-id"], headers["apns-collapse-id"])
    assert "Hello こんにちは" == body["aps"]["alert"]["title"]


async def test_a_removed_app_is_told_in_its_stream_and_the_connection_goes_on(apple: Apple) -> None:
    provider = APNS.make(apple.url, ca_file=str(apple.ca_file))
    with pytest.raises(DeadAddressError, match="Unregistered"):
        await provider.send(APNS.message(apple.url, address="0" * 64))
    await provider.send(APNS.message(apple.url))
    await provider.close()
    assert 1 == len(apple.clients)


async def test_a_certificate_of_nobody_we_trust_gets_no_message(apple: Apple) -> None:
    provider = APNS.make(apple.url)
    with pytest.raises(UnavailableError, match="ConnectError"):
        await provider.send(APNS.message(apple.url))
    await provider.close()
    assert [] == apple.asked
