"""One suite for every channel: a message in, a receipt or the right kind of error out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from services.dispatcher.channels.base import Message, Provider
from services.dispatcher.channels.email import EmailChannel
from services.dispatcher.channels.inbox import InboxChannel
from services.dispatcher.channels.mail import Mails, mail_settings
from services.dispatcher.channels.smtp import parse_smtp_url
from services.dispatcher.errors import AmbiguousError, RefusedError, TemporaryError, UnavailableError
from shared.errors import ConfigurationError
from tests.builders import at
from tests.fakes import RecordingProvider
from tests.servers.process import free_port
from tests.servers.smtp import ANY, SmtpServer

ID = "3f0c5a34-0000-5000-8000-000000000001"
MAILS = Mails(mail_settings("Shop 東京 <shop@example.com>", "help@example.com"))


def a_message(**changes: object) -> Message:
    message = Message(
        command_id=ID,
        address="ann@example.com",
        parts={"subject": "カートをお忘れではありませんか", "text": "Hello\n.dot\n", "html": "<p>Hello</p>"},
        at=at("12:00"),
    )
    return msgspec.structs.replace(message, **changes)


@pytest.fixture(params=["recording", "inbox", pytest.param("email", marks=pytest.mark.integration)])
async def channel(request: pytest.FixtureRequest) -> AsyncIterator[Provider]:
    made: Provider
    if request.param == "recording":
        made = RecordingProvider()
    elif request.param == "inbox":
        made = InboxChannel()
    else:
        server: SmtpServer = request.getfixturevalue("smtp_server")
        made = EmailChannel(parse_smtp_url(f"smtp://127.0.0.1:{server.port}"), MAILS)
    yield made
    await made.close()


async def test_a_message_gets_a_receipt(channel: Provider) -> None:
    receipt = await channel.send(a_message())
    assert receipt.provider_id


async def test_many_tasks_share_a_channel(channel: Provider) -> None:
    receipts = await asyncio.gather(*[channel.send(a_message(command_id=f"{ID}{n}")) for n in range(20)])
    assert 20 == len(receipts)


async def test_closing_twice_is_harmless(channel: Provider) -> None:
    await channel.send(a_message())
    await channel.close()
    await channel.close()


async def test_the_inbox_keeps_the_newest_once() -> None:
    inbox = InboxChannel(kept=2)
    for number in (1, 2, 2, 3):
        await inbox.send(a_message(command_id=str(number)))
    assert ["2", "3"] == [message.command_id for message in inbox.messages]


@pytest.fixture
async def email(smtp_server: SmtpServer) -> AsyncIterator[EmailChannel]:
    made = email_to(smtp_server.port)
    yield made
    await made.close()


def email_to(port: int, reply_timeout: float = 5.0) -> EmailChannel:
    return EmailChannel(parse_smtp_url(f"smtp://127.0.0.1:{port}", timeout=2, reply_timeout=reply_timeout), MAILS)


@pytest.mark.integration
async def test_the_mail_is_what_was_rendered(smtp_server: SmtpServer, email: EmailChannel) -> None:
    headers = (
        ("List-Unsubscribe", "<https://example.com/u/t>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    )
    await email.send(a_message(headers=headers))
    received = smtp_server.messages[0]
    mail = received.message
    assert ("shop@example.com", ("ann@example.com",)) == (received.mail_from, received.rcpt_tos)
    assert "カートをお忘れではありませんか" == mail["Subject"]
    assert "Shop 東京 <shop@example.com>" == mail["From"]
    assert "help@example.com" == mail["Reply-To"]
    assert f"<{ID}@example.com>" == mail["Message-ID"]
    assert "Mon, 02 Mar 2026 12:00:00 +0000" == mail["Date"]
    assert "List-Unsubscribe=One-Click" == mail["List-Unsubscribe-Post"]
    assert "multipart/alternative" == mail.get_content_type()
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert "Hello\n.dot\n" == text.get_content()
    assert html is not None
    assert "<p>Hello</p>\n" == html.get_content()


@pytest.mark.integration
async def test_a_temporary_refusal_is_temporary_and_leaves_the_session_usable(
    smtp_server: SmtpServer, email: EmailChannel
) -> None:
    smtp_server.reject("ann@example.com", 451, "4.7.1 greylisted ann@example.com", times=1)
    with pytest.raises(TemporaryError, match=r"^451 4\.7\.1$") as caught:
        await email.send(a_message())
    assert caught.value.refused
    await email.send(a_message())
    assert 1 == len(smtp_server.messages)


@pytest.mark.integration
async def test_a_final_refusal_is_final_and_says_no_address(smtp_server: SmtpServer, email: EmailChannel) -> None:
    smtp_server.reject(ANY, 550, "5.1.1 <ann@example.com> unknown")
    with pytest.raises(RefusedError, match=r"^550 5\.1\.1$"):
        await email.send(a_message())


@pytest.mark.integration
async def test_a_server_that_closes_is_unavailable_not_refusing(smtp_server: SmtpServer, email: EmailChannel) -> None:
    smtp_server.reject(ANY, 421, "closing", times=1)
    with pytest.raises(UnavailableError):
        await email.send(a_message())


@pytest.mark.integration
async def test_no_answer_to_a_whole_message_is_ambiguous(smtp_server: SmtpServer) -> None:
    email = email_to(smtp_server.port, reply_timeout=0.3)
    smtp_server.hang(times=1)
    with pytest.raises(AmbiguousError):
        await email.send(a_message())
    await email.send(a_message())
    await email.close()


@pytest.mark.integration
async def test_an_answer_lost_after_acceptance_is_ambiguous(smtp_server: SmtpServer, email: EmailChannel) -> None:
    smtp_server.accept_then_drop(times=1)
    with pytest.raises(AmbiguousError):
        await email.send(a_message())
    assert 1 == len(smtp_server.messages)


@pytest.mark.integration
async def test_nobody_there_is_unavailable_and_passes(smtp_server: SmtpServer, email: EmailChannel) -> None:
    await email.send(a_message())
    smtp_server.stop()
    with pytest.raises(UnavailableError):
        await email.send(a_message(command_id="2"))
    smtp_server.start()
    await email.send(a_message(command_id="3"))
    assert 2 == len(smtp_server.messages)


@pytest.mark.integration
async def test_an_idle_session_that_was_closed_costs_nothing(smtp_server: SmtpServer, email: EmailChannel) -> None:
    await email.send(a_message())
    smtp_server.stop()
    smtp_server.start()
    await email.send(a_message(command_id="2"))
    assert 2 == len(smtp_server.messages)


@pytest.mark.parametrize("cut", ["after 354", "in the body"])
async def test_a_connection_lost_before_the_final_dot_is_not_ambiguous(cut: str) -> None:
    """The server cannot have a message whose end it has not seen."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 x\r\n")
        while line := await reader.readline():
            if line.startswith(b"DATA"):
                writer.write(b"354 go\r\n")
                await writer.drain()
                if cut == "in the body":
                    await reader.read(1000)
                writer.transport.abort()
                return
            writer.write(b"250 ok\r\n")
        writer.close()

    port = free_port()
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    email = email_to(port)
    # More than the socket buffers take, so that the dot cannot have left when the connection ends.
    big = a_message(parts={"subject": "s", "text": "x" * 20_000_000})
    with pytest.raises(UnavailableError):
        await email.send(big)
    await email.close()
    server.close()


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ann",
        "ann@",
        "@example.com",
        "a b@example.com",
        "a@example.com\r\nRCPT TO:<b@c>",
        "a@x.com,b@x.com",
        "<a@x.com>",
    ],
)
async def test_an_address_that_is_none_never_reaches_the_server(address: str) -> None:
    with pytest.raises(RefusedError):
        await email_to(1).send(a_message(address=address))


@pytest.mark.parametrize(
    "changes", [{"parts": {"subject": "a\r\nBcc: b@c", "text": "x"}}, {"headers": (("X", "a\nB: c"),)}]
)
async def test_nobody_writes_headers_of_his_own(changes: dict[str, object]) -> None:
    with pytest.raises(RefusedError):
        await email_to(1).send(a_message(**changes))


async def test_a_message_without_a_body_is_refused() -> None:
    with pytest.raises(RefusedError):
        await email_to(1).send(a_message(parts={"subject": "x"}))


@pytest.mark.integration
async def test_an_international_domain_goes_in_ascii_and_a_mailbox_as_utf8(
    smtp_server: SmtpServer, email: EmailChannel
) -> None:
    await email.send(a_message(address="ann@bücher.example"))
    await email.send(a_message(address="太郎@example.com"))
    assert [("ann@xn--bcher-kva.example",), ("太郎@example.com",)] == [mail.rcpt_tos for mail in smtp_server.messages]


def test_an_smtp_url_says_how_to_reach_the_server() -> None:
    secured = parse_smtp_url("smtp://us%40er:p%3Aw@mail.example:587")
    assert ("us@er", "p:w", 587, True, False) == (
        secured.user,
        secured.password,
        secured.port,
        secured.starttls,
        secured.tls,
    )
    assert not parse_smtp_url("smtp://u:p@localhost?starttls=0").starttls
    assert parse_smtp_url("smtp://localhost?starttls=1").starttls
    assert (True, 465) == (parse_smtp_url("smtps://mail.example").tls, parse_smtp_url("smtps://mail.example").port)


@pytest.mark.parametrize(
    "url",
    ["http://x", "smtp://", "smtp://x:99999", "smtp://[x", *(f"smtp://u:12{mark}secret@x" for mark in "/?#")],
)
def test_an_smtp_url_that_is_none_is_refused_and_not_repeated(url: str) -> None:
    """A password may hold what ends the host's name; it must be neither half used nor shown."""
    with pytest.raises(ConfigurationError) as refused:
        parse_smtp_url(url)
    assert "KIKKAKE_SMTP_URL must be smtp://" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_sender_that_is_no_address_is_a_fault_of_the_configuration() -> None:
    with pytest.raises(ConfigurationError):
        EmailChannel(parse_smtp_url("smtp://localhost"), Mails(mail_settings("Shop")))
