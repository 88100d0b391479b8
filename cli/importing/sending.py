"""Batches to a running system: one after another, so that a contact's events keep their order; repeated until taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import httpx2

from shared.clock import Clock
from shared.errors import KikkakeError

PATH = "/v1/import"
_LONGEST_WAIT = 60.0
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_TOO_LARGE = 413
GREETING = 15.0
"""Seconds until it gives up where nobody has answered yet: an address is wrong more often than a server away."""


class StoppedError(KikkakeError):
    """The import cannot go on now. Everything that was accepted is noted; the same command goes on from there."""


class Refusal(NamedTuple):
    """Why the call at ``place`` in a batch was not accepted."""

    place: int
    code: str
    message: str


class Sender:
    """Posts batches. A repeat is harmless, for each call has a messageId."""

    def __init__(
        self,
        client: httpx2.Client,
        write_key: str,
        *,
        historical: bool,
        clock: Clock,
        sleep: Callable[[float], None],
        rate: float | None = None,
        patience: float = 600.0,
    ) -> None:
        """``clock`` is in ms and never goes back; ``rate``: calls per second; ``patience``: seconds without success.

        ``waited`` hears why each time that it waits.
        """
        self._client = client
        self._headers = {"x-write-key": write_key, "content-type": "application/json"}
        self._tail = b'],"historical":true}' if historical else b"]}"
        self._clock, self._sleep = clock, sleep
        self._rate, self._patience = rate, patience
        self._next = clock()
        self._answered = False
        self.waited: Callable[[str], None] = lambda _why: None

    def send(self, calls: Sequence[bytes]) -> list[Refusal]:
        """Return what was refused of ``calls`` (JSON each) once the rest is durable. Raises StoppedError."""
        if not calls:
            return []
        self._keep_pace(len(calls))
        response = self._post(b'{"batch":[' + b",".join(calls) + self._tail)
        if response.status_code == 200:
            return [Refusal(one["index"], one["code"], one["message"]) for one in response.json().get("errors", ())]
        code, message = _told(response)
        if response.status_code != _TOO_LARGE:
            raise StoppedError(f"{response.url} answers {response.status_code} {code}: {message}")
        if len(calls) == 1:
            return [Refusal(0, code, message)]
        half = len(calls) // 2
        first, second = self.send(calls[:half]), self.send(calls[half:])
        return [*first, *(one._replace(place=one.place + half) for one in second)]

    def _keep_pace(self, calls: int) -> None:
        if self._rate is None:
            return
        now = self._clock()
        if now < self._next:
            self._sleep((self._next - now) / 1000)
        self._next = max(now, self._next) + round(calls / self._rate * 1000)

    def _post(self, body: bytes) -> httpx2.Response:
        """Return an answer that will stay the same. What passes is waited for as long as there is patience."""
        since, wait = self._clock(), 1.0
        while True:
            asked: float | None = None
            try:
                response = self._client.post(PATH, content=body, headers=self._headers)
                self._answered = True
                if response.status_code not in _AGAIN:
                    return response
                why = f"{response.status_code} {_told(response)[0]}"
                asked = _seconds(response.headers.get("retry-after", ""))
            except httpx2.TransportError as error:
                why = f"{self._client.base_url.copy_with(path='')} does not answer: {type(error).__name__}"
            rest = asked if asked is not None else wait
            passed = self._clock() - since + rest * 1000
            if not self._answered and passed > min(GREETING, self._patience) * 1000:
                raise StoppedError(f"{why}; is Kikkake running there? --url names another address")
            if passed > self._patience * 1000:
                raise StoppedError(f"no success for {self._patience:g} s ({why}); give the same command again later")
            self.waited(why)
            self._sleep(rest)
            wait = min(wait * 2, _LONGEST_WAIT)


def _told(response: httpx2.Response) -> tuple[str, str]:
    """Return code and message of a refusal; a proxy's answer has neither."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        body = {}
    return str(body.get("code", "http_error")), str(body.get("message", response.reason_phrase))


def _seconds(text: str) -> float | None:
    return float(text) if text.isdecimal() else None
