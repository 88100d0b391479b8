"""Contacts of the partitions that this worker owns, for our own services: ``POST /internal/contact``.

The body is the contact's key (``u:`` or ``a:`` and the id), for URLs stand in logs. Answers:

=====  ===============================================================================================
200    the contact (``shared.messages.contact.ContactView``, JSON)
204    nobody knows it
303    it turned out to be a user: the body is the key to ask for
401    the token is wrong
421    its partition is not ours: ask another worker
503    its partition is ours, but cannot be spoken for now, or the row is unreadable; the body says why
=====  ===============================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from services.evaluator.epoch import ContactStore
from services.evaluator.lookup import Moved, look_up
from shared.errors import PermanentError, RetryableError, loggable
from shared.tokens import Tokens

_LOG = structlog.get_logger(__name__)

PATH = "/internal/contact"
_KEY_BYTES = 1024

Refusal = Literal["not_owner", "moving", "no_lease"]


class NotHeldError(RetryableError):
    """The partition's rows are not the truth here and now."""

    def __init__(self, why: Refusal) -> None:
        """``not_owner``: another worker may have it. Else we have it, and cannot be sure that nobody else has."""
        super().__init__(why)
        self.why = why


class Held(msgspec.Struct, frozen=True):
    """The rows of a partition while they are the truth; ``caught_up``: everything in the log was applied."""

    partition: int
    store: ContactStore
    caught_up: bool


def query_routes(held: Callable[[str], Held], token: str) -> list[Route]:
    """Return the route. ``held`` gives what holds the contact of a key, or raises NotHeldError.

    It is called and read from in one go, so the rows are of one moment, at which they were the truth.
    """
    tokens = Tokens([token])

    async def contact(request: Request) -> Response:
        if not tokens.open(request.headers):
            return PlainTextResponse("unauthorized", 401)
        key = await _key(request)
        if key is None:
            return PlainTextResponse("the body is a contact's key", 400)
        try:
            rows = held(key)
        except NotHeldError as error:
            return PlainTextResponse(error.why, 421 if error.why == "not_owner" else 503)
        try:
            answer = look_up(
                rows.store.load(key), rows.store.load_meta(), partition=rows.partition, caught_up=rows.caught_up
            )
        except PermanentError as error:
            _LOG.error("contact_unreadable", partition=rows.partition, error=loggable(error))
            return PlainTextResponse("unreadable", 503)
        match answer:
            case None:
                return Response(status_code=204)
            case Moved():
                return PlainTextResponse(answer.to, 303)
            case _:
                return Response(answer, media_type="application/json")

    return [Route(PATH, contact, methods=["POST"])]


async def _key(request: Request) -> str | None:
    """Return the body as text; None: it is too long for a key, or none."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _KEY_BYTES:
            return None
    try:
        return body.decode() or None
    except UnicodeDecodeError:
        return None
