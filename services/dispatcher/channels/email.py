"""E-mail over SMTP: a rendered message becomes MIME and is handed to one server."""

from __future__ import annotations

import re

from services.dispatcher.channels.base import Message, Receipt
from services.dispatcher.channels.kinds import Kind, Settings, Word
from services.dispatcher.channels.mail import FROM, REPLY_TO, MailSettings, compose, mail_settings_of
from services.dispatcher.channels.mime import mime
from services.dispatcher.channels.smtp import Envelope, SmtpAddress, SmtpPool
from shared.errors import ConfigurationError

_QUEUED = re.compile(r"(?i)\bqueued as <?([\w.@-]{1,100})")


class EmailChannel:
    """Sends over SMTP, which knows no idempotency key: a lost answer to a whole message is ambiguous."""

    idempotent = False

    def __init__(self, server: SmtpAddress, settings: MailSettings, *, provider_id: str = "smtp") -> None:
        self.id = provider_id
        self._settings = settings
        self._pool = SmtpPool(server)

    def takes(self, address: str) -> bool:
        """Return True: whether it is an address at all is found out where the reason can be told."""
        return True

    async def send(self, message: Message) -> Receipt:
        """Build the mail and hand it over; the receipt's id is the server's queue id where it tells one."""
        mail = compose(message, self._settings)
        utf8 = not mail.recipient.isascii()
        said = await self._pool.deliver(Envelope(mail.sender.address, mail.recipient, mime(mail), utf8))
        queued = _QUEUED.search(said)
        return Receipt(provider_id=queued[1] if queued else mail.message_id[1:-1])

    async def close(self) -> None:
        """Close the idle sessions."""
        await self._pool.close()


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
    return EmailChannel(server, mail_settings_of(settings), provider_id=settings.id)


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
