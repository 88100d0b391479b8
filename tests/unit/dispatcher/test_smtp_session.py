"""One SMTP session, word by word: what is asked at once, and whose fault each refusal is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from services.dispatcher.channels.smtp_session import Envelope, SmtpAddress, SmtpConnection
from services.dispatcher.errors import (
    AmbiguousError,
    DeadAddressError,
    MisconfiguredError,
    RefusedError,
    TemporaryError,
    UnavailableError,
)

MAIL = Envelope("shop@example.com", "ann@example.com", b"Subject: x\r\n\r\n.dot\r\nend\r\n")
PIPELINING = b"250-PIPELINING\r\n"
DSN = b"250-DSN\r\n"


@dataclass
class Server:
    """Answers by verb; ``MESSAGE`` is a whole message. ``at_once``: nothing is answered before all three are there."""

    extensions: bytes = b""
    answers: dict[str, bytes] = field(default_factory=dict)
    at_once: bool = False
    heard: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    pause: float = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 x\r\n")
        held = b""
        while line := await reader.readline():
            verb = line[:4].decode().strip().upper()
            self.heard.append(line.decode().strip())
            usual = {"EHLO": b"250-x\r\n" + self.extensions + b"250 8BITMIME\r\n", "DATA": b"354 go on\r\n"}
            answer = self.answers.get(verb, usual.get(verb, b"250 2.0.0 ok\r\n"))
            if self.at_once and verb in ("MAIL", "RCPT"):
                held += answer
                continue
            writer.write(held + answer)
            held = b""
            await asyncio.sleep(self.pause)
            if verb == "DATA" and answer.startswith(b"354"):
                message = b""
                while not message.endswith(b"\r\n.\r\n") and message != b".\r\n":
                    message += await reader.readline()
                self.messages.append(message)
                writer.write(self.answers.get("MESSAGE", b"250 2.0.0 Ok: queued as 4F1\r\n"))
            if answer.startswith(b"421"):
                break
        writer.close()


@asynccontextmanager
async def session(server: Server, **address: object) -> AsyncIterator[SmtpConnection]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    connection = SmtpConnection(SmtpAddress(host="127.0.0.1", port=port, timeout=2, reply_timeout=0.5, **address))  # type: ignore[arg-type]
    try:
        yield connection
    finally:
        connection.close()
        listening.close()
        await listening.wait_closed()


async def deliver(server: Server, mail: Envelope = MAIL) -> str:
    async with session(server) as connection:
        await connection.connect()
        return await connection.deliver(mail)


async def test_a_server_that_takes_it_so_is_asked_all_at_once() -> None:
    """It answers nothing before it has heard everything: whoever waits in between waits for ever."""
    server = Server(PIPELINING, at_once=True)
    assert "queued as 4F1" in await deliver(server)
    assert ["MAIL FROM:<shop@example.com>", "RCPT TO:<ann@example.com>", "DATA"] == server.heard[1:]
    assert [b"Subject: x\r\n\r\n..dot\r\nend\r\n.\r\n"] == server.messages


async def test_any_other_is_asked_one_thing_after_the_other() -> None:
    server = Server(answers={"RCPT": b"451 4.7.1 later\r\n"})
    with pytest.raises(TemporaryError, match=r"^451 4\.7\.1$"):
        await deliver(server)
    assert ["MAIL", "RCPT", "RSET"] == [line[:4] for line in server.heard[1:]]


@pytest.mark.parametrize("go_on", [b"503 5.5.1 no valid recipients\r\n", b"354 go on\r\n"])
async def test_a_refused_recipient_gets_nothing_whatever_the_server_says_to_the_rest(go_on: bytes) -> None:
    """RFC 2920, 3.1: a server may ask for the message all the same; it gets an empty one for nobody."""
    refusal = b"554 5.5.1 no valid recipients\r\n"
    server = Server(PIPELINING, {"RCPT": b"550 5.7.1 no\r\n", "DATA": go_on, "MESSAGE": refusal})
    async with session(server) as connection:
        await connection.connect()
        with pytest.raises(RefusedError, match=r"^550 5\.7\.1$"):
            await connection.deliver(MAIL)
        server.answers.clear()
        await connection.deliver(MAIL)
    assert [b".\r\n"] * go_on.startswith(b"354") == server.messages[:-1]
    assert server.messages[-1].endswith(b"end\r\n.\r\n")


@pytest.mark.parametrize("extensions", [b"", PIPELINING])
@pytest.mark.parametrize(
    ("verb", "said", "error"),
    [
        ("MAIL", b"550 5.7.1 <shop@example.com>: not yours\r\n", MisconfiguredError),
        ("MAIL", b"530 5.7.0 Must issue a STARTTLS command first\r\n", MisconfiguredError),
        ("MAIL", b"451 4.7.1 later\r\n", TemporaryError),
        ("RCPT", b"550 5.1.1 <ann@example.com>: User unknown\r\n", DeadAddressError),
        ("RCPT", b"550-5.1.1 The email account\r\n550 5.1.1 does not exist\r\n", DeadAddressError),
        ("RCPT", b"556 5.1.10 accepts no mail\r\n", DeadAddressError),
        ("RCPT", b"554 5.7.1 Relay access denied\r\n", RefusedError),
        ("RCPT", b"552 5.2.2 mailbox full\r\n", RefusedError),
        ("DATA", b"421 4.3.2 closing\r\n", UnavailableError),
        ("DATA", b"hello?\r\n", UnavailableError),
        ("MAIL", b"", UnavailableError),
        ("MESSAGE", b"554 5.7.1 spam\r\n", RefusedError),
        ("MESSAGE", b"452 4.3.1 no room\r\n", TemporaryError),
        ("MESSAGE", b"421 4.3.2 closing\r\n", UnavailableError),
        ("MESSAGE", b"354 what?\r\n", AmbiguousError),
        ("MESSAGE", b"hello?\r\n", AmbiguousError),
        ("MESSAGE", b"250-" + b"x" * 100_000, AmbiguousError),
        ("MESSAGE", b"250-x\r\n" * 200, AmbiguousError),
    ],
)
async def test_each_refusal_is_somebodys_fault(
    extensions: bytes, verb: str, said: bytes, error: type[Exception]
) -> None:
    server = Server(extensions, {verb: said} | ({"DATA": b"503 bad sequence\r\n"} if verb in ("MAIL", "RCPT") else {}))
    async with session(server) as connection:
        connection._address = SmtpAddress(host="127.0.0.1", port=1, timeout=0.3, reply_timeout=0.5)
        await connection.connect()
        with pytest.raises(error) as caught:
            await connection.deliver(MAIL)
    assert type(caught.value) is error
    assert "ann@" not in str(caught.value)
    assert "shop@" not in str(caught.value)


async def test_a_server_that_is_slow_with_everything_has_one_time_for_all_of_it() -> None:
    """A lease outlives the longest hand-over only if none is longer than its steps."""
    server = Server()
    async with session(server) as connection:
        await connection.connect()
        connection._address = SmtpAddress(host="127.0.0.1", port=1, timeout=0.3, reply_timeout=0.5)
        server.pause = 0.2
        with pytest.raises(UnavailableError):
            await connection.deliver(MAIL)
    assert not connection.writing
    assert [] == server.messages


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"starttls": True}, "the server offers no STARTTLS: `tls: none` or `?starttls=0` goes without"),
        ({"user": "shop", "password": "x"}, "the server offers no AUTH: leave its user out"),
    ],
)
async def test_a_server_that_lacks_what_is_wanted_of_it_is_told_to_a_person(
    wanted: dict[str, object], said: str
) -> None:
    async with session(Server(), **wanted) as connection:
        with pytest.raises(MisconfiguredError) as caught:
            await connection.connect()
    assert said == str(caught.value)


async def test_a_port_that_is_none_leaves_no_message_open() -> None:
    connection = SmtpConnection(SmtpAddress(host="127.0.0.1", port=99_999, timeout=1))
    with pytest.raises(UnavailableError):
        await connection.connect()


async def test_a_login_that_is_refused_needs_a_person() -> None:
    server = Server(b"250-AUTH PLAIN\r\n", {"AUTH": b"535 5.7.8 bad credentials of shop\r\n"})
    async with session(server, user="shop", password="wrong") as connection:
        with pytest.raises(MisconfiguredError, match=r"^535 5\.7\.8$"):
            await connection.connect()
    assert not connection.usable


@pytest.mark.parametrize(
    ("extensions", "envelope"),
    [
        (DSN, ["MAIL FROM:<shop@example.com> RET=HDRS ENVID=aB3-_", "RCPT TO:<ann@example.com> NOTIFY=FAILURE"]),
        (b"", ["MAIL FROM:<shop@example.com>", "RCPT TO:<ann@example.com>"]),
    ],
)
async def test_a_server_that_tells_of_failures_is_told_whose(extensions: bytes, envelope: list[str]) -> None:
    server = Server(extensions)
    await deliver(server, Envelope(MAIL.sender, MAIL.recipient, MAIL.data, id="aB3-_"))
    assert envelope == server.heard[1:3]


async def test_goodbye_is_brief_and_a_session_that_the_server_closed_is_not_used() -> None:
    server = Server(answers={"QUIT": b""})
    async with session(server) as connection:
        await connection.connect()
        assert connection.usable
        started = asyncio.get_running_loop().time()
        await connection.quit()
        assert asyncio.get_running_loop().time() - started < 5
        assert not connection.usable
    closing = Server(answers={"RSET": b"421 bye\r\n", "RCPT": b"550 no\r\n"})
    async with session(closing) as connection:
        await connection.connect()
        with pytest.raises(RefusedError):
            await connection.deliver(MAIL)
        await until(lambda: not connection.usable)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)
