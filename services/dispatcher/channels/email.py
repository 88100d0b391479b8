"""E-mail over SMTP: a rendered message becomes MIME and is handed to one server."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

import msgspec

from services.dispatcher.channels.base import Message, Receipt
from services.dispatcher.channels.kinds import Kind, Settings, Word
from services.dispatcher.channels.smtp import Envelope, SmtpAddress, SmtpPool
from services.dispatcher.errors import RefusedError
from shared.errors import ConfigurationError

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# RFC 5321, 4.5.3.1: the local part and the domain have their own limits; this is the path's.
_LONGEST_ADDRESS = 254
_QUEUED = re.compile(r"(?i)\bqueued as <?([\w.@-]{1,100})")


class EmailSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who the messages are from: ``address`` or ``Name <address>``; answers go to ``reply_to`` where it is given."""

    sender: str
    reply_to: str | None = None


class EmailChannel:
    """Sends over SMTP, which knows no idempotency key: a lost answer to a whole message is ambiguous."""

    idempotent = False

    def __init__(self, server: SmtpAddress, settings: EmailSettings, *, provider_id: str = "smtp") -> None:
        """Raises ConfigurationError when the sender is no address."""
        self.id = provider_id
        self._settings = settings
        self._sender = parseaddr(settings.sender)[1]
        if not _looks_right(self._sender) or _CONTROL.search(settings.sender + (settings.reply_to or "")):
            raise ConfigurationError(
                f"the sender of `{provider_id}` must be an address or 'Name <address>': "
                "--email-from, KIKKAKE_EMAIL_FROM or `from` in providers.yaml"
            )
        self._pool = SmtpPool(server)

    def takes(self, address: str) -> bool:
        """Return True: whether it is an address at all is found out where the reason can be told."""
        return True

    async def send(self, message: Message) -> Receipt:
        """Build the mail and hand it over; the receipt's id is the server's queue id where it tells one."""
        mail = self._build(message)
        said = await self._pool.deliver(mail)
        queued = _QUEUED.search(said)
        return Receipt(provider_id=queued[1] if queued else f"{message.command_id}@{self._domain}")

    async def close(self) -> None:
        """Close the idle sessions."""
        await self._pool.close()

    @property
    def _domain(self) -> str:
        return self._sender.rpartition("@")[2]

    def _build(self, message: Message) -> Envelope:
        """Return ``message`` as it goes over the wire. Raises RefusedError for what no server should be asked."""
        recipient = _recipient(message.address)
        try:
            mail = self._mime(message, recipient)
            utf8 = not recipient.isascii()
            data = mail.as_bytes(policy=policy.SMTPUTF8 if utf8 else policy.SMTP)
        except (ValueError, UnicodeError) as error:
            raise RefusedError(f"not a valid message: {type(error).__name__}") from error
        return Envelope(self._sender, recipient, data if data.endswith(b"\r\n") else data + b"\r\n", utf8)

    def _mime(self, message: Message, recipient: str) -> EmailMessage:
        mail = EmailMessage(policy=policy.SMTP)
        mail["From"] = self._settings.sender
        local, _, domain = recipient.rpartition("@")
        mail["To"] = Address(username=local, domain=domain)
        mail["Subject"] = _header(message.parts.get("subject", ""))
        mail["Date"] = format_datetime(datetime.fromtimestamp(message.at // 1000, UTC))
        # Derived, so that a second copy of an ambiguous message is recognised as one by mail programs.
        mail["Message-ID"] = f"<{message.command_id}@{self._domain}>"
        if self._settings.reply_to:
            mail["Reply-To"] = self._settings.reply_to
        for name, value in message.headers:
            mail[_header(name)] = _header(value)
        text, html = message.parts.get("text"), message.parts.get("html")
        if text is None and html is None:
            raise RefusedError("neither text nor html")
        if text is not None:
            mail.set_content(text)
        if html is not None:
            if text is None:
                mail.set_content(html, subtype="html")
            else:
                mail.add_alternative(html, subtype="html")
        return mail


def _header(value: str) -> str:
    """Return ``value`` if it can be one header line: whoever can break the line can write the next header."""
    if _CONTROL.search(value):
        raise RefusedError("a header holds a line break or control character")
    return value


def _recipient(address: str) -> str:
    """Return ``address`` with its domain in ASCII. Raises RefusedError; the address itself is not in the message."""
    if not _looks_right(address):
        raise RefusedError("not an e-mail address")
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        raise RefusedError("not an e-mail address") from None


def _looks_right(address: str) -> bool:
    local, _, domain = address.rpartition("@")
    if not local or not domain or len(address) > _LONGEST_ADDRESS:
        return False
    # One address and nothing else: no list, no route, no comment, no space.
    return not (_CONTROL.search(address) or any(character in ' ,;:<>()[]"\\@' for character in local + domain))


def _smtp(settings: Settings, _: int) -> EmailChannel:
    tls, user = settings.text("tls"), settings.text("user")
    if tls not in ("none", "starttls", "tls"):
        raise ConfigurationError(f"`tls` of `{settings.id}` is none, starttls or tls")
    server = SmtpAddress(
        host=settings.text("host"),
        port=int(settings.values["port"]),
        tls=tls == "tls",
        starttls=tls == "starttls",
        user=user or None,
        password=settings.text("password") or None,
        timeout=settings.seconds("timeout"),
        reply_timeout=settings.seconds("reply_timeout"),
    )
    sender = EmailSettings(sender=settings.text("from"), reply_to=settings.text("reply_to") or None)
    return EmailChannel(server, sender, provider_id=settings.id)


FROM = Word(name="from", needed=True, about="who messages are from: an address, or `Name <address>`")
REPLY_TO = Word(name="reply_to", about="where answers go; left out: to `from`")

SMTP = Kind(
    name="smtp",
    channels=("email",),
    words=(
        FROM,
        REPLY_TO,
        Word(name="host", needed=True, about="the server"),
        Word(name="port", form="integer", default=587, about="its port"),
        Word(name="tls", default="starttls", about="none, starttls, or tls from the first byte"),
        Word(name="user", about="who logs in; left out: nobody"),
        Word(name="password", form="secret", about="the password of `user`"),
        Word(name="timeout", form="duration", default=15.0, about="for each step of the dialogue"),
        Word(name="reply_timeout", form="duration", default=60.0, about="for the answer to a whole message"),
    ),
    make=_smtp,
)
