"""The test servers themselves: real, durable over SIGKILL, and leaving nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import pytest
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import TopicPartition

from tests.servers.kafka import KafkaServer
from tests.servers.process import ServerError
from tests.servers.redis import RedisServer
from tests.servers.smtp import ANY, SmtpServer

pytestmark = pytest.mark.integration


async def _produce(bootstrap: str, topic: str, value: bytes) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        await producer.send_and_wait(topic, value)


async def _first_value(bootstrap: str, topic: str) -> bytes | None:
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        record = await asyncio.wait_for(consumer.getone(), 20)
        value: bytes | None = record.value
        return value


def _message(subject: str = "hello") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "shop@example.com", "a@example.com", subject
    message.set_content("körper\n")
    return message


async def _send(port: int, to: str = "a@example.com", timeout: float = 5.0) -> None:
    await aiosmtplib.send(_message(), hostname="127.0.0.1", port=port, recipients=[to], timeout=timeout)


def _gone(pid: int, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            # A zombie that nobody reaped has no command line either.
            if not Path(f"/proc/{pid}/cmdline").read_bytes():
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


def test_a_record_goes_through_the_shared_kafka(kafka_server: KafkaServer) -> None:
    asyncio.run(_produce(kafka_server.bootstrap, "servers-shared", b"one"))
    assert asyncio.run(_first_value(kafka_server.bootstrap, "servers-shared")) == b"one"


@pytest.mark.long
def test_kafka_keeps_a_record_over_sigkill(kafka_server: KafkaServer) -> None:
    # The shared server is asked for only because it decides whether Kafka can run here at all.
    with KafkaServer() as server:
        before = server.bootstrap
        asyncio.run(_produce(server.bootstrap, "kept", b"kept"))
        server.kill()
        assert not server.running
        server.restart()
        assert server.bootstrap == before != kafka_server.bootstrap
        assert asyncio.run(_first_value(server.bootstrap, "kept")) == b"kept"
        data = server.data
    assert not data.exists()


def test_kafka_that_cannot_start_says_why(kafka_server: KafkaServer) -> None:
    with pytest.raises(ServerError, match=r"(?s)could not be formatted.*broker\.session\.timeout\.ms"):
        KafkaServer(settings={"broker.session.timeout.ms": "soon"}).__enter__()
    # Accepted when formatting, refused by the broker itself.
    with pytest.raises(ServerError, match=r"(?s)ended with exit code 1 while starting.*NoSuchReporter"):
        KafkaServer(settings={"metric.reporters": "NoSuchReporter"}).__enter__()
    with pytest.raises(ServerError, match="address already in use"):
        KafkaServer(port=kafka_server.port).__enter__()


def test_redis_keeps_a_key_over_sigkill(redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url) as shared:
        assert shared.ping()
    with RedisServer() as server:
        with redis.Redis.from_url(server.url) as client:
            client.set("key", "value")
        server.kill()
        server.restart()
        with redis.Redis.from_url(server.url) as client:
            assert client.get("key") == b"value"


_SERVER = (
    "import pathlib, sys; from tests.servers.redis import RedisServer; "
    "s = RedisServer(data=pathlib.Path(sys.argv[1])); s.start(); "
    "print(s.pid, flush=True); sys.stdin.read()"
)
_SERVICE = (
    "import pathlib, sys; from tests.e2e.processes import Process; "
    "s = Process('ours', ['http.server', '--bind', '127.0.0.1', '0'], {}, pathlib.Path(sys.argv[1]), 0).start(); "
    "print(s.pid, flush=True); sys.stdin.read()"
)


@pytest.mark.parametrize("code", [_SERVER, _SERVICE], ids=["server", "service"])
def test_what_was_started_dies_with_the_python_that_started_it(
    code: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.kill(pid, 0)
        parent.kill()
    assert _gone(pid)


def test_smtp_keeps_messages_and_rejects_as_scripted(smtp_server: SmtpServer) -> None:
    smtp_server.reject("A@example.com", 450, "try later", times=1)
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
        asyncio.run(_send(smtp_server.port))
    assert [(one.code, one.message) for one in refused.value.recipients] == [(450, "try later")]
    asyncio.run(_send(smtp_server.port))
    smtp_server.reject(ANY, 550, "never")
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
        asyncio.run(_send(smtp_server.port, "b@example.com"))
    [kept] = smtp_server.wait_for(1)
    assert (kept.number, kept.mail_from, kept.rcpt_tos) == (1, "shop@example.com", ("a@example.com",))
    assert kept.message["Subject"] == "hello"
    assert kept.message.get_content() == "körper\n"


def test_smtp_hangs_drops_and_delays(smtp_server: SmtpServer) -> None:
    smtp_server.hang(times=1)
    with pytest.raises(aiosmtplib.SMTPTimeoutError):
        asyncio.run(_send(smtp_server.port, timeout=0.5))
    assert smtp_server.messages == []
    smtp_server.accept_then_drop(times=1)
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        asyncio.run(_send(smtp_server.port))
    assert len(smtp_server.messages) == 1
    smtp_server.delay(0.3)
    began = time.monotonic()
    asyncio.run(_send(smtp_server.port))
    assert time.monotonic() - began >= 0.3
    assert [one.number for one in smtp_server.messages] == [1, 2]


def test_smtp_stops_while_a_client_hangs(smtp_server: SmtpServer) -> None:
    async def scenario() -> None:
        smtp_server.hang()
        sending = asyncio.create_task(_send(smtp_server.port, timeout=20))
        async with asyncio.timeout(10):
            while smtp_server.hanging == 0:
                await asyncio.sleep(0.01)
        await asyncio.to_thread(smtp_server.stop)
        with pytest.raises(aiosmtplib.SMTPException):
            await sending

    asyncio.run(scenario())


def test_smtp_as_a_process_writes_one_line_a_message(tmp_path: Path) -> None:
    file = tmp_path / "mail.jsonl"
    command = [sys.executable, "-m", "tests.servers.smtp", "--port", "0", "--file", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            asyncio.run(_send(port))
            asyncio.run(_send(port, "b@example.com"))
        finally:
            server.send_signal(signal.SIGTERM)
        assert server.wait(10) == 0
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [(line["number"], line["rcpt_tos"]) for line in lines] == [
        (1, ["a@example.com"]),
        (2, ["b@example.com"]),
    ]
    assert lines[0]["text"] == "körper\n"
