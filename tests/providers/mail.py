"""What the contract of mails has to know of a provider of e-mail: how to read a mail out of a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.headerregistry import Address

from tests.providers.base import Case
from tests.servers.provider import Asked

FROM = '"Shop \\"東京\\"" <shop@example.com>'
SENDER = ('Shop "東京"', "shop@example.com")
PARTS = {"subject": "Hello 東京", "text": "Hello こんにちは", "html": "<p>Hello こんにちは</p>"}

Person = tuple[str, str]
File = tuple[str, str, bytes, str]


@dataclass(frozen=True, kw_only=True)
class SentMail:
    """A mail as the provider was given it. Persons are (name, address), files (name, type, content, cid)."""

    sender: Person
    recipient: str
    subject: str
    text: str
    html: str
    reply_to: Person | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    files: tuple[File, ...] = ()
    reference: str | None = None


@dataclass(frozen=True, kw_only=True)
class MailCase(Case):
    """A kind of provider of e-mail. ``longest`` is how many bytes of a file it certainly takes no more."""

    channel: str = "email"
    parts: Mapping[str, str] = field(default_factory=lambda: PARTS)
    address: Callable[[str], str] = lambda _url: "ann@example.com"
    says: Callable[[Asked], tuple[str, str]]
    mail: Callable[[Asked], SentMail]
    longest: int


def saying(mail: Callable[[Asked], SentMail]) -> Callable[[Asked], tuple[str, str]]:
    """Return how to read address and text by ``mail``."""
    return lambda asked: (mail(asked).recipient, mail(asked).text)


def person(text: str | None) -> Person | None:
    """Read ``"Name" <address>``."""
    if text is None:
        return None
    name, _, address = text.rpartition(" <")
    return (name.removeprefix('"').removesuffix('"').replace('\\"', '"'), address.rstrip(">")) if name else ("", text)


def parsed(raw: bytes, reference: str | None) -> SentMail:
    """Read a mail in MIME."""
    mail = message_from_bytes(raw, policy=policy.default)
    people: dict[str, Person] = {}
    for name in ("From", "Reply-To"):
        if name in mail:
            found: Address = mail[name].addresses[0]
            people[name] = (found.display_name, found.addr_spec)
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    files = [part for part in mail.walk() if part.get_content_disposition()]
    return SentMail(
        sender=people["From"],
        reply_to=people.get("Reply-To"),
        recipient=str(mail["To"]),
        subject=str(mail["Subject"]),
        text="" if text is None else text.get_content().strip(),
        html="" if html is None else html.get_content().strip(),
        headers={name: str(value) for name, value in mail.items()},
        files=tuple(
            (
                part.get_filename() or "",
                part.get_content_type(),
                part.get_payload(decode=True),  # type: ignore[misc]
                (part["Content-ID"] or "").strip("<>"),
            )
            for part in files
        ),
        reference=reference,
    )
