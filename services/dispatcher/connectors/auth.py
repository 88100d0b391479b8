"""How a connector shows who it is: a key, a name and password, or a token that it fetches (OAuth 2)."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from urllib.parse import quote, urlencode

import msgspec

from services.dispatcher.bearer import BearerToken, Granted
from services.dispatcher.errors import MisconfiguredError, UnavailableError
from shared.clock import MINUTE, SECOND

# Salesforce says nothing of how long; its shortest session is 15 minutes.
_LASTS = 15 * MINUTE


class Bearer(msgspec.Struct, frozen=True, tag=True):
    """``Authorization: Bearer`` and the key."""

    bearer: str


class Basic(msgspec.Struct, frozen=True, tag=True):
    """A name and a password (RFC 7617)."""

    user: str
    password: str


class OAuth2(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Client credentials (RFC 6749, 4.4): a token of ``token_url``, until it ends or is refused."""

    token_url: str
    client_id: str
    client_secret: str
    scope: str = ""


Auth = Bearer | Basic | OAuth2
Ask = Callable[[str, bytes, dict[str, str]], Awaitable[tuple[int, bytes]]]
"""Post a body with headers to a URL: the status and what was answered."""


class Authorizer:
    """Gives the ``Authorization`` of one connector's calls."""

    def __init__(self, auth: Auth | None, ask: Ask) -> None:
        self._auth = auth
        self._ask = ask
        self._token = BearerToken(self._grant)

    async def headers(self) -> dict[str, str]:
        """Return the headers to send. Raises UnavailableError and MisconfiguredError where no token is to be had."""
        match self._auth:
            case None:
                return {}
            case Bearer(key):
                return {"Authorization": f"Bearer {key}"}
            case Basic(user, password):
                return {"Authorization": _basic(user, password)}
            case OAuth2():
                return {"Authorization": f"Bearer {await self._token.get()}"}

    def refused(self) -> bool:
        """Note that what was sent is not accepted any more; return whether another one can be fetched."""
        self._token.forget()
        return isinstance(self._auth, OAuth2)

    async def _grant(self) -> Granted:
        auth = self._auth
        if not isinstance(auth, OAuth2):
            raise TypeError("no token is fetched here")
        form = {"grant_type": "client_credentials"} | ({"scope": auth.scope} if auth.scope else {})
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
            # RFC 6749, 2.3.1: both are form-encoded first.
            "Authorization": _basic(quote(auth.client_id, safe=""), quote(auth.client_secret, safe="")),
        }
        try:
            status, content = await self._ask(auth.token_url, urlencode(form).encode("ascii"), headers)
        except UnavailableError as error:
            raise UnavailableError(f"the token server: {error}") from error
        try:
            said = msgspec.json.decode(content, type=_Grant)
        except (msgspec.DecodeError, UnicodeDecodeError):
            said = None
        if status == 200 and said is not None:
            return Granted(said.access_token, _LASTS if said.expires_in is None else said.expires_in * SECOND)
        detail = f"the token server: HTTP {status}"
        raise (MisconfiguredError(detail) if 400 <= status < 429 else UnavailableError(detail))


class _Grant(msgspec.Struct):
    access_token: str
    expires_in: int | None = None


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
