"""LINE by its Messaging API: push messages. A command's id is the retry key, by which LINE drops repeats for a day."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from services.dispatcher.channels.base import Message, Receipt
from services.dispatcher.channels.http import HttpApi, raise_for
from services.dispatcher.channels.kinds import TIMEOUT, Kind, Settings, Word, base_url
from services.dispatcher.errors import DeadAddressError, MisconfiguredError, RefusedError
from services.dispatcher.http1 import Answer
from shared.clock import HOUR

# developers.line.biz, "Messaging API reference": ids of users, groups and rooms; a text; messages in one request.
_ID = re.compile(r"[UCR][0-9a-f]{32}")
_LONGEST = 5_000
_MOST = 5
_NEEDS_ALT_TEXT = frozenset({"flex", "imagemap", "template"})
_LONGEST_ALT_TEXT = 400
# "Error messages": the first also stands for a user who does not exist, or is none of this provider's.
_NOBODY = ("Failed to send messages", "The property, 'to',")
_QUOTA = "You have reached your monthly limit"


class LineProvider:
    """Pushes to the people who have added the account. LINE answers 200 also for those who have blocked it since."""

    idempotent = True

    def __init__(self, provider_id: str, *, base: str, token: str, timeout: float, connections: int) -> None:
        self.id = provider_id
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        self._api = HttpApi(base, timeout=timeout, connections=connections, headers=headers)

    def takes(self, address: str) -> bool:
        """Return whether ``address`` is an id of LINE's."""
        return _ID.fullmatch(address) is not None

    async def send(self, message: Message) -> Receipt:
        """Push the messages. Raises as ``Provider.send`` does."""
        body = msgspec.json.encode({"to": message.address, "messages": _messages(message)})
        answer = await self._api.post("/v2/bot/message/push", body, {"X-Line-Retry-Key": message.command_id})
        if answer.status == 409:
            return Receipt(provider_id=answer.headers.get("x-line-accepted-request-id"))
        _raise_for(answer)
        return Receipt(provider_id=answer.headers.get("x-line-request-id"))

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()


def _messages(message: Message) -> list[dict[str, Any]]:
    """Return LINE's message objects. Raises RefusedError for what LINE would not take."""
    text = message.parts.get("text", "")
    if "messages" not in message.parts:
        # LINE counts UTF-16 code units.
        if len(text.encode("utf-16-le", "surrogatepass")) > 2 * _LONGEST:
            raise RefusedError(f"longer than {_LONGEST} characters")
        return [{"type": "text", "text": text}]
    try:
        found = msgspec.json.decode(message.parts["messages"], type=list[dict[str, Any]])
    except msgspec.DecodeError:
        raise RefusedError("`messages` is no JSON list of objects") from None
    if not 1 <= len(found) <= _MOST:
        raise RefusedError(f"`messages` has not one to {_MOST} objects")
    return [
        {"altText": text[:_LONGEST_ALT_TEXT], **one} if one.get("type") in _NEEDS_ALT_TEXT else one for one in found
    ]


def _raise_for(answer: Answer) -> None:
    detail = f"HTTP {answer.status}"
    said = str(answer.json().get("message", ""))
    if answer.status == 400 and said.startswith(_NOBODY):
        raise DeadAddressError(detail, why="invalid")
    if answer.status == 429 and said.startswith(_QUOTA):
        raise MisconfiguredError(f"{detail}: the monthly limit of the account's plan is used up")
    raise_for(answer, detail)


def _make(settings: Settings, connections: int) -> LineProvider:
    return LineProvider(
        settings.id,
        base=settings.text("base_url"),
        token=settings.text("token"),
        timeout=settings.seconds("timeout"),
        connections=connections,
    )


LINE = Kind(
    name="line",
    channels=("line",),
    words=(
        Word(name="token", form="secret", needed=True, about="the channel access token"),
        TIMEOUT,
        base_url("https://api.line.me"),
    ),
    make=_make,
    # "Retrying an API request": a retry key is known for 24 hours; an hour less, for clocks and the request's own time.
    key_age=23 * HOUR,
)
