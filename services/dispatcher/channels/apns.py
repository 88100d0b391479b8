"""App push by Apple (APNs) over HTTP/2. It knows no idempotency key; a second copy replaces the first."""

from __future__ import annotations

import ssl

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from services.dispatcher.channels.base import Message, Receipt
from services.dispatcher.channels.http import HttpApi, raise_for
from services.dispatcher.channels.http2 import Http2
from services.dispatcher.channels.kinds import TIMEOUT, Kind, Settings, Word, base_url
from services.dispatcher.channels.push import data_of, is_apns_token, is_urgent, not_larger, signing_key
from services.dispatcher.errors import DeadAddressError, MisconfiguredError, TemporaryError
from services.dispatcher.http1 import Answer
from shared.clock import DAY, MINUTE, SECOND, Clock, system_clock
from shared.errors import WordError
from shared.messages.outcome import DeadAddress
from shared.wording import reason_of

# developer.apple.com, "Handling notification responses from APNs".
_DEAD: dict[str, DeadAddress] = {
    "Unregistered": "unregistered",
    "ExpiredToken": "unregistered",
}
# The token is none, or one of the other environment: with `base_url` at the sandbox every token of production is.
_BAD_DEVICE = "BadDeviceToken"
_MISCONFIGURED = frozenset({"BadTopic", "MissingTopic", "TopicDisallowed", "BadCertificateEnvironment"})
_EXPIRED = "ExpiredProviderToken"
# For this one device, not from us.
_TOO_MANY = "TooManyRequests"
# The token is of another app, or `topic` is: a wrong one must not end every address that there is.
_OTHER_APP = "DeviceTokenNotForTopic"
_OTHERS = frozenset(
    {"PayloadTooLarge", "PayloadEmpty", "TooManyProviderTokenUpdates", _EXPIRED, _TOO_MANY, _OTHER_APP, _BAD_DEVICE}
)
# "Establishing a token-based connection": a new one every 20 to 60 minutes.
_TOKEN_LASTS = 50 * MINUTE
_LARGEST = 4096
_LONGEST_WAIT = 30 * DAY // SECOND


class ApnsKey(msgspec.Struct, frozen=True):
    """A signing key of the developer account, its id, and the team's."""

    key: EllipticCurvePrivateKey
    key_id: str
    team_id: str


class ApnsProvider:
    """Posts notifications to the devices that have one app, ``topic``."""

    idempotent = False

    def __init__(
        self,
        provider_id: str,
        key: ApnsKey,
        *,
        topic: str,
        base: str,
        timeout: float,
        connections: int,
        tls: ssl.SSLContext | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self.id = provider_id
        self._key = key
        self._topic = topic
        self._clock = clock
        self._accepts = False
        self._token = ""
        self._token_ends = 0
        self._api = HttpApi(base, timeout=timeout, client=Http2(connections=connections, tls=tls))

    def takes(self, address: str) -> bool:
        """Return whether ``address`` has the form of a device token of Apple's."""
        return is_apns_token(address)

    async def send(self, message: Message) -> Receipt:
        """Post the notification. Raises as ``Provider.send`` does."""
        alert = {"title": message.parts.get("title", ""), "body": message.parts.get("body", "")}
        body = msgspec.json.encode({"aps": {"alert": alert, "sound": "default"}, **data_of(message)})
        not_larger(len(body), _LARGEST)
        answer = await self._api.post(f"/3/device/{message.address}", body, self._headers(message))
        self._raise_for(answer)
        self._accepts = True
        return Receipt(provider_id=answer.headers.get("apns-id"))

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    def _headers(self, message: Message) -> dict[str, str]:
        now = self._clock()
        if now >= self._token_ends:
            claims = {"iss": self._key.team_id, "iat": now // SECOND}
            self._token = jwt.encode(claims, self._key.key, algorithm="ES256", headers={"kid": self._key.key_id})
            self._token_ends = now + _TOKEN_LASTS
        return {
            "authorization": f"bearer {self._token}",
            "apns-topic": self._topic,
            "apns-push-type": "alert",
            "apns-id": message.command_id,
            "apns-collapse-id": message.command_id,
            "apns-expiration": str(now // SECOND + message.seconds_left(_LONGEST_WAIT)),
            "apns-priority": "10" if is_urgent(message) else "5",
        }

    def _raise_for(self, answer: Answer) -> None:
        reason = answer.json().get("reason")
        known = reason in _DEAD or reason in _MISCONFIGURED or reason in _OTHERS
        detail = f"HTTP {answer.status}" + (f" {reason}" if known else "")
        if reason in _DEAD:
            raise DeadAddressError(detail, why=_DEAD[reason])
        if reason == _BAD_DEVICE and self._accepts:
            # Somebody's token is of the environment that we ask, so this one is none.
            raise DeadAddressError(detail, why="invalid")
        if reason in _MISCONFIGURED:
            raise MisconfiguredError(detail)
        if reason == _TOO_MANY:
            raise TemporaryError(detail, retry_after=answer.retry_after)
        if reason == _EXPIRED:
            self._token_ends = 0
        # Apple has answered: what it calls an error of its own it has not taken.
        raise_for(answer, detail, kept=False)


def _make(settings: Settings, connections: int) -> ApnsProvider:
    try:
        key = signing_key(settings.text("key"))
    except ValueError:
        raise WordError(
            "key",
            "`key` is not the .p8 file of an APNs key; make one in the Apple developer account: "
            "Certificates, Identifiers & Profiles, Keys",
        ) from None
    return ApnsProvider(
        settings.id,
        ApnsKey(key, settings.text("key_id"), settings.text("team_id")),
        topic=settings.text("topic"),
        base=settings.text("base_url"),
        timeout=settings.seconds("timeout"),
        connections=connections,
        tls=_tls(settings),
    )


def _tls(settings: Settings) -> ssl.SSLContext | None:
    file = settings.text("ca_file")
    if not file:
        return None
    try:
        return ssl.create_default_context(cafile=file)
    except (OSError, ssl.SSLError) as error:
        said = f"`ca_file` cannot be read: {reason_of(error)}; name a file of certificates in PEM"
        raise WordError("ca_file", said) from error


APNS = Kind(
    name="apns",
    channels=("push",),
    words=(
        Word(name="key", form="secret", needed=True, about="the signing key, the text of its .p8 file"),
        Word(name="key_id", needed=True, about="the key's id, 10 characters"),
        Word(name="team_id", needed=True, about="the developer team's id, 10 characters"),
        Word(name="topic", needed=True, about="the app's bundle id"),
        Word(name="ca_file", about="certificates to trust in place of the system's, for a proxy of yours"),
        TIMEOUT,
        base_url("https://api.push.apple.com"),
    ),
    make=_make,
)
