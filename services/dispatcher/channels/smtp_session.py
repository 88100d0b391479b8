"""One SMTP session: a hand-over that knows whether the message's last byte was let go."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import NamedTuple, cast

import aiosmtplib
import msgspec
from aiosmtplib import SMTPAuthenticationError, SMTPException, SMTPResponseException

from services.dispatcher.errors import (
    AmbiguousError,
    DeadAddressError,
    MisconfiguredError,
    RefusedError,
    TemporaryError,
    UnavailableError,
)

# Exchange Online closes after 30 messages by default and Postfix never; 100 amortises the greeting well enough.
_MESSAGES_PER_CONNECTION = 100
_ENHANCED = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
# RFC 3463, 3.2 and RFC 7505: no such mailbox, no such domain, no address at all, moved away, a domain without mail.
_DEAD = re.compile(r"\b5\.1\.(?:1|2|3|6|10)\b")
_LINES = 100
_LEADING_DOT = re.compile(rb"(?m)^\.")
_SERVICE_CLOSING = 421
# What aiosmtplib says, with no type of its own, when we want STARTTLS or AUTH of a server that has none.
_LACKS = re.compile(r"(?:The )?SMTP (STARTTLS|AUTH) extension (?:is )?not supported")
_WITHOUT = {"STARTTLS": "`tls: none` or `?starttls=0` goes without", "AUTH": "leave its user out"}


class SmtpAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how to reach the server.

    ``timeout`` (seconds) is for each of these: to connect and log in, to say whom a message is from and for, to recover
    from a refusal. ``reply_timeout`` is for a whole message and its answer.
    """

    host: str
    port: int
    tls: bool = False
    starttls: bool = False
    user: str | None = None
    password: str | None = None
    timeout: float = 15.0
    reply_timeout: float = 60.0


class Envelope(msgspec.Struct, frozen=True):
    """One mail on the wire; ``utf8``: its addresses need SMTPUTF8. A bounce says its ``id`` again (ENVID, RFC 3461)."""

    sender: str
    recipient: str
    data: bytes
    utf8: bool = False
    id: str = ""


class Answer(NamedTuple):
    """What the server said to one command."""

    code: int
    text: str


class SmtpConnection:
    """One session with the server. aiosmtplib opens it (greeting, TLS, login); what follows goes over plain streams.

    For aiosmtplib asks one thing at a time: sender, recipient and DATA each cost the way to the server and back. A
    server with PIPELINING (RFC 2920) is asked all three at once.

    ``writing``: it broke off while it took a message.
    """

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
        self._reader = asyncio.StreamReader()
        self._writer: asyncio.StreamWriter | None = None
        self.sent = 0
        self.last_used = 0
        self.writing = False

    @property
    def usable(self) -> bool:
        """Whether another message may be sent on it."""
        writer = self._writer
        return (
            writer is not None
            and not writer.is_closing()
            and not self._reader.at_eof()
            and self.sent < _MESSAGES_PER_CONNECTION
        )

    async def connect(self) -> None:
        """Connect, greet, secure, log in. Raises UnavailableError for all that goes wrong: no message is to blame."""
        try:
            async with asyncio.timeout(self._address.timeout):
                await self._client.connect()
                if self._client.is_ehlo_or_helo_needed:
                    await self._client.ehlo()
        except SMTPAuthenticationError as error:
            self.close()
            failure = MisconfiguredError if error.code >= 500 else UnavailableError
            raise failure(_words(error.code, str(error.message))) from error
        except SMTPResponseException as error:
            self.close()
            raise UnavailableError(_words(error.code, str(error.message))) from error
        except SMTPException as error:
            self.close()
            if lacks := _LACKS.match(str(error)):
                raise MisconfiguredError(f"the server offers no {lacks[1]}: {_WITHOUT[lacks[1]]}") from error
            raise UnavailableError(type(error).__name__) from error
        except (OSError, TimeoutError, ValueError, OverflowError) as error:
            self.close()
            raise UnavailableError(type(error).__name__) from error
        self._take_over()

    def _take_over(self) -> None:
        transport = cast("asyncio.Transport", self._client.transport)
        loop = asyncio.get_running_loop()
        protocol = asyncio.StreamReaderProtocol(self._reader)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        transport.set_write_buffer_limits(high=0)
        self._writer = asyncio.StreamWriter(transport, protocol, self._reader, loop)

    async def deliver(self, mail: Envelope) -> str:
        """Hand ``mail`` over and return what the server said. Raises as ``Provider.send`` does.

        Ambiguous is exactly the time from writing the final dot to reading its answer: up to there the server cannot
        have the whole message, and from there only the answer says whether it has.
        """
        dotted = False
        try:
            async with asyncio.timeout(self._address.timeout):
                await self._open(mail)
            async with asyncio.timeout(self._address.reply_timeout):
                self.writing = True
                await self._write_body(mail.data)
                dotted = True
                self._write(b".\r\n")
                answer = await self._answer()
            self.writing = False
        except _RefusedCommandError as refused:
            raise await self._refusal(refused.answer, refused.command) from None
        except (_NoAnswerError, OSError, TimeoutError) as error:
            self.close()
            failure = AmbiguousError if dotted else UnavailableError
            raise failure(type(error.__cause__ or error).__name__) from error
        except BaseException:
            # Given up in the middle (drain): the session's state is unknown, so nobody may use it again.
            self.close()
            raise
        self.sent += 1
        if answer.code // 100 == 2:
            return answer.text
        if not 400 <= answer.code < 600:
            self.close()
            raise AmbiguousError(str(answer.code))
        raise await self._refusal(answer, "DATA")

    def close(self) -> None:
        """Drop the connection without a word. Twice is harmless."""
        if self._writer is not None:
            self._writer.close()
        self._client.close()

    async def quit(self) -> None:
        """Say goodbye, briefly."""
        with contextlib.suppress(_NoAnswerError, OSError, TimeoutError):
            async with asyncio.timeout(1):
                self._write(b"QUIT\r\n")
                await self._answer()
        self.close()

    async def _open(self, mail: Envelope) -> None:
        """Say whom the message is from and for, up to the server's word to go on. Raises _RefusedCommandError."""
        if mail.utf8 and not self._client.supports_extension("smtputf8"):
            raise _RefusedCommandError("RCPT", Answer(550, "5.6.7 the server has no SMTPUTF8"))
        commands = self._envelope(mail)
        at_once = self._client.supports_extension("pipelining")
        if at_once:
            self._write(b"".join(commands.values()))
        refused: _RefusedCommandError | None = None
        for name, line in commands.items():
            if not at_once:
                self._write(line)
            answer = await self._answer()
            expected = 3 if name == "DATA" else 2
            if answer.code // 100 != expected:
                refused = refused or _RefusedCommandError(name, answer)
                if not at_once:
                    break
            elif refused is not None and name == "DATA":
                # It waits for a message that is for nobody (RFC 2920, 3.1): an empty one, which it refuses.
                self._write(b".\r\n")
                await self._answer()
        if refused is not None:
            raise refused

    def _envelope(self, mail: Envelope) -> dict[str, bytes]:
        sender, recipient = f"MAIL FROM:<{mail.sender}>", f"RCPT TO:<{mail.recipient}>"
        if mail.utf8:
            sender += " SMTPUTF8"
        if mail.id and self._client.supports_extension("dsn"):
            sender += f" RET=HDRS ENVID={mail.id}"
            recipient += " NOTIFY=FAILURE"
        return {"MAIL": f"{sender}\r\n".encode(), "RCPT": f"{recipient}\r\n".encode(), "DATA": b"DATA\r\n"}

    def _write(self, data: bytes) -> None:
        if self._writer is None or self._writer.is_closing():
            raise ConnectionResetError
        self._writer.write(data)

    async def _write_body(self, data: bytes) -> None:
        """Write all but the final dot and wait until the operating system has taken it."""
        self._write(_LEADING_DOT.sub(b"..", data))
        if self._writer is not None:
            await self._writer.drain()

    async def _answer(self) -> Answer:
        """Return the next answer, all its lines. Raises _NoAnswerError for what is none, OSError."""
        lines: list[str] = []
        while len(lines) < _LINES:
            try:
                line = await self._reader.readline()
            except ValueError as error:  # longer than any
                raise _NoAnswerError from error
            if not line.endswith(b"\n") or not line[:3].isdigit():
                raise _NoAnswerError
            lines.append(line[4:].strip().decode("utf-8", "replace"))
            if line[3:4] != b"-":
                return Answer(int(line[:3]), "\n".join(lines))
        raise _NoAnswerError

    async def _refusal(self, answer: Answer, command: str) -> TemporaryError | RefusedError:
        """Return the error for a refusal of ``command``, and make the session ready for the next message."""
        detail = _words(answer.code, answer.text)
        if answer.code == _SERVICE_CLOSING or not 400 <= answer.code < 600:
            self.close()
            return UnavailableError(detail)
        try:
            async with asyncio.timeout(self._address.timeout):
                self._write(b"RSET\r\n")
                await self._answer()
        except (_NoAnswerError, OSError, TimeoutError):
            self.close()
        if answer.code < 500:
            return TemporaryError(detail)
        if command == "MAIL":
            return MisconfiguredError(detail)
        if command == "RCPT" and _DEAD.search(answer.text):
            return DeadAddressError(detail, why="invalid")
        return RefusedError(detail)


class _NoAnswerError(Exception):
    """The server said nothing that could be an answer, or went away."""


class _RefusedCommandError(Exception):
    """The server refused ``command`` before it had the message."""

    def __init__(self, command: str, answer: Answer) -> None:
        super().__init__()
        self.command = command
        self.answer = answer


def _words(code: int, said: str) -> str:
    """Return the codes of an answer; its text may quote the address, and this goes into the log."""
    enhanced = _ENHANCED.search(said)
    return f"{code} {enhanced[1]}" if enhanced else str(code)
