"""E-mail over SMTP: a rendered message becomes MIME and is handed to one server."""

from __future__ import annotations

import re

from services.dispatcher.channels.base import Message, Receipt
from services.dispatcher.channels.dkim import Dkim
from services.dispatcher.channels.kinds import Kind, Settings, Word
from services.dispatcher.channels.mail import (
    MAIL_WORDS,
    Mails,
    bounce_domain_of,
    mails_of,
    reference_within,
)
from services.dispatcher.channels.mime import mime
from services.dispatcher.channels.smtp import SmtpPool
from services.dispatcher.channels.smtp_session import Envelope, SmtpAddress
from shared.errors import WordError
from shared.journeys.faults import shown

_BOUNCE = "b+"
# RFC 5321, 4.5.3.1.1; and RFC 3461, 4.4.
_LOCAL_PART = 64
_ENVELOPE_ID = 100
_QUEUED = re.compile(r"(?i)\bqueued as <?([\w.@-]{1,100})")


class EmailChannel:
    """Sends over SMTP, which knows no idempotency key: a lost answer to a whole message is ambiguous."""

    idempotent = False

    def __init__(
        self,
        server: SmtpAddress,
        mails: Mails,
        *,
        provider_id: str = "smtp",
        bounce_domain: str = "",
        dkim: Dkim | None = None,
    ) -> None:
        """``bounce_domain``: where bounces go, to an address that says whose; left out, they go to the sender."""
        self.id = provider_id
        self._mails = mails
        self._bounce_domain = bounce_domain
        self._dkim = dkim
        self._pool = SmtpPool(server)

    def takes(self, address: str) -> bool:
        """Return True: whether it is an address at all is found out where the reason can be told."""
        return True

    async def send(self, message: Message) -> Receipt:
        """Build the mail and hand it over; the receipt's id is the server's queue id where it tells one."""
        mail = await self._mails.compose(message)
        data = mime(mail)
        said = await self._pool.deliver(
            Envelope(
                self._bounces_to(message) or mail.sender.address,
                mail.recipient,
                data if self._dkim is None else self._dkim.signed(data),
                utf8=not mail.recipient.isascii(),
                id=reference_within(message, _ENVELOPE_ID) or "",
            )
        )
        queued = _QUEUED.search(said)
        return Receipt(provider_id=queued[1] if queued else mail.message_id[1:-1])

    async def close(self) -> None:
        """Close the idle sessions."""
        await self._pool.close()
        await self._mails.close()

    def _bounces_to(self, message: Message) -> str | None:
        """Return the address that a bounce comes back to, with the message's reference in it where there is room."""
        if not self._bounce_domain:
            return None
        reference = reference_within(message, _LOCAL_PART - len(_BOUNCE))
        return f"{_BOUNCE}{reference}@{self._bounce_domain}" if reference else f"b@{self._bounce_domain}"


def _smtp(settings: Settings, _: int) -> EmailChannel:
    tls, user = settings.text("tls"), settings.text("user")
    if tls not in ("none", "starttls", "tls"):
        raise WordError("tls", f"unknown `tls` {shown(tls)}; write none, starttls or tls")
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
    return EmailChannel(
        server,
        mails_of(settings),
        provider_id=settings.id,
        bounce_domain=bounce_domain_of(settings),
        dkim=_dkim(settings),
    )


def _dkim(settings: Settings) -> Dkim | None:
    words = {name: settings.text(name) for name in ("dkim_domain", "dkim_selector", "dkim_key")}
    missing = [name for name, said in words.items() if not said]
    if len(missing) == len(words):
        return None
    if missing:
        said = " and ".join(f"`{name}`" for name in missing)
        raise WordError(next(name for name in words if name not in missing), f"to sign mails {said} is needed too")
    return Dkim(*words.values())


SMTP = Kind(
    name="smtp",
    channels=("email",),
    words=(
        *MAIL_WORDS,
        Word(name="host", needed=True, about="the server"),
        Word(name="port", form="port", default=587, about="its port"),
        Word(name="tls", default="starttls", about="none, starttls, or tls from the first byte"),
        Word(name="user", about="who logs in; left out: nobody"),
        Word(name="password", form="secret", about="the password of `user`"),
        Word(
            name="timeout",
            form="duration",
            default=15.0,
            about="to connect and log in; to say whom a message is from and for",
        ),
        Word(name="reply_timeout", form="duration", default=60.0, about="for a whole message and its answer"),
        Word(name="bounce_domain", about="where bounces go: to an address there that says whose; left out: to `from`"),
        Word(name="dkim_domain", about="whose signature mails get, if the server gives them none"),
        Word(name="dkim_selector", about="where its key is in DNS: `SELECTOR._domainkey.DOMAIN`"),
        Word(name="dkim_key", form="secret", about="its private key in PEM: RSA or Ed25519"),
    ),
    make=_smtp,
)
