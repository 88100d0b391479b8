"""Mails as bytes: what is written is what the standard library's parser reads, within the limits of the wire."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dispatcher.channels.base import Attachment
from services.dispatcher.channels.mail import Mail, Mailbox
from services.dispatcher.channels.mime import mime
from tests.builders import at

MAIL = Mail(
    sender=Mailbox("shop@example.com", "Shop"),
    reply_to=None,
    recipient="ann@example.com",
    subject="Hello",
    text="Hello\n",
    html=None,
    at=at("12:00"),
    message_id="<1@example.com>",
)
# What a mail may hold: any character but those that no text has.
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\n\t."))
LINE = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=200)


def written(**changes: Any) -> bytes:
    data = mime(msgspec.structs.replace(MAIL, **changes))
    assert data.endswith(b"\r\n")
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert max(map(len, data.split(b"\r\n"))) <= 998
    return data


def parsed(**changes: Any) -> EmailMessage:
    found = message_from_bytes(written(**changes), policy=policy.default)
    assert not [part for part in found.walk() if part.defects]
    return found


def body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r", "")


def types(mail: EmailMessage) -> list[str]:
    return [part.get_content_type() for part in mail.walk()]


def test_a_plain_mail_is_as_plain_on_the_wire() -> None:
    assert (
        b'From: "Shop" <shop@example.com>\r\n'
        b"To: ann@example.com\r\n"
        b"Subject: Hello\r\n"
        b"Date: Mon, 02 Mar 2026 12:00:00 +0000\r\n"
        b"Message-ID: <1@example.com>\r\n"
        b"MIME-Version: 1.0\r\n"
        b'Content-Type: text/plain; charset="us-ascii"\r\n'
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"\r\n"
        b"Hello\r\n"
    ) == written()


@given(TEXT, TEXT)
def test_any_text_and_page_are_read_as_they_were(text: str, html: str) -> None:
    mail = parsed(text=text, html=html)
    for kind, source in (("plain", text), ("html", html)):
        assert source.removesuffix("\n").split("\n") == body(mail, kind).removesuffix("\n").split("\n")


@given(LINE)
def test_any_subject_is_read_as_it_was(subject: str) -> None:
    # The parser drops blanks at the ends of a header; between words they may be folded to one.
    assert subject.split() == parsed(subject=subject)["Subject"].split()


@pytest.mark.parametrize(
    "subject", ["カートに商品が残っています。" * 20, "x" * 2000, "word " * 300, "=?utf-8?q?no?= word", "ab " * 25 + "é"]
)
def test_a_subject_keeps_its_lines_short(subject: str) -> None:
    data = written(subject=subject)
    head = data.partition(b"\r\n\r\n")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 78
    assert subject.split() == message_from_bytes(data, policy=policy.default)["Subject"].split()


@pytest.mark.parametrize("name", ['Shop "Kyoto", Inc.', "京都の店 (本店)", "O\\'Neill", "Zoë & Co, 東京"])
def test_a_name_is_read_as_it_was(name: str) -> None:
    mail = parsed(sender=Mailbox("shop@example.com", name), reply_to=Mailbox("help@example.com", name))
    for field, address in (("From", "shop@example.com"), ("Reply-To", "help@example.com")):
        assert [(name, address)] == [(one.display_name, one.addr_spec) for one in mail[field].addresses]


def test_long_headers_are_folded_between_their_parts() -> None:
    value = f"<https://example.com/u/{'a' * 100}?t=?x=?>, <mailto:{'b' * 60}@example.com>"
    data = written(headers=(("List-Unsubscribe", value), ("List-Id", "カート <cart.example.com>")))
    assert value == str(message_from_bytes(data, policy=policy.default)["List-Unsubscribe"])
    assert b"?= <cart.example.com>\r\n" in data


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Hello", "7bit"),
        ("x" * 999, "quoted-printable"),
        ("nul \0", "quoted-printable"),
        ("--=_part of ours?", "quoted-printable"),
        ("Viele Grüße aus dem schönen Salzburg", "quoted-printable"),
        ("お忘れではありませんか", "base64"),
    ],
)
def test_a_text_is_encoded_no_more_than_it_must(text: str, encoding: str) -> None:
    mail = parsed(text=text)
    assert encoding == mail["Content-Transfer-Encoding"]
    assert f"{text}\n" == mail.get_content().replace("\r\n", "\n")


def test_text_page_images_and_files_are_nested_as_mail_programs_expect() -> None:
    image = Attachment("logo.png", "image/png", b"\x89PNG", cid="logo@shop")
    invoice = Attachment("請求書.pdf", "application/pdf", bytes(range(256)) * 9)
    mail = parsed(html='<img src="cid:logo@shop">', attachments=(image, invoice))
    assert [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "application/pdf",
    ] == types(mail)
    logo = next(part for part in mail.walk() if part["Content-ID"])
    assert ("<logo@shop>", "inline", b"\x89PNG") == (
        logo["Content-ID"],
        logo.get_content_disposition(),
        logo.get_payload(decode=True),
    )
    file = next(mail.iter_attachments())
    assert ("請求書.pdf", invoice.content) == (file.get_filename(), file.get_payload(decode=True))


def test_an_image_of_no_page_is_a_file() -> None:
    mail = parsed(attachments=(Attachment('a "b".png', "image/png", b"x", cid="logo"),))
    assert ["multipart/mixed", "text/plain", "image/png"] == types(mail)
    file = next(mail.iter_attachments())
    assert ("attachment", 'a "b".png', None) == (
        file.get_content_disposition(),
        file.get_filename(),
        file["Content-ID"],
    )


def test_an_address_beyond_ascii_is_written_as_it_is() -> None:
    assert "To: 太郎@example.com\r\n".encode() in written(recipient="太郎@example.com")


def test_the_same_mail_is_the_same_bytes() -> None:
    assert written(html="<p>Hello</p>") == written(html="<p>Hello</p>")
