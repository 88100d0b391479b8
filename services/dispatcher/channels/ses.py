"""Amazon SES by its API v2 (docs.aws.amazon.com/ses, "SendEmail", raw). It knows no idempotency key."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import msgspec

from services.dispatcher.channels.base import Message, Receipt
from services.dispatcher.channels.http import raise_for
from services.dispatcher.channels.kinds import TIMEOUT, Kind, Settings, Word
from services.dispatcher.channels.mail import (
    MAIL_WORDS,
    REFERENCE,
    as_tag,
    bounded,
    reference_within,
)
from services.dispatcher.channels.mail_api import MailApi
from services.dispatcher.channels.mime import mime
from services.dispatcher.channels.sigv4 import AwsKey, signed
from services.dispatcher.errors import BusyError, MisconfiguredError
from services.dispatcher.http1 import Answer
from shared.clock import Clock, system_clock

_PATH = "/v2/email/outbound-emails"
# Its quotas count the mail after base64: 40 MB.
_LONGEST = 40 * 1000 * 1000
# Tags have values of 256 characters.
_LONGEST_REFERENCE = 256
_TRY_LATER = frozenset({"TooManyRequestsException", "ThrottlingException", "Throttling", "LimitExceededException"})
# The account, its sending domain, or the configuration set that we named.
_REFUSES_US = frozenset(
    {
        "AccountSuspendedException",
        "SendingPausedException",
        "AccountSendingPausedException",
        "ConfigurationSetSendingPausedException",
        "MailFromDomainNotVerifiedException",
        "NotFoundException",
        "UnrecognizedClientException",
        "InvalidClientTokenId",
    }
)
_NOT_VERIFIED = "Email address is not verified."


class SesProvider(MailApi):
    """Posts a mail whole, signed."""

    def __init__(self, settings: Settings, connections: int, *, clock: Clock = system_clock) -> None:
        super().__init__(settings, connections)
        region = settings.text("region")
        self._key = AwsKey(
            settings.text("access_key"), settings.text("secret_key"), region, "ses", settings.text("session_token")
        )
        self._url = (settings.text("base_url") or f"https://email.{region}.amazonaws.com").rstrip("/") + _PATH
        self._configuration_set = settings.text("configuration_set")
        self._clock = clock

    async def send(self, message: Message) -> Receipt:
        """Post the mail. Raises as ``Provider.send`` does."""
        mail = await self._mails.compose(message)
        raw = bounded(b64encode(mime(mail)), _LONGEST).decode()
        fields: dict[str, Any] = {
            "FromEmailAddress": mail.sender.address,
            "Destination": {"ToAddresses": [mail.recipient]},
            "Content": {"Raw": {"Data": raw}},
            "EmailTags": [
                {"Name": name, "Value": value}
                for name, value in (
                    (REFERENCE, reference_within(message, _LONGEST_REFERENCE)),
                    ("journey", as_tag(message.journey)),
                    ("step", as_tag(message.step)),
                )
                if value
            ],
        }
        if self._configuration_set:
            fields["ConfigurationSetName"] = self._configuration_set
        body = msgspec.json.encode(fields)
        headers = signed(self._key, self._url, body, {"Content-Type": "application/json"}, self._clock())
        answer = await self._api.post(self._url, body, headers)
        _raise(answer)
        said = answer.json().get("MessageId")
        return Receipt(provider_id=said if isinstance(said, str) else None)


def _raise(answer: Answer) -> None:
    """Raise what a refusal means, by its type: a message may quote the address."""
    if answer.status < 300:
        return
    said = answer.json()
    # "MessageRejected:http://...", and in a body "com.amazonaws...#MessageRejected".
    kind = (answer.headers.get("x-amzn-errortype") or str(said.get("__type", ""))).partition(":")[0].rpartition("#")[2]
    detail = f"HTTP {answer.status} {kind}" if kind.isalnum() and len(kind) < 60 else f"HTTP {answer.status}"
    if kind in _TRY_LATER:
        raise BusyError(detail, retry_after=answer.retry_after)
    text = str(said.get("message") or said.get("Message") or "")
    if kind in _REFUSES_US or (kind == "MessageRejected" and text.startswith(_NOT_VERIFIED)):
        raise MisconfiguredError(detail)
    raise_for(answer, detail)


SES = Kind(
    name="ses",
    channels=("email",),
    words=(
        *MAIL_WORDS,
        Word(name="region", needed=True, about="where the sending identity is, such as eu-west-1"),
        Word(name="access_key", needed=True, about="the id of an access key that may ses:SendEmail"),
        Word(name="secret_key", form="secret", needed=True, about="its secret"),
        Word(name="session_token", form="secret", about="of credentials that end; the dispatcher does not renew them"),
        Word(name="configuration_set", about="the configuration set, which says where feedback goes"),
        TIMEOUT,
        Word(name="base_url", form="url", about="where the API is; left out: SES of `region`"),
    ),
    make=SesProvider,
)
