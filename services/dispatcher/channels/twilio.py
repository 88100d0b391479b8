"""SMS and WhatsApp by Twilio's Messages API. It knows no idempotency key."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import partial
from typing import Literal
from urllib.parse import urlencode

import msgspec
import phonenumbers

from services.dispatcher.channels.base import Message, Receipt
from services.dispatcher.channels.http import HttpApi, raise_for
from services.dispatcher.channels.kinds import TIMEOUT, Kind, Settings, Word, base_url
from services.dispatcher.channels.segments import segments
from services.dispatcher.errors import BusyError, DeadAddressError, MisconfiguredError, RefusedError
from services.dispatcher.http1 import Answer
from shared.errors import WordError
from shared.messages.outcome import DeadAddress

Prefix = Literal["", "whatsapp:"]

# twilio.com/docs/api/errors. What ends a number: no number, none that takes SMS, none that WhatsApp knows, opted out.
_DEAD: dict[int, DeadAddress] = {
    21211: "invalid",
    21614: "invalid",
    63003: "invalid",
    63024: "invalid",
    21610: "opted_out",
}
# The sender, the messaging service or the account is not what it should be.
_MISCONFIGURED = frozenset({20003, 20005, 20404, 21212, 21603, 21606, 21659, 21660, 21701, 21703, 63001, 63007, 63020})
# Too much at once: for the account, in the sender's queue, for the WhatsApp sender, in a day.
_LATER = frozenset({14107, 20429, 21611, 63018, 63038})
_NEEDS_TEMPLATE = 63016
_LONGEST = 1_600
# Twilio, "ValidityPeriod": seconds that a message may wait in its queue.
_SHORTEST_WAIT, _LONGEST_WAIT = 1, 36_000


class TwilioSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who sends. ``sender`` is a number, a name, or a messaging service (``MG…``); ``user`` and ``password`` log in.

    ``region`` (``JP``) is the country of numbers without ``+``; empty: such numbers are none. ``callback_url`` is told
    what becomes of each message; empty: nobody is.
    """

    account: str
    user: str
    password: str
    sender: str
    region: str = ""
    callback_url: str = ""
    max_segments: int = 10


class TwilioProvider:
    """Posts messages to numbers; with ``prefix`` to those numbers' WhatsApp."""

    idempotent = False

    def __init__(
        self, provider_id: str, settings: TwilioSettings, *, prefix: Prefix, base: str, timeout: float, connections: int
    ) -> None:
        """Raises WordError for a region that there is not."""
        self.id = provider_id
        if settings.region and settings.region not in phonenumbers.SUPPORTED_REGIONS:
            raise WordError("region", "`region` is no country; write its two capital letters, such as JP")
        self._settings = settings
        self._prefix = prefix
        self._path = f"/2010-04-01/Accounts/{settings.account}/Messages.json"
        login = base64.b64encode(f"{settings.user}:{settings.password}".encode()).decode("ascii")
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Basic {login}"}
        self._api = HttpApi(base, timeout=timeout, connections=connections, headers=headers)

    def takes(self, address: str) -> bool:
        """Return True: whether it is a number at all is found out where the reason can be told."""
        return True

    async def send(self, message: Message) -> Receipt:
        """Post the message. Raises as ``Provider.send`` does."""
        form = {
            "To": self._prefix + _e164(message.address.removeprefix(self._prefix), self._settings.region),
            **self._sender(),
            **(self._whatsapp(message.parts) if self._prefix else self._sms(message.parts)),
        }
        if message.expires_at is not None:
            form["ValidityPeriod"] = str(max(_SHORTEST_WAIT, message.seconds_left(_LONGEST_WAIT)))
        if self._settings.callback_url and message.reference is not None:
            form["StatusCallback"] = _with_reference(self._settings.callback_url, message.reference)
        answer = await self._api.post(self._path, urlencode(form).encode("ascii"))
        _raise_for(answer)
        sid = answer.json().get("sid")
        return Receipt(provider_id=sid if isinstance(sid, str) else None)

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    def _sender(self) -> dict[str, str]:
        sender = self._settings.sender
        return {"MessagingServiceSid": sender} if sender.startswith("MG") else {"From": self._prefix + sender}

    def _sms(self, parts: Mapping[str, str]) -> dict[str, str]:
        text = parts.get("text", "")
        needed = segments(text)
        if needed > self._settings.max_segments:
            raise RefusedError(f"it would be {needed} SMS, and `max_segments` allows {self._settings.max_segments}")
        return {"Body": _not_too_long(text)}

    def _whatsapp(self, parts: Mapping[str, str]) -> dict[str, str]:
        if "content_sid" not in parts:
            return {"Body": _not_too_long(parts.get("text", ""))}
        form = {"ContentSid": parts["content_sid"].strip()}
        if "content_variables" in parts:
            form["ContentVariables"] = _object(parts["content_variables"])
        return form


def _e164(address: str, region: str) -> str:
    """Return the number as ``+`` and its digits. Raises DeadAddressError for what is no number anywhere."""
    try:
        number = phonenumbers.parse(address, region or None)
    except phonenumbers.NumberParseException:
        raise DeadAddressError("not a phone number", why="invalid") from None
    # Possible, not valid: which ranges are given out changes faster than anybody's copy of the list.
    if not phonenumbers.is_possible_number(number):
        raise DeadAddressError("not a phone number", why="invalid")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _not_too_long(text: str) -> str:
    if len(text) > _LONGEST:
        raise RefusedError(f"longer than {_LONGEST} characters")
    return text


def _object(text: str) -> str:
    try:
        return msgspec.json.encode(msgspec.json.decode(text, type=dict[str, str])).decode()
    except msgspec.DecodeError:
        raise RefusedError("`content_variables` is no JSON object of texts") from None


def _with_reference(url: str, reference: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode({'reference': reference})}"


def _raise_for(answer: Answer) -> None:
    if 200 <= answer.status < 300:
        return
    code = answer.json().get("code")
    detail = f"HTTP {answer.status}" + (f", Twilio {code}" if isinstance(code, int) else "")
    if code in _DEAD:
        raise DeadAddressError(detail, why=_DEAD[code])
    if code in _MISCONFIGURED:
        raise MisconfiguredError(detail)
    if code in _LATER:
        raise BusyError(detail, retry_after=answer.retry_after)
    if code == _NEEDS_TEMPLATE:
        raise RefusedError(f"{detail}: outside of WhatsApp's 24 hours only a `content_sid` is taken")
    raise_for(answer, detail)


def _make(prefix: Prefix, settings: Settings, connections: int) -> TwilioProvider:
    return TwilioProvider(
        settings.id,
        TwilioSettings(
            account=settings.text("account"),
            user=settings.text("api_key") or settings.text("account"),
            password=settings.text("secret"),
            sender=settings.text("from"),
            region=settings.text("region"),
            callback_url=settings.text("callback_url"),
            max_segments=int(settings.values.get("max_segments") or 1),
        ),
        prefix=prefix,
        base=settings.text("base_url"),
        timeout=settings.seconds("timeout"),
        connections=connections,
    )


_ACCOUNT = (
    Word(name="account", needed=True, about="the account's SID, `AC…`"),
    Word(name="secret", form="secret", needed=True, about="the auth token, or the secret of `api_key`"),
    Word(name="api_key", about="an API key's SID, `SK…`; left out: the auth token is used"),
)
_REST = (
    Word(name="region", about="the country of numbers without `+`, such as JP; left out: they are no numbers"),
    Word(name="callback_url", form="url", about="where Twilio says what became of a message; left out: nowhere"),
    TIMEOUT,
    base_url("https://api.twilio.com"),
)

TWILIO = Kind(
    name="twilio",
    channels=("sms",),
    words=(
        *_ACCOUNT,
        Word(name="from", needed=True, about="a number, a name, or a messaging service `MG…`"),
        Word(name="max_segments", form="integer", default=10, about="SMS that one text may become; more is refused"),
        *_REST,
    ),
    make=partial(_make, ""),
)
TWILIO_WHATSAPP = Kind(
    name="twilio_whatsapp",
    channels=("whatsapp",),
    words=(
        *_ACCOUNT,
        Word(name="from", needed=True, about="the WhatsApp sender's number, or a messaging service `MG…`"),
        *_REST,
    ),
    make=partial(_make, "whatsapp:"),
)
