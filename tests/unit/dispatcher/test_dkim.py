"""DKIM: what dkimpy, which is not ours, verifies."""

from __future__ import annotations

from base64 import b64encode

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from services.dispatcher.channels.base import Attachment, Message
from services.dispatcher.channels.dkim import Dkim
from services.dispatcher.channels.mail import compose, mail_settings
from services.dispatcher.channels.mime import mime
from shared.errors import ConfigurationError
from tests.builders import at

RSA = generate_rsa(65537, 2048)
ED25519 = Ed25519PrivateKey.generate()
KEYS = {"rsa": RSA, "ed25519": ED25519}
HEADERS = (
    ("List-Unsubscribe", f"<https://example.com/u/{'t' * 80}>, <mailto:u@example.com>"),
    ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    ("X-Twice", "a"),
    ("X-Twice", "b"),
)


def pem(key: object) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()  # type: ignore[attr-defined,no-any-return]


def in_dns(kind: str) -> bytes:
    if kind == "ed25519":
        public = ED25519.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    else:
        public = RSA.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k={kind}; p={b64encode(public).decode()}".encode()


def a_mail(text: str = "Hello  こんにちは \n\n", attachments: tuple[Attachment, ...] = ()) -> bytes:
    message = Message(
        command_id="1",
        address="ann@example.com",
        parts={"subject": "カートをお忘れではありませんか" * 6, "text": text, "html": "<p>Hello</p>"},
        at=at("12:00"),
        headers=HEADERS,
        attachments=attachments,
    )
    return mime(compose(message, mail_settings("Shop 東京 <shop@example.com>", "help@example.com")))


def verifies(mail: bytes, kind: str) -> bool:
    asked: list[bytes] = []

    def dns(name: bytes, timeout: int = 5) -> bytes:
        asked.append(name)
        return in_dns(kind)

    found = bool(dkim.verify(mail, dnsfunc=dns, minkey=1024))
    assert [b"s1._domainkey.example.com."] == asked
    return found


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("text", ["Hello\n", "  Hello \t こんにちは \n\n\n", ".", "x" * 3000])
def test_a_signed_mail_verifies(kind: str, text: str) -> None:
    signer = Dkim("example.com", "s1", pem(KEYS[kind]))
    mail = signer.signed(a_mail(text, (Attachment("請求書.pdf", "application/pdf", bytes(range(256))),)))
    assert verifies(mail, kind)
    assert max(map(len, mail.split(b"\r\n"))) <= 998


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        (b"/u/t", b"/u/x"),
        (b"List-Unsubscribe=One-Click", b"List-Unsubscribe=Two-Click"),
        (b"ann@example.com", b"bob@example.com"),
        (b"<p>Hello</p>", b"<p>Hallo</p>"),
        (b"X-Twice: a\r\nX-Twice: b", b"X-Twice: b\r\nX-Twice: a"),
        (b"\r\nFrom: ", b"\r\nFrom: evil@example.com\r\nFrom: "),
    ],
)
def test_what_was_changed_on_the_way_does_not(written: bytes, instead: bytes) -> None:
    mail = Dkim("example.com", "s1", pem(RSA)).signed(a_mail())
    assert written in mail
    assert verifies(mail, "rsa")
    assert not verifies(mail.replace(written, instead, 1), "rsa")


def test_the_same_mail_has_the_same_signature() -> None:
    signer = Dkim("example.com", "s1", pem(RSA))
    assert signer.signed(a_mail()) == signer.signed(a_mail())


@pytest.mark.parametrize(
    "key",
    [
        "",
        "secret",
        pem(generate_private_key(SECP256R1())),
        RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
    ],
)
def test_a_key_that_cannot_sign_is_a_fault_and_not_repeated(key: str) -> None:
    with pytest.raises(ConfigurationError, match="`dkim_key` is no private key in PEM"):
        Dkim("example.com", "s1", key)


def test_a_name_that_cannot_be_in_dns_is_a_fault() -> None:
    for domain, selector in (("", "s1"), ("example.com", "s 1"), ("example.com; d=x", "s1")):
        with pytest.raises(ConfigurationError, match="DNS"):
            Dkim(domain, selector, pem(RSA))
