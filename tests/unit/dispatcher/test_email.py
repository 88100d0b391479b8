"""E-mail by SMTP: where bounces go, and what its words say together."""

from __future__ import annotations

from typing import Any

import pytest

from services.dispatcher.channels.base import Message
from services.dispatcher.channels.email import SMTP, EmailChannel
from services.dispatcher.channels.kinds import Settings
from services.dispatcher.channels.smtp_session import Envelope
from shared.errors import ConfigurationError
from tests.builders import at
from tests.unit.dispatcher.test_dkim import ED25519, pem


def made(**words: Any) -> EmailChannel:
    given = {word.name: word.default for word in SMTP.words} | {"host": "mail", "from": "Shop <shop@example.com>"}
    channel = SMTP.make(Settings("ours", given | words), 4)
    assert isinstance(channel, EmailChannel)
    return channel


async def sent(channel: EmailChannel, reference: str | None, monkeypatch: pytest.MonkeyPatch) -> Envelope:
    kept: list[Envelope] = []

    async def deliver(mail: Envelope) -> str:
        kept.append(mail)
        return "2.0.0 Ok: queued as 4F1"

    monkeypatch.setattr(channel._pool, "deliver", deliver)
    parts = {"subject": "s", "text": "t"}
    receipt = await channel.send(
        Message(command_id="1", address="ann@example.com", parts=parts, at=at("12:00"), reference=reference)
    )
    assert "4F1" == receipt.provider_id
    return kept[0]


@pytest.mark.parametrize(
    ("reference", "sender", "envid"),
    [
        ("aB3-_", "b+aB3-_@bounces.example.com", "aB3-_"),
        ("x" * 62, f"b+{'x' * 62}@bounces.example.com", "x" * 62),
        ("x" * 63, "b@bounces.example.com", "x" * 63),
        ("x" * 101, "b@bounces.example.com", ""),
        ("a@b>\r\n", "b@bounces.example.com", ""),
        (None, "b@bounces.example.com", ""),
    ],
)
async def test_a_bounce_says_whose_it_is(
    reference: str | None, sender: str, envid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail = await sent(made(bounce_domain="bounces.example.com"), reference, monkeypatch)
    assert (sender, envid) == (mail.sender, mail.id)
    assert len(mail.sender.partition("@")[0]) <= 64
    assert b'From: "Shop" <shop@example.com>\r\n' in mail.data


async def test_without_a_domain_for_them_bounces_go_to_the_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "shop@example.com" == (await sent(made(), "aB3-_", monkeypatch)).sender


async def test_mails_are_signed_where_there_is_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    signing = made(dkim_domain="example.com", dkim_selector="s1", dkim_key=pem(ED25519))
    assert (await sent(signing, None, monkeypatch)).data.startswith(b"DKIM-Signature: ")
    assert (await sent(made(), None, monkeypatch)).data.startswith(b"From: ")


@pytest.mark.parametrize(
    "words",
    [
        {"tls": "ssl"},
        {"bounce_domain": "a b"},
        {"bounce_domain": "x@example.com"},
        {"dkim_domain": "example.com"},
        {"dkim_domain": "example.com", "dkim_selector": "s1", "dkim_key": "none"},
    ],
)
def test_words_that_mean_nothing_are_refused(words: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=f"`{next(iter(words)).partition('_')[0]}"):
        made(**words)
