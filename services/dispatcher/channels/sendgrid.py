"""SendGrid's Web API v3 (twilio.com/docs/sendgrid, "Mail Send"). It knows no idempotency key."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
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
)
from services.dispatcher.channels.mail_api import MailApi
from services.dispatcher.errors import BusyError, DeadAddressError, MisconfiguredError
from services.dispatcher.http1 import Answer
from shared.clock import HOUR

# "The total size of your email, including attachments, must be less than 30MB."
_LONGEST = 30 * 1024 * 1024


class SendGridProvider(MailApi):
    """Posts a mail by its fields."""

    def __init__(self, settings: Settings, connections: int) -> None:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {settings.text('key')}"}
        super().__init__(settings, connections, headers, base=settings.text("base_url"))

    async def send(self, message: Message) -> Receipt:
        """Post the mail. Raises as ``Provider.send`` does."""
        body = msgspec.json.encode(_fields(await self._mails.compose(message), message))
        answer = await self._api.post("/v3/mail/send", bounded(body, _LONGEST))
        _raise(answer)
        return Receipt(provider_id=answer.headers.get("x-message-id"))


def _fields(mail: Mail, message: Message) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "personalizations": [{"to": [{"email": mail.recipient}]}],
        "from": _person(mail.sender),
        "subject": mail.subject,
        # Text first: its order is the mail's.
        "content": [
            {"type": f"text/{kind}", "value": text}
            for kind, text in (("plain", mail.text), ("html", mail.html))
            if text
        ],
        "categories": [as_tag(message.journey)] if message.journey else [],
        "custom_args": {REFERENCE: message.reference} if message.reference else {},
        # Links are counted by ours, and the way to unsubscribe is ours.
        "tracking_settings": {
            "click_tracking": {"enable": False},
            "open_tracking": {"enable": False},
            "subscription_tracking": {"enable": False},
        },
    }
    if mail.reply_to is not None:
        fields["reply_to"] = _person(mail.reply_to)
    if mail.headers:
        fields["headers"] = dict(mail.headers)
    if mail.attachments:
        fields["attachments"] = [
            *(_attachment(each, "inline") for each in mail.images),
            *(_attachment(each, "attachment") for each in mail.files),
        ]
    return fields


def _person(mailbox: Mailbox) -> dict[str, str]:
    return {"email": mailbox.address, **({"name": mailbox.name} if mailbox.name else {})}


def _attachment(attachment: Attachment, disposition: str) -> dict[str, str]:
    return {
        "content": b64encode(attachment.content).decode(),
        "type": attachment.type,
        "filename": attachment.name,
        "disposition": disposition,
        **({"content_id": attachment.cid} if disposition == "inline" else {}),
    }


def _raise(answer: Answer) -> None:
    """Raise what a refusal means: by the field at fault, since a message may quote the address."""
    detail = f"HTTP {answer.status}"
    if answer.status == 429:
        raise BusyError(detail, retry_after=answer.retry_after or _until_reset(answer))
    if answer.status == 400:
        for field in _fields_at_fault(answer):
            if field.startswith("personalizations.0.to"):
                raise DeadAddressError(f"{detail} {field}", why="invalid")
            if field.partition(".")[0] in ("from", "reply_to"):
                raise MisconfiguredError(f"{detail} {field}")
    raise_for(answer, detail)


def _fields_at_fault(answer: Answer) -> Iterator[str]:
    errors = answer.json().get("errors")
    for error in errors if isinstance(errors, list) else ():
        if isinstance(error, dict) and isinstance(error.get("field"), str):
            yield error["field"][:40]


def _until_reset(answer: Answer) -> int | None:
    """Return the milliseconds from the answer's ``Date`` to its ``X-RateLimit-Reset``: both are SendGrid's clock."""
    reset = answer.headers.get("x-ratelimit-reset", "")
    try:
        said = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except ValueError:
        return None
    return min(max(int(reset) - int(said), 0) * 1000, HOUR) if reset.isdecimal() else None


SENDGRID = Kind(
    name="sendgrid",
    channels=("email",),
    words=(
        *MAIL_WORDS,
        Word(name="key", form="secret", needed=True, about="an API key that may send mail"),
        TIMEOUT,
        base_url("https://api.sendgrid.com"),
    ),
    make=SendGridProvider,
)
