"""SMTP connections: a small pool, and a hand-over that knows whether the message's last byte was let go."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib
import msgspec
from aiosmtplib import SMTPException, SMTPResponseException

from services.dispatcher.errors import AmbiguousError, RefusedError, TemporaryError, UnavailableError
from shared.clock import SECOND, Clock, monotonic_clock
from shared.errors import ConfigurationError

# Servers close idle connections after minutes (Postfix: 300 s); long before that, a new one is cheaper than a failure.
_IDLE = 20 * SECOND
# Exchange Online closes after 30 messages by default and Postfix never; 100 amortises the greeting well enough.
_MESSAGES_PER_CONNECTION = 100
_ENHANCED = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_LEADING_DOT = re.compile(rb"(?m)^\.")
_SERVICE_CLOSING = 421
_SHAPE = "--smtp or KIKKAKE_SMTP_URL must be smtp://[user:password@]host[:port][?starttls=1] or smtps://..."


class SmtpAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how to reach the server. ``reply_timeout`` (seconds) is for the answer to a whole message."""

    host: str
    port: int
    tls: bool = False
    starttls: bool = False
    user: str | None = None
    password: str | None = None
    timeout: float = 15.0
    reply_timeout: float = 60.0


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


class Envelope(msgspec.Struct, frozen=True):
    """One mail on the wire; ``utf8``: its addresses need SMTPUTF8."""

    sender: str
    recipient: str
    data: bytes
    utf8: bool = False


class SmtpConnection:
    """One session with the server."""

    def __init__(self, address: SmtpAddress) -> None:
        self._address = address
        self._client = aiosmtplib.SMTP(
            hostname=address.host,
            port=address.port,
            use_tls=address.tls,
            start_tls=address.starttls,
            username=address.user,
            password=address.password,
            timeout=address.timeout,
            # The default looks the machine's name up in DNS, which may hang.
            local_hostname="localhost",
        )
        self._writer: asyncio.StreamWriter | None = None
        self.sent = 0
        self.last_used = 0

    @property
    def usable(self) -> bool:
        """Whether another message may be sent on it."""
        return self._client.is_connected and self.sent < _MESSAGES_PER_CONNECTION

    async def connect(self) -> None:
        """Connect, greet, secure, log in. Raises UnavailableError for all that goes wrong: no message is to blame."""
        try:
            await self._client.connect()
        except SMTPResponseException as error:
            self.close()
            raise UnavailableError(_said(error)) from error
        except (SMTPException, OSError, TimeoutError, ValueError) as error:
            self.close()
            raise UnavailableError(type(error).__name__) from error

    async def deliver(self, mail: Envelope) -> str:
        """Hand ``mail`` over and return what the server said. Raises as ``Provider.send`` does.

        Ambiguous is exactly the time from writing the final dot to reading its answer: up to there the server cannot
        have the whole message, and from there only the answer says whether it has.
        """
        dotted = False
        try:
            await self._open(mail)
            await self._write_body(mail.data)
            dotted = True
            code, said = await self._finish()
        except SMTPResponseException as error:
            if dotted:  # not an answer at all: garbage, or longer than any answer
                self.close()
                raise AmbiguousError(type(error).__name__) from error
            raise await self._refusal(error.code, error.message) from error
        except (SMTPException, OSError, TimeoutError) as error:
            self.close()
            failure = AmbiguousError if dotted else UnavailableError
            raise failure(type(error).__name__) from error
        except BaseException:
            # Given up in the middle (drain): the session's state is unknown, so nobody may use it again.
            self.close()
            raise
        self.sent += 1
        if code // 100 == 2:
            return said
        raise await self._refusal(code, said)

    def close(self) -> None:
        """Drop the connection without a word. Twice is harmless."""
        if self._writer is not None:
            self._writer.close()
        self._client.close()

    async def quit(self) -> None:
        """Say goodbye, briefly."""
        with contextlib.suppress(SMTPException, OSError, TimeoutError):
            await self._client.quit(timeout=1)
        self.close()

    async def _open(self, mail: Envelope) -> None:
        encoding = "utf-8" if mail.utf8 else "ascii"
        if mail.utf8 and not self._client.supports_extension("smtputf8"):
            raise SMTPResponseException(550, "5.6.7 the server has no SMTPUTF8")
        await self._client.mail(mail.sender, options=["SMTPUTF8"] if mail.utf8 else [], encoding=encoding)
        await self._client.rcpt(mail.recipient, encoding=encoding)
        answer = await self._client.execute_command(b"DATA")
        if answer.code != 354:
            raise SMTPResponseException(answer.code, answer.message)

    async def _write_body(self, data: bytes) -> None:
        """Write all but the final dot and wait until the operating system has taken it."""
        protocol, transport = self._client.protocol, self._client.transport
        if protocol is None or not isinstance(transport, asyncio.WriteTransport):
            raise aiosmtplib.SMTPServerDisconnected("connection lost")
        if self._writer is None:
            # Kept until the end: when it goes, it closes the transport.
            self._writer = asyncio.StreamWriter(transport, protocol, None, asyncio.get_running_loop())
            transport.set_write_buffer_limits(high=0)
        protocol.write(_LEADING_DOT.sub(b"..", data))
        async with asyncio.timeout(self._address.reply_timeout):
            await self._writer.drain()
        if not self._client.is_connected:
            raise aiosmtplib.SMTPServerDisconnected("connection lost")

    async def _finish(self) -> tuple[int, str]:
        protocol = self._client.protocol
        if protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("connection lost")
        protocol.write(b".\r\n")
        answer = await protocol.read_response(timeout=self._address.reply_timeout)
        return answer.code, answer.message

    async def _refusal(self, code: int, said: str) -> TemporaryError | RefusedError:
        """Return the error for a refusal, and make the session ready for the next message."""
        detail = _words(code, said)
        if code == _SERVICE_CLOSING or not 400 <= code < 600:
            self.close()
            return UnavailableError(detail)
        try:
            await self._client.rset()
        except (SMTPException, OSError, TimeoutError):
            self.close()
        return RefusedError(detail) if code >= 500 else TemporaryError(detail)


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
                if connection.usable:
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


def _said(error: SMTPResponseException) -> str:
    return _words(error.code, str(error.message))


def _words(code: int, said: str) -> str:
    """Return the codes of an answer; its text may quote the address, and this goes into the log."""
    enhanced = _ENHANCED.search(said)
    return f"{code} {enhanced[1]}" if enhanced else str(code)
