"""Why a request or an event is refused, and which HTTP status each reason gets."""

from __future__ import annotations

import math

from shared.errors import KikkakeError
from shared.log import LogUnavailableError


class IngestError(KikkakeError):
    """The request was refused."""

    code = "refused"

    def __init__(self, message: str | None = None, *, code: str | None = None, detail: str | None = None) -> None:
        """``code`` is stable and for machines, the message for people; ``detail`` says where or how much."""
        super().__init__(message)
        if code is not None:
            self.code = code
        self.detail = detail or str(self)


class BadBodyError(IngestError):
    """The body is not the JSON that this route takes."""

    code = "invalid_json"


class TooLargeError(IngestError):
    """The body or an event in it is larger than allowed."""

    code = "too_large"


class InvalidEventError(IngestError):
    """The event breaks a rule."""

    code = "invalid_event"


class UnauthorizedError(IngestError):
    """The write key is missing or not known here."""

    code = "invalid_write_key"


class NotAdminError(IngestError):
    """Only who holds the admin token may ask for this."""

    code = "invalid_admin_token"


class NoAdminError(NotAdminError):
    """No admin token is set here: set KIKKAKE_ADMIN_TOKEN."""

    code = "no_admin_token"


class NotReaderError(IngestError):
    """Only who holds a read token or the admin token may ask for this."""

    code = "invalid_read_token"


class ForbiddenError(IngestError):
    """The write key may not do this."""

    code = "not_allowed"


class TooSlowError(IngestError):
    """The body did not arrive in time."""

    code = "body_timeout"


class RateLimitedError(IngestError):
    """The source sends more than it may: wait."""

    code = "rate_limited"

    def __init__(self, wait: float) -> None:
        """``wait``: ms until it may send again."""
        self.wait = wait
        self.retry_after = max(1, math.ceil(wait / 1000))
        super().__init__(f"this write key's source sends too fast: wait {self.retry_after} s")


class HeldBackError(RateLimitedError):
    """The same, said to a library that drops what is answered by any 4xx."""


class NotFoundError(IngestError):
    """There is nothing here."""

    code = "not_found"


class TooManyLinksError(IngestError):
    """More links are followed than may be in a second: try again in a moment."""

    code = "too_many_links"


class OverloadedError(IngestError):
    """Too much is under way here: try again in a moment."""

    code = "overloaded"


class ReadTooOftenError(IngestError):
    """More contacts are asked for than may be in a second: ask again in a moment."""

    code = "too_many_reads"


class ContactUnavailableError(IngestError):
    """The evaluator that knows this contact does not answer now: ask again in a moment."""

    code = "contact_unavailable"


class NotSetUpError(IngestError):
    """Contacts cannot be read here: set KIKKAKE_INTERNAL_TOKEN for ingest and for the evaluators."""

    code = "contacts_not_set_up"


STATUS: dict[type[KikkakeError], int] = {
    BadBodyError: 400,
    InvalidEventError: 400,
    UnauthorizedError: 401,
    NotAdminError: 401,
    NotReaderError: 401,
    ForbiddenError: 403,
    NotFoundError: 404,
    TooLargeError: 413,
    ReadTooOftenError: 429,
    TooManyLinksError: 429,
    NotSetUpError: 501,
    RateLimitedError: 429,
    HeldBackError: 503,
    # Not 408: RudderStack's libraries drop what gets a 4xx other than 429.
    TooSlowError: 503,
    OverloadedError: 503,
    ContactUnavailableError: 503,
    LogUnavailableError: 503,
}
"""The whole map. Of the 4xx, clients repeat 429 at most (``HeldBackError``: not all); 503 every client does."""

RETRY_AFTER_SECONDS = 1

CLIENT_GONE = 499
"""nginx's number for "the client went away"; nobody reads it."""


def status_of(error: KikkakeError) -> int:
    """Return the HTTP status of ``error``; 500 for one that is nobody's but ours."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def retry_headers(error: Exception, status: int) -> dict[str, str]:
    """Return the headers that say when to try again; none where nobody should."""
    if isinstance(error, RateLimitedError):
        return {"retry-after": str(error.retry_after), "x-ratelimit-reset": str(error.retry_after)}
    return {"retry-after": str(RETRY_AFTER_SECONDS)} if status in (429, 503) else {}


def error_body(code: str, message: str, detail: str | None = None) -> dict[str, object]:
    """Return the body of every refusal. rudder-sdk-python repeats a 4xx without ``code`` and ``message`` for ever."""
    return {"success": False, "code": code, "message": message, "detail": detail or message}
