"""What a signed webhook looks like to its receiver, and which secrets are none."""

from __future__ import annotations

from typing import Any

import pytest
from standardwebhooks import Webhook

from services.dispatcher.channels.base import Message
from services.dispatcher.channels.webhook import WebhookProvider
from services.dispatcher.errors import RefusedError
from services.dispatcher.guard import Guard
from services.dispatcher.providers import parse_providers
from shared.clock import system_clock
from shared.errors import ConfigurationError
from shared.journeys.faults import JourneyFaultsError
from tests.builders import at
from tests.providers.base import ID
from tests.providers.webhook import OLD_SECRET, SECRET
from tests.servers.provider import Face, ProviderServer, Reply

TAKES_ALL = Face(accept=lambda _asked, _number: Reply(200))


def provider(clock: Any = lambda: at("12:00"), **changes: Any) -> WebhookProvider:
    given = {"secrets": [SECRET], "guard": Guard(["127.0.0.1"]), "content_type": "application/json", "timeout": 5.0}
    return WebhookProvider("webhook", **{"connections": 1, "clock": clock} | given | changes)


def message(address: str) -> Message:
    return Message(command_id=ID, address=address, parts={"text": '{"hello": "こんにちは"}'}, at=at("12:00"))


async def test_each_attempt_is_signed_anew_with_every_secret_under_the_same_id() -> None:
    times = iter([1_700_000_000_999, 1_700_000_060_000])
    sending = provider(lambda: next(times), secrets=[SECRET, OLD_SECRET])
    async with ProviderServer(TAKES_ALL) as server:
        for _ in range(2):
            await sending.send(message(server.url))
        first, second = server.accepted
    await sending.close()
    assert [ID, ID] == [first.headers["webhook-id"], second.headers["webhook-id"]]
    assert ["1700000000", "1700000060"] == [first.headers["webhook-timestamp"], second.headers["webhook-timestamp"]]
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    assert 2 == len(first.headers["webhook-signature"].split(" "))
    assert "application/json" == first.headers["content-type"]


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
async def test_a_receiver_with_either_secret_accepts_it(secret: str) -> None:

    sending = provider(system_clock, secrets=[SECRET, OLD_SECRET])
    async with ProviderServer(TAKES_ALL) as server:
        await sending.send(message(server.url))
    await sending.close()
    [asked] = server.accepted
    assert {"hello": "こんにちは"} == Webhook(secret).verify(asked.body, dict(asked.headers))


@pytest.mark.parametrize(
    "address", ["https://127.0.0.1/", "https://169.254.169.254/latest", "http://example.com", "c1"]
)
async def test_a_contacts_url_reaches_nothing_inside(address: str) -> None:
    sending = provider(guard=Guard())
    with pytest.raises(RefusedError) as caught:
        await sending.send(message(address))
    assert address not in str(caught.value)


@pytest.mark.parametrize(
    "secret", ["C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64 at all, though long"]
)
def test_a_secret_that_no_receiver_can_have_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="is not `whsec_`") as caught:
        provider(secrets=[secret])
    assert secret not in str(caught.value) or secret == "whsec_"


def test_the_file_names_its_secrets_and_ports() -> None:
    found = parse_providers(
        "providers.yaml",
        "schema: providers/v1\nchannels:\n  webhook:\n"
        "    - {kind: webhook, secrets: [{env: NEW}, {env: OLD}], ports: [8443], allow: [10.1.0.0/16]}\n",
        {"NEW": SECRET, "OLD": OLD_SECRET},
    )
    settings = found["webhook"][0].settings
    assert ((SECRET, OLD_SECRET), (8443,), ("10.1.0.0/16",)) == tuple(
        settings.values[word] for word in ("secrets", "ports", "allow")
    )
    with pytest.raises(JourneyFaultsError, match="a secret is"):
        parse_providers(
            "providers.yaml",
            f"schema: providers/v1\nchannels:\n  webhook: [{{kind: webhook, secrets: [{SECRET}]}}]\n",
            {},
        )
    with pytest.raises(ConfigurationError, match="has none"):
        provider(secrets=[])
