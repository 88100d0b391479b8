"""Mailgun's API (documentation.mailgun.com, "Send an email in MIME format"). It knows no idempotency key."""

from __future__ import annotations

from base64 import b64encode

from services.dispatcher.channels.base import Message, Receipt
from services.dispatcher.channels.http import HttpApi, raise_for
from services.dispatcher.channels.kinds import TIMEOUT, Kind, Settings, Word, base_url
from services.dispatcher.channels.mail import (
    MAIL_WORDS,
    REFERENCE,
    Mails,
    as_tag,
    bounded,
    mails_of,
)
from services.dispatcher.channels.mime import mime
from services.dispatcher.errors import DeadAddressError, MisconfiguredError
from services.dispatcher.http1 import Answer

# "The maximum message size Mailgun supports is 25MB."
_LONGEST = 25 * 1000 * 1000
# The account's: 402 is its plan, 404 a domain that it does not have.
_REFUSES_US = frozenset({402, 404})
# No line of ours begins so: the file is in 7 bits, what is longer is base64, and the fields are tags.
_BOUNDARY = "=_kikkake-form"


class MailgunProvider:
    """Posts a mail whole."""

    idempotent = False

    def __init__(
        self,
        provider_id: str,
        mails: Mails,
        *,
        domain: str,
        key: str,
        base: str,
        timeout: float,
        connections: int,
    ) -> None:
        self.id = provider_id
        self._mails = mails
        self._path = f"/v3/{domain}/messages.mime"
        headers = {
            "Content-Type": f'multipart/form-data; boundary="{_BOUNDARY}"',
            "Authorization": f"Basic {b64encode(f'api:{key}'.encode()).decode()}",
        }
        self._api = HttpApi(base, timeout=timeout, connections=connections, headers=headers)

    def takes(self, address: str) -> bool:
        """Return True: whether it is an address at all is found out where the reason can be told."""
        return True

    async def send(self, message: Message) -> Receipt:
        """Post the mail. Raises as ``Provider.send`` does."""
        mail = await self._mails.compose(message)
        fields = [("to", mail.recipient), ("o:tracking", "no")]
        if message.journey:
            fields.append(("o:tag", as_tag(message.journey)))
        if message.reference:
            fields.append((f"v:{REFERENCE}", message.reference))
        answer = await self._api.post(self._path, _form(fields, bounded(mime(mail), _LONGEST)))
        _raise(answer)
        said = answer.json().get("id")
        return Receipt(provider_id=said.strip("<>") if isinstance(said, str) else None)

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()
        await self._mails.close()


def _form(fields: list[tuple[str, str]], mail: bytes) -> bytes:
    """Return the body of a form (RFC 7578) with ``mail`` as the file ``message``."""
    parts = [f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}' for name, value in fields]
    head = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="message"; filename="message.mime"\r\n'
        "Content-Type: message/rfc822\r\n\r\n"
    )
    return "\r\n".join([*parts, head]).encode() + mail + f"\r\n--{_BOUNDARY}--\r\n".encode()


def _raise(answer: Answer) -> None:
    """Raise what a refusal means: by how its message begins, which may go on with the address."""
    detail = f"HTTP {answer.status}"
    text = str(answer.json().get("message", "")) if answer.status == 400 else ""
    if text.startswith("'to' parameter is not a valid address"):
        raise DeadAddressError(detail, why="invalid")
    if answer.status in _REFUSES_US or text.startswith("'from' parameter"):
        raise MisconfiguredError(detail)
    raise_for(answer, detail)


def _make(settings: Settings, connections: int) -> MailgunProvider:
    return MailgunProvider(
        settings.id,
        mails_of(settings),
        domain=settings.text("domain"),
        key=settings.text("key"),
        base=settings.text("base_url"),
        timeout=settings.seconds("timeout"),
        connections=connections,
    )


MAILGUN = Kind(
    name="mailgun",
    channels=("email",),
    words=(
        *MAIL_WORDS,
        Word(name="domain", needed=True, about="the sending domain"),
        Word(name="key", form="secret", needed=True, about="the domain's sending key, or one of the account"),
        TIMEOUT,
        base_url("https://api.mailgun.net"),
    ),
    make=_make,
)
