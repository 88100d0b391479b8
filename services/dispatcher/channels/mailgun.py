"""Mailgun's API (documentation.mailgun.com, "Send an email in MIME format"). It knows no idempotency key."""

from __future__ import annotations

from base64 import b64encode

from services.dispatcher.channels.base import Message, Receipt
from services.dispatcher.channels.http import raise_for
from services.dispatcher.channels.kinds import TIMEOUT, Kind, Settings, Word, base_url
from services.dispatcher.channels.mail import (
    MAIL_WORDS,
    REFERENCE,
    as_tag,
    bounded,
)
from services.dispatcher.channels.mail_api import MailApi
from services.dispatcher.channels.mime import mime
from services.dispatcher.errors import DeadAddressError, MisconfiguredError
from services.dispatcher.http1 import Answer

# "The maximum message size Mailgun supports is 25MB."
_LONGEST = 25 * 1000 * 1000
# The account's: 402 is its plan, 404 a domain that it does not have.
_REFUSES_US = frozenset({402, 404})
# No line of ours begins so: the file is in 7 bits, what is longer is base64, and the fields are tags.
_BOUNDARY = "=_kikkake-form"


class MailgunProvider(MailApi):
    """Posts a mail whole."""

    def __init__(self, settings: Settings, connections: int) -> None:
        headers = {
            "Content-Type": f'multipart/form-data; boundary="{_BOUNDARY}"',
            "Authorization": "Basic " + b64encode(f"api:{settings.text('key')}".encode()).decode(),
        }
        super().__init__(settings, connections, headers, base=settings.text("base_url"))
        self._path = f"/v3/{settings.text('domain')}/messages.mime"

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
    make=MailgunProvider,
)
