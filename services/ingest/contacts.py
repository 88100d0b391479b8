"""``GET /v1/contacts/{id}``: what is known of a contact, for the site's server and for those who talk to customers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response, Security
from fastapi.security import HTTPBearer

from services.ingest.auth import Admin
from services.ingest.errors import (
    NoAdminError,
    NotAdminError,
    NotFoundError,
    NotReaderError,
    NotSetUpError,
    ReadTooOftenError,
    error_body,
)
from services.ingest.pace import Pace
from shared.ids import contact_key
from shared.messages.contact import ContactView
from shared.metrics import Metrics
from shared.tokens import Tokens

Find = Callable[[str], Awaitable[bytes | None]]
"""Returns the JSON of the contact of a key (a ``ContactView``), None for one that nobody knows.

Of an anonymous contact that turned out to be a user, the user's. Raises ContactUnavailableError.
"""

_ID = "the userId; with `anonymous=true` the anonymousId"
_ANONYMOUS = "`id` is an anonymousId. One that turned out to be a user's answers with the user."
_EXAMPLE: dict[str, Any] = {
    "id": "u1",
    "identifiers": {"user_id": "u1", "anonymous_ids": ["3c1f"]},
    "traits": {"email": "aki@shop.example", "first_name": "Aki"},
    "consent": {"cart_reminders": {"status": "granted", "at": 1772445600000}},
    "recent_events": [{"event": "Product Added", "at": 1772445660000}],
    "journeys": [
        {
            "journey": "cart_reminder",
            "version": 1,
            "run_id": "0d9d2b5c-3a4e-5f1b-9a56-6e0a2f6c1f11",
            "step": "settle",
            "entered_at": 1772445660000,
            "next_timer_at": 1772448360000,
        }
    ],
    "messages": [
        {
            "command_id": "6a1f1f0e-8f0c-5b7e-8e0a-1c2d3e4f5a6b",
            "journey": "welcome",
            "step": "greet",
            "channel": "email",
            "status": "skipped",
            "reason": "expired",
            "at": 1772445601000,
        }
    ],
    "as_of": {"partition": 3, "offset": 1207, "log_time": 1772445660000, "caught_up": True},
    "suppressed": [{"channel": "sms", "reason": "opted_out", "current": True, "at": 1772445660000}],
}


class Readers:
    """Who may read contacts: whoever has one of ``tokens``, and every admin."""

    def __init__(self, tokens: Tokens, admin: Admin) -> None:
        """``tokens`` open this and nothing else."""
        self._tokens = tokens
        self._admin = admin

    def check(self, headers: Mapping[str, str]) -> None:
        """Raise NotReaderError unless the request carries such a token as a bearer."""
        if self._tokens.open(headers):
            return
        try:
            self._admin.check(headers)
        except NotAdminError as error:
            if isinstance(error, NoAdminError) and not self._tokens:
                message = "no token is set here: set KIKKAKE_READ_TOKENS or KIKKAKE_ADMIN_TOKEN"
                raise NotReaderError(message, code="no_token") from error
            raise NotReaderError("give a read token or the admin token: Authorization: Bearer TOKEN") from error


def create_contacts_router(find: Find, readers: Readers, pace: Pace, metrics: Metrics) -> APIRouter:
    """Return the route. ``readers`` may ask, all of them together no faster than ``pace``."""
    router = APIRouter(tags=["contacts"])

    # An id may hold a slash.
    @router.get(
        "/v1/contacts/{id:path}",
        summary="What is known of a contact",
        dependencies=[Security(HTTPBearer(scheme_name="reader", auto_error=False))],
        response_class=Response,
        responses=_responses(),
    )
    async def contact(
        request: Request,
        id: Annotated[str, Path(description=_ID, examples=["u1"])],  # noqa: A002 - its name in the API
        *,
        anonymous: Annotated[bool, Query(description=_ANONYMOUS)] = False,
    ) -> Response:
        """Return traits, consent, last events, journeys and messages, as of what was applied. Times are in ms."""
        readers.check(request.headers)
        if not pace.take():
            raise ReadTooOftenError
        with metrics.contact_read.time():
            key = contact_key(None, id) if anonymous else contact_key(id, None)
            answer = None if key is None else await find(key)
        if answer is None:
            raise NotFoundError("nobody knows this contact", code="unknown_contact")
        return Response(answer, media_type="application/json", headers={"cache-control": "no-store"})

    return router


async def not_set_up(_contact: str) -> bytes | None:
    """Find nobody: nothing is set up to ask."""
    raise NotSetUpError


def _responses() -> dict[int | str, dict[str, Any]]:
    """Return what the API's page says of each answer."""
    found = {"description": "The contact", "content": {"application/json": {"schema": _schema(), "example": _EXAMPLE}}}
    refusals = {
        401: ("invalid_read_token", "No token, or one that may not read contacts"),
        404: ("unknown_contact", "Nobody knows this contact"),
        429: (
            "too_many_reads",
            "More reads in a second than `KIKKAKE_READS_PER_SECOND`; `Retry-After` says when to ask",
        ),
        501: ("contacts_not_set_up", "Ingest does not know how to ask the evaluators"),
        503: ("contact_unavailable", "The contact's partition moves or its evaluator is away; `Retry-After` says when"),
    }
    return {
        200: found,
        **{
            status: {
                "description": text,
                "content": {"application/json": {"example": error_body(code, text)}},
            }
            for status, (code, text) in refusals.items()
        },
    }


def _schema() -> Any:
    """Return the JSON Schema of the answer, without references."""
    [schema], parts = msgspec.json.schema_components([ContactView], ref_template="{name}")
    return _inlined(schema, parts)


def _inlined(schema: Any, parts: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inlined(part, parts) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(parts[schema["$ref"]], parts)
    return {name: _inlined(part, parts) for name, part in schema.items()}
