"""A real SMTP server on loopback that keeps what it accepts and fails on request.

In the test's process: `with SmtpServer() as smtp: ...`. As a process of its own, for tests that kill
processes: `python -m tests.servers.smtp --port P --file F` prints its port on the first line of standard
output and appends each accepted message to F as one line of JSON before it acknowledges it. If that
process is killed, only a last line without its newline can be incomplete, and was not acknowledged.
"""

from __future__ import annotations

import argparse
import asyncio
import email
import email.policy
import json
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.servers.process import HOST, ServerError, free_port

ANY = "*"


@dataclass(frozen=True)
class ReceivedMessage:
    """One accepted message with its envelope; `number` counts from 1 in order of acceptance.

    `raw` is what came over the wire; `message` is parsed from it with plain newlines.
    """

    number: int
    mail_from: str
    rcpt_tos: tuple[str, ...]
    raw: bytes
    message: EmailMessage

    def to_json(self) -> dict[str, Any]:
        """What the separate process writes: envelope, headers as pairs, text bodies, and all of it raw."""
        plain, html = (self.message.get_body(("plain",)), self.message.get_body(("html",)))
        return {
            "number": self.number,
            "mail_from": self.mail_from,
            "rcpt_tos": list(self.rcpt_tos),
            "headers": [[name, str(value)] for name, value in self.message.items()],
            "text": None if plain is None else plain.get_content(),
            "html": None if html is None else html.get_content(),
            "raw": self.raw.decode("utf-8", "backslashreplace"),
        }


@dataclass
class _Script:
    """What the server was told to do wrong. `times` None means always; each use counts one down."""

    rejections: dict[str, tuple[str, int | None]] = field(default_factory=dict)
    delay: float = 0.0
    # "hang" or "drop", with how many more times.
    failure: tuple[str, int | None] | None = None


def _used_once(times: int | None) -> int | None:
    return None if times is None else times - 1


class SmtpServer:
    """An SMTP server in a thread of this process; its methods may be called from any thread at any time.

    `accepted` is called for each message in the server's thread, before the client gets its answer.
    """

    def __init__(self, *, port: int | None = None, accepted: Callable[[ReceivedMessage], None] | None = None) -> None:
        self.host = HOST
        self.port = free_port() if port is None else port
        self._accepted = accepted
        self._changed = threading.Condition()
        self._messages: list[ReceivedMessage] = []
        self._hanging = 0
        self._script = _Script()
        self._controller: Controller | None = None

    @property
    def messages(self) -> list[ReceivedMessage]:
        """The accepted messages so far, in order (a copy); they stay over stop and start."""
        with self._changed:
            return list(self._messages)

    @property
    def hanging(self) -> int:
        """How many connections are now held without an answer to their DATA because of `hang`."""
        with self._changed:
            return self._hanging

    def start(self) -> None:
        """Start listening; ServerError if the port is taken."""
        if self._controller is not None:
            raise ServerError(f"SMTP is already running on {self.host}:{self.port}")
        controller = Controller(
            _Handler(self), hostname=HOST, port=self.port, server_hostname="localhost", enable_SMTPUTF8=True
        )
        try:
            controller.start()
        except OSError as error:
            controller.stop(no_assert=True)
            raise ServerError(f"SMTP could not listen on {self.host}:{self.port}: {error}") from error
        self._controller = controller

    def stop(self) -> None:
        """Close the port and every connection, hanging ones too; nothing if it does not run."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def reject(self, rcpt: str, code: int, text: str, times: int | None = None) -> None:
        """Answer RCPT TO for this address (or `ANY`) so, always or only the next `times` times."""
        with self._changed:
            self._script.rejections[rcpt.casefold()] = (f"{code} {text}", times)

    def delay(self, seconds: float) -> None:
        """Wait this long before handling each message's data; 0 ends it."""
        with self._changed:
            self._script.delay = seconds

    def hang(self, times: int | None = None) -> None:
        """Take each message's data and never answer; the message does not count as accepted."""
        with self._changed:
            self._script.failure = ("hang", times)

    def accept_then_drop(self, times: int | None = None) -> None:
        """Accept and keep each message, then close the connection before the client hears of it."""
        with self._changed:
            self._script.failure = ("drop", times)

    def behave(self) -> None:
        """Forget everything that was scripted; connections that already hang stay so."""
        with self._changed:
            self._script = _Script()

    def clear(self) -> None:
        """Forget the accepted messages; numbering starts again."""
        with self._changed:
            self._messages.clear()

    def wait_for(self, count: int, timeout: float = 10.0) -> list[ReceivedMessage]:
        """Block until at least `count` messages were accepted and return all; TimeoutError if that fails."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._messages) >= count, timeout):
                raise TimeoutError(f"{len(self._messages)} of {count} messages accepted in {timeout:g} s")
            return list(self._messages)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _rejection(self, rcpt: str) -> str | None:
        with self._changed:
            for key in (rcpt.casefold(), ANY):
                answer, times = self._script.rejections.get(key, ("", 0))
                if times is None or times > 0:
                    self._script.rejections[key] = (answer, _used_once(times))
                    return answer
        return None

    def _take_failure(self) -> tuple[str | None, float]:
        with self._changed:
            if self._script.failure is None or self._script.failure[1] == 0:
                return None, self._script.delay
            kind, times = self._script.failure
            self._script.failure = (kind, _used_once(times))
            return kind, self._script.delay

    def _count_hanging(self, change: int) -> None:
        with self._changed:
            self._hanging += change

    def _keep(self, envelope: Envelope) -> None:
        raw = envelope.original_content or b""
        message = email.message_from_bytes(raw.replace(b"\r\n", b"\n"), policy=email.policy.default)
        with self._changed:
            number = len(self._messages) + 1
            kept = ReceivedMessage(number, envelope.mail_from or "", tuple(envelope.rcpt_tos), raw, message)
            if self._accepted is not None:
                self._accepted(kept)
            self._messages.append(kept)
            self._changed.notify_all()


class _Handler:
    """The hooks that aiosmtpd calls, in its event loop; their names are aiosmtpd's."""

    def __init__(self, owner: SmtpServer) -> None:
        self._owner = owner

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        rejection = self._owner._rejection(address)
        if rejection is not None:
            return rejection
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        failure, delay = self._owner._take_failure()
        if delay > 0:
            await asyncio.sleep(delay)
        if failure == "hang":
            self._owner._count_hanging(1)
            try:
                # Until the client goes away or the server stops: both cancel this.
                await asyncio.Event().wait()
            finally:
                self._owner._count_hanging(-1)
        self._owner._keep(envelope)
        if failure == "drop" and isinstance(server.transport, asyncio.WriteTransport):
            # Not close(): that would first send the answer that aiosmtpd is about to write.
            server.transport.abort()
        return "250 Accepted"


def main(arguments: list[str] | None = None) -> int:
    """Run the server as this process until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers.smtp", description=main.__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 for a free one (it is printed)")
    parser.add_argument("--file", type=Path, required=True, help="gets one JSON line a message")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before handling each message")
    options = parser.parse_args(arguments)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())

    try:
        with options.file.open("ab", buffering=0) as file:

            def append(message: ReceivedMessage) -> None:
                # Unbuffered: once the client has its answer, the line must outlive a SIGKILL of this process.
                file.write((json.dumps(message.to_json()) + "\n").encode())

            with SmtpServer(port=options.port or None, accepted=append) as server:
                server.delay(options.delay)
                print(server.port, flush=True)
                ended.wait()
    except (ServerError, OSError) as error:
        parser.exit(1, f"{error}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
