"""Postmark's API (postmarkapp.com/developer, "Send a single email"). It knows no idempotency key."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import msgspec

from services.dispatcher.channels.base import Attachment, Message, Receipt
from services.dispatcher.channels.http import raise_for
from services.dispatcher.channels.kinds import TIMEOUT, Kind, Settings, Word, base_url
from services.dispatcher.channels.mail import (
    MAIL_WORDS,
    REFERENCE,
    Mail,
    Mailbox,
    as_tag,
    bounded,
    reference_within,
)
from services.dispatcher.channels.mail_api import MailApi
from services.dispatcher.errors import BusyError, DeadAddressError, MisconfiguredError, RefusedError
from services.dispatcher.http1 import Answer

# "10 MB for our Email API", attachments included.
_LONGEST = 10 * 1024 * 1024
# "Metadata": names of 20 characters, values of 80.
_LONGEST_REFERENCE = 80
# Its error codes: of the token, the sender's signature, credits, and the account's approval.
_REFUSES_US = frozenset({10, 400, 401, 405, 412, 413})
_INVALID, _INACTIVE, _MAINTENANCE, _TOO_MANY = 300, 406, 100, 429


class PostmarkProvider(MailApi):
    """Posts a mail by its fields, to the stream of its purpose."""

    def __init__(self, settings: Settings, connections: int) -> None:
        token = settings.text("token")
        headers = {"Content-Type": "application/json", "Accept": "application/json", "X-Postmark-Server-Token": token}
        super().__init__(settings, connections, headers, base=settings.text("base_url"))
        self._streams = {purpose: settings.text(f"{purpose}_stream") for purpose in ("transactional", "marketing")}

    async def send(self, message: Message) -> Receipt:
        """Post the mail. Raises as ``Provider.send`` does."""
        fields = _fields(await self._mails.compose(message), message, self._streams[message.purpose])
        answer = await self._api.post("/email", bounded(msgspec.json.encode(fields), _LONGEST))
        _raise(answer)
        said = answer.json().get("MessageID")
        return Receipt(provider_id=said if isinstance(said, str) else None)


def _fields(mail: Mail, message: Message, stream: str) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "From": _person(mail.sender),
        "To": mail.recipient,
        "Subject": mail.subject,
        "MessageStream": stream,
        "Headers": [{"Name": name, "Value": value} for name, value in mail.headers],
        # Links are counted by ours.
        "TrackOpens": False,
        "TrackLinks": "None",
    }
    if mail.text:
        fields["TextBody"] = mail.text
    if mail.html:
        fields["HtmlBody"] = mail.html
    if mail.reply_to is not None:
        fields["ReplyTo"] = _person(mail.reply_to)
    if reference := reference_within(message, _LONGEST_REFERENCE):
        fields["Metadata"] = {REFERENCE: reference}
    if message.journey:
        fields["Tag"] = as_tag(message.journey)
    if mail.attachments:
        fields["Attachments"] = [
            *({**_attachment(each), "ContentID": f"cid:{each.cid}"} for each in mail.images),
            *(_attachment(each) for each in mail.files),
        ]
    return fields


def _person(mailbox: Mailbox) -> str:
    name = mailbox.name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{name}" <{mailbox.address}>' if name else mailbox.address


def _attachment(attachment: Attachment) -> dict[str, str]:
    return {
        "Name": attachment.name,
        "Content": b64encode(attachment.content).decode(),
        "ContentType": attachment.type,
    }


def _raise(answer: Answer) -> None:
    """Raise what a refusal means: by its code, and by how its message begins, which may go on with the address."""
    said = answer.json()
    code, text = said.get("ErrorCode", 0), str(said.get("Message", ""))
    if not isinstance(code, int) or not (code and answer.status in (200, 401, 422, 429, 503)):
        return raise_for(answer, f"HTTP {answer.status}")
    detail = f"HTTP {answer.status} ErrorCode {code}"
    if code == _INACTIVE:
        raise DeadAddressError(detail, why="unregistered")
    if code in (_MAINTENANCE, _TOO_MANY):
        raise BusyError(detail, retry_after=answer.retry_after)
    if code == _INVALID and text.startswith(("Error parsing 'To'", "Invalid 'To'")):
        raise DeadAddressError(detail, why="invalid")
    if code in _REFUSES_US or text.startswith(("Error parsing 'From'", "Invalid 'From'")) or "MessageStream" in text:
        raise MisconfiguredError(detail)
    raise RefusedError(detail)


POSTMARK = Kind(
    name="postmark",
    channels=("email",),
    words=(
        *MAIL_WORDS,
        Word(name="token", form="secret", needed=True, about="the server's API token"),
        Word(name="transactional_stream", default="outbound", about="the message stream of transactional mails"),
        Word(name="marketing_stream", default="broadcast", about="the message stream of marketing mails"),
        TIMEOUT,
        base_url("https://api.postmarkapp.com"),
    ),
    make=PostmarkProvider,
)
