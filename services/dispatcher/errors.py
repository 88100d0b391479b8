"""The kinds of error with which a provider answers. What follows each is decided in ``sending`` and ``calling``."""

from __future__ import annotations

from shared.errors import KikkakeError, PermanentError, RetryableError
from shared.messages.outcome import DeadAddress


class TemporaryError(RetryableError):
    """The provider refused this message for now and does not have it. ``retry_after`` is what it asked for, in ms."""

    refused = True

    def __init__(self, detail: str, *, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class BusyError(TemporaryError):
    """The provider takes nobody's messages for now (429, 503): all of them wait, for ``retry_after`` where it says."""


class UnavailableError(TemporaryError):
    """The provider could not be asked: nobody there, the connection lost in time, or it wants no client at all."""

    refused = False


class MisconfiguredError(UnavailableError):
    """The provider refuses us, not the message: wrong credentials, a sender it does not know. A person must act."""


class RefusedError(PermanentError):
    """The provider will never take this message for this address."""


class DeadAddressError(RefusedError):
    """The provider will never take any message for this address; ``why`` says what is the matter with it."""

    def __init__(self, detail: str, *, why: DeadAddress) -> None:
        super().__init__(detail)
        self.why = why


class AmbiguousError(KikkakeError):
    """The provider may or may not have the message: it was handed over whole and the answer was lost."""
