"""The root of Kikkake's errors. The class says who must act."""

from __future__ import annotations


class KikkakeError(Exception):
    """Something went wrong in Kikkake."""

    def __init__(self, message: str | None = None) -> None:
        """Use ``message``, else the first line of the class's docstring."""
        super().__init__(message or (self.__doc__ or "").split("\n", 1)[0])


class RetryableError(KikkakeError):
    """The same call may succeed later: back off and try again."""


class PermanentError(KikkakeError):
    """The same call will never succeed: report it and go on."""


class BadMessageError(PermanentError):
    """A record cannot be read: it goes to the dead-letter topic with its position and reason."""


class ConfigurationError(PermanentError):
    """The operator must change a setting or a file."""


class WordError(ConfigurationError):
    """What ``word`` of an operator's file says can be none: whoever reads the file knows at which line it stands."""

    def __init__(self, word: str, message: str) -> None:
        super().__init__(message)
        self.word = word


def loggable(error: Exception) -> str:
    """Return what a log may hold of ``error``: its type, and what a BadMessageError says in words of our own.

    Any other text may quote what was read, which may be personal data; so may one made from another error's.
    """
    if isinstance(error, BadMessageError) and error.__cause__ is None:
        return f"{type(error).__name__}: {error}"
    return type(error).__name__
