"""SMTP connections: the address of a server, and a small pool of sessions with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, unquote, urlsplit

from services.dispatcher.channels.smtp_session import Envelope, SmtpAddress, SmtpConnection
from services.dispatcher.errors import UnavailableError
from shared.clock import SECOND, Clock, monotonic_clock
from shared.errors import ConfigurationError

# Servers close idle connections after minutes (Postfix: 300 s); long before that, a new one is cheaper than a failure.
_IDLE = 20 * SECOND
_SHAPE = "--smtp or KIKKAKE_SMTP_URL must be smtp://[user:password@]host[:port][?starttls=1] or smtps://..."


def parse_smtp_url(url: str, *, timeout: float = 15.0, reply_timeout: float = 60.0) -> SmtpAddress:
    """Return what ``smtp://[user:password@]host[:port][?starttls=1]`` or ``smtps://...`` says.

    With a user, STARTTLS is on unless ``starttls=0`` says otherwise: a password is not sent in clear by oversight.
    Raises ConfigurationError, which does not repeat the URL: it may hold a password.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ConfigurationError(_SHAPE) from None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ConfigurationError(_SHAPE)
    if (
        parts.path not in ("", "/")
        or parts.fragment
        or parse_qs(parts.query, keep_blank_values=True).keys() - {"starttls"}
    ):
        raise ConfigurationError(f"{_SHAPE}; in a password, write / ? # @ as %2F %3F %23 %40")
    tls = parts.scheme == "smtps"
    asked = parse_qs(parts.query).get("starttls", [""])[-1]
    try:
        port = parts.port or (465 if tls else 25)
    except ValueError:
        raise ConfigurationError(f"{_SHAPE}: the port is none") from None
    return SmtpAddress(
        host=parts.hostname,
        port=port,
        tls=tls,
        starttls=not tls and (asked in ("1", "true") or (bool(parts.username) and asked not in ("0", "false"))),
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        timeout=timeout,
        reply_timeout=reply_timeout,
    )


class SmtpPool:
    """Idle sessions, the latest used first. How many are in use at once is bounded by the channel's lane."""

    def __init__(self, address: SmtpAddress, clock: Clock = monotonic_clock) -> None:
        self._address = address
        self._clock = clock
        self._idle: list[SmtpConnection] = []

    async def deliver(self, mail: Envelope) -> str:
        """Hand ``mail`` over on an idle or a new session.

        An idle session that the server has closed meanwhile says so before it has the message: then a new one is tried.
        """
        connection = self._take()
        if connection is not None:
            try:
                async with self._borrowed(connection):
                    return await connection.deliver(mail)
            except UnavailableError:
                # A message that it began to take and did not is one that has had its time.
                if connection.usable or connection.writing:
                    raise
        connection = SmtpConnection(self._address)
        async with self._borrowed(connection):
            await connection.connect()
            return await connection.deliver(mail)

    async def close(self) -> None:
        """Close every idle session. Twice is harmless."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*[connection.quit() for connection in idle])

    def _take(self) -> SmtpConnection | None:
        now = self._clock()
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and now - connection.last_used < _IDLE:
                return connection
            connection.close()
        return None

    @asynccontextmanager
    async def _borrowed(self, connection: SmtpConnection) -> AsyncIterator[None]:
        try:
            yield
        finally:
            if connection.usable:
                connection.last_used = self._clock()
                self._idle.append(connection)
            else:
                connection.close()
