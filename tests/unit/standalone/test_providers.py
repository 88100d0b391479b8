"""``kikkake dev --providers``: channels of the file go by their providers, all others to the inbox."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from httpx2 import ASGITransport, AsyncClient

from services.standalone.app import compose
from services.standalone.settings import StandaloneSettings
from shared.clock import system_clock
from shared.errors import ConfigurationError
from shared.log import Output
from shared.messages import codec
from shared.messages.topics import COMMANDS
from tests.builders import JOURNEYS
from tests.dispatching import a_command, eventually
from tests.providers.sendgrid import SENDGRID
from tests.servers.provider import ProviderServer


def settings(folder: Path, url: str, **more: str) -> StandaloneSettings:
    file = folder / "providers.yaml"
    file.write_text(
        "schema: providers/v1\nchannels:\n"
        f"  email: [{{kind: sendgrid, from: shop@example.com, key: {{env: KEY}}, base_url: '{url}'}}]\n"
    )
    return StandaloneSettings(data=folder / "data", journeys=JOURNEYS, durability="process", providers=file, **more)  # type: ignore[arg-type]


async def test_messages_go_by_the_provider_of_their_channel_or_to_the_inbox(tmp_path: Path) -> None:
    mail = msgspec.structs.replace(a_command(1), decided_at=system_clock(), expires_at=None)
    text = msgspec.structs.replace(
        a_command(2),
        decided_at=mail.decided_at,
        expires_at=None,
        channels=("sms",),
        addresses={"sms": "+81"},
        content={"sms": {"text": "Hi"}},
    )
    async with ProviderServer(SENDGRID.face) as server:
        host = compose(settings(tmp_path, server.url), {"KEY": "SG.key"})
        client = AsyncClient(transport=ASGITransport(host.app), base_url="http://x")
        token = {"Authorization": f"Bearer {host.credentials.admin_token}"}
        async with host.running(), client:
            await host.log.publish([Output(COMMANDS, b"u:c", codec.encode(command)) for command in (mail, text)])
            await eventually(lambda: host.dispatch.worker.committable_commands == 3)
            await eventually(lambda: len(server.accepted) == 1)
            inbox = (await client.get("/v1/inbox", headers=token)).json()["messages"]
    assert mail.addresses["email"] == SENDGRID.mail(server.accepted[0]).recipient
    assert [("sms", "+81", "Hi")] == [(message["channel"], message["to"], message["text"]) for message in inbox]


async def test_mails_go_one_way(tmp_path: Path) -> None:
    """Else nobody could say by which of the two."""
    with pytest.raises(ConfigurationError, match="leave one of them out"):
        compose(settings(tmp_path, "http://127.0.0.1:1", smtp="smtp://127.0.0.1"), {"KEY": "SG.key"})
