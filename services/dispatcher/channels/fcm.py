"""App push by Firebase Cloud Messaging (HTTP v1). It knows no idempotency key; a second copy replaces the first."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import jwt
import msgspec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from services.dispatcher.bearer import BearerToken, Granted
from services.dispatcher.channels.base import Message, Receipt
from services.dispatcher.channels.http import HttpApi, raise_for
from services.dispatcher.channels.kinds import TIMEOUT, Kind, Settings, Word, base_url
from services.dispatcher.channels.push import data_of, is_fcm_token, is_urgent, not_larger
from services.dispatcher.errors import (
    AmbiguousError,
    BusyError,
    DeadAddressError,
    MisconfiguredError,
    RefusedError,
    UnavailableError,
)
from services.dispatcher.http1 import Answer
from shared.clock import DAY, HOUR, MINUTE, SECOND, Clock, system_clock
from shared.errors import WordError

_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# firebase.google.com, "Set the lifespan of a message", "About FCM messages", "Scale FCM": after a 429 without
# Retry-After a minute.
_LONGEST_WAIT = 28 * DAY // SECOND
_LARGEST = 4096
_PAUSE = MINUTE


class ServiceAccount(msgspec.Struct, frozen=True):
    """What is read of the key file that Google gives out (JSON)."""

    project_id: str
    client_email: str
    private_key: str
    token_uri: str = "https://oauth2.googleapis.com/token"  # noqa: S105  an address


class FcmProvider:
    """Posts notifications to the apps of one Firebase project."""

    idempotent = False

    def __init__(
        self,
        provider_id: str,
        account: ServiceAccount,
        *,
        base: str,
        timeout: float,
        connections: int,
        clock: Clock = system_clock,
    ) -> None:
        self.id = provider_id
        self._account = account
        self._clock = clock
        self._path = f"/v1/projects/{account.project_id}/messages:send"
        self._api = HttpApi(
            base, timeout=timeout, connections=connections, headers={"Content-Type": "application/json"}
        )
        self._granting = HttpApi(timeout=timeout, connections=1)
        self._token = BearerToken(self._grant, clock=clock)

    def takes(self, address: str) -> bool:
        """Return whether ``address`` has the form of a registration token; one of Apple's has not."""
        return is_fcm_token(address)

    async def send(self, message: Message) -> Receipt:
        """Post the notification. Raises as ``Provider.send`` does."""
        body = self._body(message)
        token = await self._token.get()
        answer = await self._api.post(self._path, body, {"Authorization": f"Bearer {token}"})
        self._raise_for(answer)
        name = answer.json().get("name")
        return Receipt(provider_id=name.rpartition("/")[2] if isinstance(name, str) else None)

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()
        await self._granting.close()

    def _body(self, message: Message) -> bytes:
        shown = {"title": message.parts.get("title", ""), "body": message.parts.get("body", "")}
        data = data_of(message)
        not_larger(len(msgspec.json.encode([shown, data])), _LARGEST)
        wait = message.seconds_left(_LONGEST_WAIT)
        urgent = is_urgent(message)
        return msgspec.json.encode(
            {
                "message": {
                    "token": message.address,
                    "notification": shown,
                    "data": data,
                    "android": {
                        "ttl": f"{wait}s",
                        "priority": "HIGH" if urgent else "NORMAL",
                        "notification": {"tag": message.command_id},
                    },
                    "apns": {
                        "headers": {
                            "apns-expiration": str(self._clock() // SECOND + wait),
                            "apns-priority": "10" if urgent else "5",
                            "apns-collapse-id": message.command_id,
                        }
                    },
                }
            }
        )

    async def _grant(self) -> Granted:
        """Return a token for the service account's word. Raises UnavailableError and MisconfiguredError."""
        account, now = self._account, self._clock() // SECOND
        claims = {
            "iss": account.client_email,
            "scope": _SCOPE,
            "aud": account.token_uri,
            "iat": now,
            "exp": now + HOUR // SECOND,
        }
        assertion = jwt.encode(claims, account.private_key, algorithm="RS256")
        form = urlencode({"grant_type": _GRANT, "assertion": assertion}).encode("ascii")
        try:
            answer = await self._granting.post(
                account.token_uri, form, {"Content-Type": "application/x-www-form-urlencoded"}
            )
        except AmbiguousError as error:
            raise UnavailableError(f"Google's token server: {error}") from error
        said = answer.json()
        if answer.status == 200 and isinstance(said.get("access_token"), str):
            lasts = said.get("expires_in")
            return Granted(said["access_token"], (lasts if isinstance(lasts, int) else 0) * SECOND)
        detail = f"Google's token server: HTTP {answer.status}"
        raise (MisconfiguredError(detail) if 400 <= answer.status < 429 else UnavailableError(detail))

    def _raise_for(self, answer: Answer) -> None:
        if 200 <= answer.status < 300:
            return
        error = answer.json().get("error")
        code, said = _code_of(error), str(error.get("message", "")) if isinstance(error, dict) else ""
        detail = f"HTTP {answer.status}" + (f" {code}" if code else "")
        if code == "UNREGISTERED":
            raise DeadAddressError(detail, why="unregistered")
        if code == "SENDER_ID_MISMATCH":
            # The token is of another project, or the key is: a wrong key must not end every address that there is.
            raise RefusedError(detail)
        # The code is that of any wrong field; only its text says that it is the token.
        if code == "INVALID_ARGUMENT" and "registration token" in said:
            raise DeadAddressError(detail, why="invalid")
        if answer.status == 401:
            self._token.forget()
        if answer.status == 429:
            raise BusyError(detail, retry_after=answer.retry_after or _PAUSE)
        raise_for(answer, detail)


_CODES = frozenset(
    {
        "INVALID_ARGUMENT",
        "UNREGISTERED",
        "SENDER_ID_MISMATCH",
        "QUOTA_EXCEEDED",
        "UNAVAILABLE",
        "INTERNAL",
        "THIRD_PARTY_AUTH_ERROR",
    }
)


def _code_of(error: Any) -> str:
    """Return FCM's own code in an error's ``details``; empty where there is none that is documented."""
    details = error.get("details") if isinstance(error, dict) else None
    found = (one.get("errorCode") for one in details if isinstance(one, dict)) if isinstance(details, list) else ()
    return next((code for code in found if code in _CODES), "")


def _make(settings: Settings, connections: int) -> FcmProvider:
    try:
        account = msgspec.json.decode(settings.text("key"), type=ServiceAccount)
        load_pem_private_key(account.private_key.encode(), password=None)
    except (msgspec.DecodeError, ValueError, TypeError):  # TypeError: the key has a password
        raise WordError(
            "key",
            "`key` is not the JSON file with a service account's private key; make one in the "
            "Google Cloud console: IAM, Service Accounts, Keys",
        ) from None
    return FcmProvider(
        settings.id,
        account,
        base=settings.text("base_url"),
        timeout=settings.seconds("timeout"),
        connections=connections,
    )


FCM = Kind(
    name="fcm",
    channels=("push",),
    words=(
        Word(name="key", form="secret", needed=True, about="the JSON key file of a service account"),
        TIMEOUT,
        base_url("https://fcm.googleapis.com"),
    ),
    make=_make,
)
