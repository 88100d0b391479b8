"""What a rendered message is as a mail, whoever carries it: checked once here, written down by each kind in its way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.utils import parseaddr

import msgspec

from services.dispatcher.channels.base import Attachment, Message
from services.dispatcher.channels.files import Files
from services.dispatcher.channels.kinds import Settings, Word
from services.dispatcher.errors import DeadAddressError, RefusedError
from shared.errors import WordError

FROM = Word(name="from", needed=True, about="who messages are from: an address, or `Name <address>`")
REPLY_TO = Word(name="reply_to", about="where answers go; left out: to `from`")
FEEDBACK_ID = Word(name="feedback_id", about="your name in `Feedback-ID`, 5 to 15 characters; left out: no such header")
FILES_FROM = Word(name="files_from", form="texts", about="origins of attachments, such as `https://files.example.com`")
MAIL_WORDS = (FROM, REPLY_TO, FEEDBACK_ID, FILES_FROM)
"""What every kind of provider of e-mail can be told."""

REFERENCE = "kikkake_reference"
"""What ``Message.reference`` is called among the data of ours that a provider brings back (Postmark: 20 at most)."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,75}")
# RFC 5321, 4.5.3.1: the local part and the domain have their own limits; this is the path's.
_LONGEST_ADDRESS = 254
# RFC 5322, 2.1.1: no line is longer. A value is folded at its blanks; what has none for so long cannot be.
_LONGEST_WORD = 900
# Mailgun: a tag is 128 characters of ASCII; SES: letters, digits, _ - . and @ alone.
_LONGEST_TAG = 128
_REFERENCE = re.compile(r"[A-Za-z0-9_-]+")
_NO_TAG = re.compile(r"[^A-Za-z0-9_.@-]+")
_FEEDBACK_ID = re.compile(r"[A-Za-z0-9_-]{5,15}")
_TYPE = re.compile(r"[a-z]+/[\w.+-]{1,100}", re.IGNORECASE)


class Mailbox(msgspec.Struct, frozen=True):
    """One address with the name beside it, empty where there is none."""

    address: str
    name: str = ""

    @property
    def domain(self) -> str:
        """The part behind the @."""
        return self.address.rpartition("@")[2]


class MailSettings(msgspec.Struct, frozen=True):
    """Who the mails are from, and where answers go where that is somebody else.

    ``feedback_id`` is what Gmail's reports of complaints call the sender; empty: mails have no ``Feedback-ID``.
    """

    sender: Mailbox
    reply_to: Mailbox | None = None
    feedback_id: str = ""


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """One mail whose every field is safe to write into a header line. At least one of ``text`` and ``html`` is there.

    ``recipient`` has its domain in ASCII; ``at`` is its date (ms); ``headers`` are extra ones, in ASCII or not.
    """

    sender: Mailbox
    reply_to: Mailbox | None
    recipient: str
    subject: str
    text: str | None
    html: str | None
    at: int
    message_id: str
    headers: tuple[tuple[str, str], ...] = ()
    attachments: tuple[Attachment, ...] = ()

    @property
    def images(self) -> tuple[Attachment, ...]:
        """What the page shows; without a page they are files."""
        return tuple(each for each in self.attachments if each.cid) if self.html is not None else ()

    @property
    def files(self) -> tuple[Attachment, ...]:
        """What is beside the text."""
        return tuple(each for each in self.attachments if not each.cid or self.html is None)


def mail_settings(
    sender: str,
    reply_to: str | None = None,
    *,
    called: tuple[str, str] = ("--email-from or KIKKAKE_EMAIL_FROM", "KIKKAKE_EMAIL_REPLY_TO"),
) -> MailSettings:
    """Return what the operator's words say; ``called`` is where they stand. Raises WordError for what is no address."""
    return MailSettings(
        _mailbox(sender, FROM.name, called[0]), _mailbox(reply_to, REPLY_TO.name, called[1]) if reply_to else None
    )


class Mails:
    """Makes mails of messages: what all kinds of providers of e-mail have in common."""

    def __init__(self, settings: MailSettings, files: Files | None = None) -> None:
        self._settings = settings
        self._files = files or Files(())

    async def compose(self, message: Message) -> Mail:
        """Return ``message`` as a mail, with its files. Raises as ``compose`` and ``Files.of`` do."""
        files = await self._files.of(message.parts)
        if files:
            message = msgspec.structs.replace(message, attachments=(*message.attachments, *files))
        return compose(message, self._settings)

    async def close(self) -> None:
        """Close the connections to where files are."""
        await self._files.close()


def mails_of(settings: Settings) -> Mails:
    """Return what ``MAIL_WORDS`` of a provider say. Raises WordError."""
    made = mail_settings(settings.text("from"), settings.text("reply_to"), called=("`from`", "`reply_to`"))
    name = settings.text("feedback_id")
    if name and not _FEEDBACK_ID.fullmatch(name):
        raise WordError("feedback_id", "`feedback_id` is no name for reports; write 5 to 15 letters, digits, _ or -")
    return Mails(msgspec.structs.replace(made, feedback_id=name), Files(settings.values["files_from"] or ()))


def compose(message: Message, settings: MailSettings) -> Mail:
    """Return ``message`` as a mail.

    Raises RefusedError for what no provider should be asked: a line break in a header lets whoever wrote it write the
    next header. DeadAddressError for what is no address. Neither repeats what it refuses.
    """
    text, html = message.parts.get("text"), message.parts.get("html")
    if text is None and html is None:
        raise RefusedError("neither text nor html")
    headers = (*message.headers, *_headers(message, settings))
    for name, value in headers:
        if not _FIELD_NAME.fullmatch(name) or max(map(len, value.split(" "))) > _LONGEST_WORD:
            raise RefusedError("an extra header cannot be one")
        _one_line(value)
    for attachment in message.attachments:
        if not _TYPE.fullmatch(attachment.type):
            raise RefusedError("the type of an attachment is none")
        _one_line(attachment.name + attachment.cid)
    return Mail(
        sender=settings.sender,
        reply_to=settings.reply_to,
        recipient=_recipient(message.address),
        subject=_one_line(message.parts.get("subject", "")),
        text=text,
        html=html,
        at=message.at,
        # Derived, so that a second copy of an ambiguous message is recognised as one by mail programs.
        message_id=_one_line(f"<{message.command_id}@{settings.sender.domain}>"),
        headers=headers,
        attachments=message.attachments,
    )


def bounce_domain_of(settings: Settings) -> str:
    """Return what the word ``bounce_domain`` says; empty where it was left out. Raises WordError."""
    domain = settings.text("bounce_domain")
    if domain and not (_is_address(f"b@{domain}") and domain.isascii()):
        raise WordError("bounce_domain", "`bounce_domain` is no domain; write one such as bounces.example.com")
    return domain


def reference_within(message: Message, most: int) -> str | None:
    """Return the reference of ``message``; None where it has none, or one that is longer than ``most`` characters."""
    reference = message.reference or ""
    return reference if _REFERENCE.fullmatch(reference) and len(reference) <= most else None


def as_tag(text: str) -> str:
    """Return ``text`` in the characters that every provider takes in a tag."""
    return _NO_TAG.sub("_", text)[:_LONGEST_TAG]


def bounded(body: bytes, most: int) -> bytes:
    """Return ``body``. Raises RefusedError where it is longer than the ``most`` bytes that the provider takes."""
    if len(body) > most:
        raise RefusedError(f"the mail is longer than {most} bytes")
    return body


def _headers(message: Message, settings: MailSettings) -> Iterator[tuple[str, str]]:
    """Yield what mail programs and providers sort mails by: of which list, and of which campaign."""
    if message.topic and message.purpose == "marketing":
        yield "List-Id", f"<{as_tag(message.topic)}.{settings.sender.domain}>"
    if settings.feedback_id:
        # Gmail reads it from its end: the sender, then up to three names that complaints are counted by.
        names = (as_tag(message.journey), as_tag(message.step), message.purpose, settings.feedback_id)
        yield "Feedback-ID", ":".join(names)


def _mailbox(text: str, word: str, called: str) -> Mailbox:
    name, address = parseaddr(text)
    if _CONTROL.search(text) or not _is_address(address) or not address.isascii():
        raise WordError(word, f"{called} is no address; write one, or 'Name <address>'")
    return Mailbox(address, name)


def _one_line(value: str) -> str:
    if _CONTROL.search(value):
        raise RefusedError("a header holds a line break or control character")
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        raise RefusedError("a header holds what is no character") from None
    return value


def _recipient(address: str) -> str:
    if not _is_address(address):
        raise DeadAddressError("not an e-mail address", why="invalid")
    local, _, domain = address.rpartition("@")
    try:
        local.encode()
        return f"{local}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        raise DeadAddressError("not an e-mail address", why="invalid") from None


def _is_address(address: str) -> bool:
    local, _, domain = address.rpartition("@")
    if not local or not domain or len(address) > _LONGEST_ADDRESS:
        return False
    # One address and nothing else: no list, no route, no comment, no space.
    return not (_CONTROL.search(address) or any(character in ' ,;:<>()[]"\\@' for character in local + domain))
