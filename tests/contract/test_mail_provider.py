"""One suite for every provider of e-mail with an HTTP API: the whole mail arrives, and nobody writes its headers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.dispatcher.channels.base import Attachment, Provider
from services.dispatcher.errors import RefusedError
from shared.errors import ConfigurationError
from tests.providers import CASES
from tests.providers.mail import SENDER, MailCase
from tests.servers.provider import ProviderServer

MAILS = {name: case for name, case in CASES.items() if isinstance(case, MailCase)}
HEADERS = (
    ("List-Unsubscribe", "<https://example.com/u/t>, <mailto:u@example.com>"),
    ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
)
LOGO = Attachment("logo.png", "image/png", b"\x89PNG\r\n", cid="logo")
INVOICE = Attachment("請求書 1.pdf", "application/pdf", bytes(range(256)))
REFERENCE = "aB3-_" * 16


def test_every_provider_of_email_by_http_is_here() -> None:
    assert {name for name, case in CASES.items() if case.channel == "email"} == set(MAILS)


@pytest.fixture(params=sorted(MAILS))
def case(request: pytest.FixtureRequest) -> MailCase:
    return MAILS[request.param]


@pytest.fixture
async def server(case: MailCase) -> AsyncIterator[ProviderServer]:
    async with ProviderServer(case.face) as running:
        yield running


@pytest.fixture
async def provider(case: MailCase, server: ProviderServer) -> AsyncIterator[Provider]:
    made = case.make(server.url)
    yield made
    await made.close()


async def test_the_whole_mail_arrives(case: MailCase, server: ProviderServer, provider: Provider) -> None:
    message = case.message(
        server.url,
        headers=HEADERS,
        attachments=(INVOICE, LOGO),
        reference=REFERENCE,
        journey="cart/remind 東京",
        step="remind",
    )
    receipt = await provider.send(message)
    mail = case.mail(server.accepted[0])
    assert (SENDER, ("", "help@example.com")) == (mail.sender, mail.reply_to)
    assert ("ann@example.com", "Hello 東京") == (mail.recipient, mail.subject)
    assert ("Hello こんにちは", "<p>Hello こんにちは</p>") == (mail.text, mail.html)
    assert set(HEADERS) <= set(mail.headers.items())
    assert [
        ("logo.png", "image/png", LOGO.content, "logo"),
        ("請求書 1.pdf", "application/pdf", INVOICE.content, ""),
    ] == (list(mail.files))
    assert mail.reference == REFERENCE
    assert receipt.provider_id is not None
    assert receipt.provider_id.partition("@")[0].endswith("-1")


async def test_a_mail_of_text_alone_has_nothing_else(
    case: MailCase, server: ProviderServer, provider: Provider
) -> None:
    await provider.send(case.message(server.url, parts={"subject": "s", "text": "t"}))
    mail = case.mail(server.accepted[0])
    assert ("t", "", (), None) == (mail.text, mail.html, mail.files, mail.reference)


async def test_an_image_without_a_page_is_a_file(case: MailCase, server: ProviderServer, provider: Provider) -> None:
    await provider.send(case.message(server.url, parts={"subject": "s", "text": "t"}, attachments=(LOGO,)))
    assert (("logo.png", "image/png", LOGO.content, ""),) == case.mail(server.accepted[0]).files


async def test_the_files_of_a_template_go_with_it(case: MailCase, server: ProviderServer, provider: Provider) -> None:
    parts = {"subject": "s", "text": "t", "attachment.1.name": "a.txt", "attachment.1.data": "SGVsbG8="}
    await provider.send(case.message(server.url, parts=parts))
    assert (("a.txt", "text/plain", b"Hello", ""),) == case.mail(server.accepted[0]).files


async def test_mails_say_of_which_list_and_campaign_they_are(case: MailCase, server: ProviderServer) -> None:
    provider = case.make(server.url, feedback_id="ourshop")
    await provider.send(case.message(server.url, journey="cart", step="remind_1", topic="cart_reminders"))
    await provider.close()
    headers = case.mail(server.accepted[0]).headers
    assert ("<cart_reminders.example.com>", "cart:remind_1:marketing:ourshop") == (
        headers["List-Id"],
        headers["Feedback-ID"],
    )


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
@pytest.mark.parametrize("field", ["subject", "address", "header", "header name", "file"])
async def test_nobody_writes_headers_of_his_own(
    case: MailCase, server: ProviderServer, provider: Provider, field: str, end: str
) -> None:
    written = f"ann@example.com{end}Bcc: b@example.com"
    changes: dict[str, dict[str, Any]] = {
        "subject": {"parts": {"subject": written, "text": "t"}},
        "address": {"address": written},
        "header": {"headers": (("X-Note", written),)},
        "header name": {"headers": ((written, "x"),)},
        "file": {"attachments": (Attachment(written, "image/png", b""),)},
    }
    with pytest.raises(RefusedError):
        await provider.send(case.message(server.url, **changes[field]))
    assert [] == server.asked


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
@pytest.mark.parametrize("word", ["from", "reply_to"])
def test_nor_does_the_operator(case: MailCase, word: str, end: str) -> None:
    with pytest.raises(ConfigurationError):
        case.make("http://127.0.0.1:1", **{word: f"Shop{end}Bcc: b@example.com <a@example.com>"})


async def test_what_is_too_long_for_it_is_not_even_asked(
    case: MailCase, server: ProviderServer, provider: Provider
) -> None:
    huge = Attachment("a.bin", "application/octet-stream", bytes(case.longest))
    with pytest.raises(RefusedError, match="longer than"):
        await provider.send(case.message(server.url, attachments=(huge,)))
    assert [] == server.asked
