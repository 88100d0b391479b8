"""SendGrid says when to come back by a time of its own clock."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from services.dispatcher.errors import TemporaryError
from tests.providers.sendgrid import SENDGRID
from tests.servers.provider import ProviderServer, Reply


@pytest.mark.parametrize(
    ("headers", "milliseconds"),
    [
        ({"X-RateLimit-Reset": "1000030", "Date": formatdate(1_000_000, usegmt=True)}, 30_000),
        ({"X-RateLimit-Reset": "1000000", "Date": formatdate(1_000_030, usegmt=True)}, 0),
        ({"X-RateLimit-Reset": "9000000", "Date": formatdate(1_000_000, usegmt=True)}, 3_600_000),
        ({"X-RateLimit-Reset": "1000030"}, None),
        ({"X-RateLimit-Reset": "soon", "Date": formatdate(1_000_000, usegmt=True)}, None),
        ({}, None),
    ],
)
async def test_the_wait_is_counted_by_one_clock(headers: dict[str, str], milliseconds: int | None) -> None:
    async with ProviderServer(SENDGRID.face) as server:
        server.script(Reply(429, headers=headers))
        provider = SENDGRID.make(server.url)
        with pytest.raises(TemporaryError) as caught:
            await provider.send(SENDGRID.message(server.url))
        await provider.close()
    assert milliseconds == caught.value.retry_after
