"""What we push, a real Firefox decrypts: subscribed by a page of its own, read by that page's service worker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import pytest
from hypercorn.asyncio import serve
from hypercorn.config import Config

from services.dispatcher.channels.aes128gcm import LARGEST
from tests.providers.base import ID
from tests.providers.web_push import WEB_PUSH, b64url, public_key
from tests.sdks.installed import firefox
from tests.servers.firefox import Firefox, PushService
from tests.servers.fixtures import require
from tests.servers.process import HOST, free_port

pytestmark = pytest.mark.integration

DELIVERED, NOT_DECRYPTED = 100, 101
"""Firefox's codes of acknowledgement (nsIPushErrorReporter.idl)."""


@dataclass
class Visitor:
    """Somebody whose Firefox has subscribed: ``address`` is what the page made of the subscription."""

    service: PushService
    address: str


@pytest.fixture
async def visitor() -> AsyncIterator[Visitor]:
    require(firefox())
    port = free_port()
    service = PushService(b64url(public_key()), f"http://{HOST}:{port}")
    config = Config()
    config.bind = [f"{HOST}:{port}"]
    config.errorlog = None
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(service.app, config, shutdown_trigger=stop.wait))
    browser = Firefox(f"{service.url}/shop", f"ws://{HOST}:{port}/")
    try:
        await asyncio.to_thread(browser.start)
        try:
            async with asyncio.timeout(60):
                told = await service.told.get()
        except TimeoutError:
            pytest.fail(f"Firefox did not subscribe within a minute:\n{browser.log_tail()}")
        assert told.startswith("{"), told
        yield Visitor(service, told)
    finally:
        await asyncio.to_thread(browser.close)
        stop.set()
        await serving


async def push(visitor: Visitor, parts: Mapping[str, str]) -> dict[str, str]:
    """Send ``parts`` by our adapter, and return what the service worker read."""
    provider = WEB_PUSH.make(visitor.service.url)
    try:
        await provider.send(WEB_PUSH.message(visitor.service.url, address=visitor.address, parts=parts))
    finally:
        await provider.close()
    async with asyncio.timeout(30):
        assert DELIVERED == await visitor.service.acknowledged.get()
        return dict(json.loads(await visitor.service.pushed.get()))


async def test_firefox_reads_what_was_sent_and_nothing_that_was_changed_on_the_way(visitor: Visitor) -> None:
    """One browser for three rules, for its start takes most of the time."""
    parts = {"title": "Hello こんにちは", "body": "Your cart", "url": "https://shop.example/cart"}
    assert {**parts, "message_id": ID} == await push(visitor, parts)

    # The longest that one message can say.
    around = len(json.dumps({"title": "", "body": "", "message_id": ID}, separators=(",", ":")))
    longest = {"title": "", "body": "a" * (LARGEST - around)}
    assert {**longest, "message_id": ID} == await push(visitor, longest)

    await visitor.service.forge()
    async with asyncio.timeout(30):
        assert NOT_DECRYPTED == await visitor.service.acknowledged.get()
    assert visitor.service.pushed.empty()
