"""Links in mails on both hosts as a reader follows them: a click starts a journey, an unsubscription ends the mails."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import httpx2
import pytest

from services.standalone.storage.snapshot import open_snapshot
from shared.log import LogRecord
from shared.messages.journal import JournalRecord
from shared.messages.topics import JOURNAL
from tests.e2e.processes import Process, smtp_process, wait_until
from tests.e2e.scenario import WRITE_KEY, Client, decoded_journal, read_mails
from tests.e2e.stack import Stack
from tests.servers.process import free_port

pytestmark = pytest.mark.integration

JOURNEY = """
schema: journey/v1
id: {id}
version: 1
trigger: {{type: event, event: {event}}}
entry: {{reentry: {{mode: always}}}}
policy: {{topic: news}}
steps:
  - id: mail
    send:
      channels: [email]
      expires: 10m
      template:
        email:
          subject: {id}
          text: "{{{{ message.unsubscribe_url }}}}"
          html: |
            <a href="https://shop.example/sale?a=1&amp;b=2">Sale</a>
            <a href="{{{{ message.view_in_browser_url }}}}">Look</a>
            <img src="{{{{ '2099-01-01T00:00:00Z' | countdown }}}}">
"""
EVENTS = {"welcome": "Signed Up", "thanks": "Message Clicked"}
SECRET = "s" * 32
PERSON = {"user-agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/131.0 Safari/537.36"}


@dataclass
class Host:
    """Where it runs, what it has sent, and what it has decided."""

    url: str
    mails: Path
    journal: Callable[[], Sequence[LogRecord]]
    tail: Callable[[], str]

    def mail(self, subject: str) -> str:
        """Wait for the mail with ``subject``; returns its HTML."""

        def found() -> list[str]:
            return [str(mail["html"]) for mail in read_mails(self.mails) if ["Subject", subject] in _headers(mail)]

        wait_until(found, f"the mail {subject}", 60, self.tail)
        return found()[0]

    def decided(self, decision: str, journey: str) -> list[JournalRecord]:
        """Return what was decided in ``journey``."""
        records = decoded_journal(self.journal()).values()
        return [record for record in records if (record.decision, record.journey) == (decision, journey)]


def _headers(mail: object) -> list[list[str]]:
    assert isinstance(mail, dict)
    return list(mail["headers"])


def _journeys(folder: Path) -> Path:
    journeys = folder / "journeys"
    journeys.mkdir()
    for name, event in EVENTS.items():
        (journeys / f"{name}.yaml").write_text(JOURNEY.format(id=name, event=event), encoding="utf-8")
    return journeys


@contextmanager
def _standalone(folder: Path) -> Iterator[Host]:
    smtp, mails = smtp_process(folder)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    arguments = ["cli", "dev", "--port", str(port), "--data", str(folder / "data"), "--durability", "process"]
    arguments += ["--journeys", str(_journeys(folder)), "--smtp", f"smtp://127.0.0.1:{smtp.port}"]
    arguments += ["--write-key", WRITE_KEY, "--public-url", url]
    process = Process("dev", arguments, {"KIKKAKE_LINK_SECRET": SECRET}, folder, port)

    def journal() -> Sequence[LogRecord]:
        with open_snapshot(folder / "data") as snapshot:
            return list(snapshot.read(JOURNAL))

    try:
        smtp.start()
        process.start().ready()
        yield Host(url, mails, journal, process.tail)
    finally:
        process.end()
        smtp.end()


@contextmanager
def _kafka(folder: Path, request: pytest.FixtureRequest) -> Iterator[Host]:
    servers = (request.getfixturevalue("kafka_server"), request.getfixturevalue("redis_server"))
    public = "http://127.0.0.1:1"  # the readers of the test go to ingest's own address
    links = {"KIKKAKE_PUBLIC_URL": public, "KIKKAKE_LINK_SECRET": SECRET}
    stack = Stack(folder, *servers, _journeys(folder), links)
    with stack.running():

        def journal() -> Sequence[LogRecord]:
            return [record for partition in stack.read(JOURNAL) for record in partition]

        yield Host(f"http://127.0.0.1:{stack.ingest.port}", stack.mails, journal, stack.tails)


@pytest.fixture(params=["standalone", "kafka"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    with _standalone(tmp_path) if request.param == "standalone" else _kafka(tmp_path, request) as host:
        yield host


def test_a_click_starts_a_journey_and_an_unsubscription_ends_the_mails(host: Host) -> None:
    site = Client(host.url)
    reader = httpx2.Client(base_url=host.url, headers=PERSON, timeout=10)
    site.post("identify", userId="aki", traits={"email": "aki@example.jp"})
    site.post("consent", userId="aki", topic="news", status="granted")
    site.post("track", userId="aki", event="Signed Up")
    page = host.mail("welcome")
    [link] = re.findall(r'href="http://127.0.0.1:\d+(/t/c/[^"]+)"', page)
    [dot] = re.findall(r'src="http://127.0.0.1:\d+(/t/o/[^"]+)"', page)
    [leave] = {
        re.sub(r"^http://127.0.0.1:\d+", "", value.strip("<>"))
        for mail in read_mails(host.mails)
        for name, value in _headers(mail)
        if name == "List-Unsubscribe"
    }

    [view] = re.findall(r'href="http://127.0.0.1:\d+(/v/[^"]+)"', page)
    assert page.splitlines() == reader.get(view).text.splitlines()

    [timer] = re.findall(r'src="http://127.0.0.1:\d+(/t/i/[^"]+)"', page)
    assert "image/gif" == reader.get(timer).headers["content-type"]

    # Whoever looks at a mail follows its links: none of it changes what its reader gets.
    assert [200, 200, 200] == [reader.get(path).status_code for path in (dot, leave, f"{leave}?all=revoked")]

    # Within five seconds of its decision nobody has read a mail: such clicks are a machine's.
    def thanked() -> bool:
        answer = reader.get(unescape(link), follow_redirects=False)
        assert (302, "https://shop.example/sale?a=1&b=2") == (answer.status_code, answer.headers["location"])
        return any(["Subject", "thanks"] in _headers(mail) for mail in read_mails(host.mails))

    wait_until(thanked, "the click is answered by a mail", 60, host.tail)
    assert [] == host.decided("skip", "welcome")

    answer = reader.post(leave, data={"List-Unsubscribe": "One-Click"}, follow_redirects=False)
    assert (200, b"") == (answer.status_code, answer.content)
    sent = len(read_mails(host.mails))
    site.post("track", userId="aki", event="Signed Up")
    wait_until(lambda: host.decided("skip", "welcome"), "the next mail is skipped", 60, host.tail)
    assert ["no_consent"] == [record.reason for record in host.decided("skip", "welcome")]
    assert sent == len(read_mails(host.mails))
