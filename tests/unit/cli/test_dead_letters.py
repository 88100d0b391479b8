"""``kikkake dead-letters`` against the routes of a running system, and what it says where there is none."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner, Result

from cli.main import cli
from services.ingest.auth import Admin
from services.ingest.dead_letter_routes import create_dead_letters_router
from services.ingest.dead_letters import DeadLetters
from services.ingest.screening import Screening, load_standards
from services.standalone.credentials import load_credentials
from shared.log import Output
from shared.messages import codec
from shared.messages.dead_letter import DeadLetter
from shared.metrics import Metrics
from tests.fakes import MemoryLog
from tests.unit.ingest.sites import Site

LETTERS = [
    DeadLetter(
        topic="events",
        partition=-1,
        offset=-1,
        reason="illegal_distinct_id",
        detail="userId is a value that no contact can have",
        at=1_772_445_600_000,
        key=None,
        value=b'{"type":"track","userId":"null","event":"X"}',
        source="key_1",
    ),
    DeadLetter(
        topic="events",
        partition=2,
        offset=9,
        reason="KeyError",
        detail="x",
        at=1_772_445_660_000,
        key=b"u:c1",
        value=b"\xff",
    ),
]
GOOD = DeadLetter(
    topic="events", partition=-1, offset=-1, reason="r", detail="d", at=1, key=None, value=b'{"userId":"u1"}',
    event_type="identify",
)  # fmt: skip


async def _no_pause(_seconds: float) -> None:
    pass


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MemoryLog:
    """Return the log of a system whose admin token is that of the folder ``data``."""
    token = load_credentials(_made(tmp_path / "data")).admin_token
    memory = MemoryLog()
    letters = DeadLetters(memory, memory, Screening(load_standards(None), Metrics(), lambda: "id"), _no_pause)
    site = Site(extra_routers=[create_dead_letters_router(letters, Admin(token))])

    def request(method: str, url: str, **options: Any) -> httpx2.Response:
        options.pop("timeout")
        found = site.http.request(method, url.removeprefix("http://127.0.0.1:8000"), **options)
        return httpx2.Response(found.status_code, content=found.content)

    monkeypatch.setattr(httpx2, "request", request)
    monkeypatch.delenv("KIKKAKE_ADMIN_TOKEN", raising=False)
    asyncio.run(memory.publish([Output("events.dlq", None, codec.encode(letter)) for letter in (*LETTERS, GOOD)]))
    return memory


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["dead-letters", *arguments, "--data", str(folder / "data")])


def test_they_are_listed_with_their_reason_and_without_what_they_hold(log: MemoryLog, tmp_path: Path) -> None:
    said = run(tmp_path, "list", "--before", "2")
    assert [
        "1  2026-03-02T10:01:00.000Z  KeyError  events/2/9  1 B  x",
        "0  2026-03-02T10:00:00.000Z  illegal_distinct_id  key_1  44 B  userId is a value that no contact can have",
    ] == said.stdout.splitlines()
    assert "there is none in commands.dlq\n" == run(tmp_path, "list", "--topic", "commands.dlq").stderr


def test_one_is_shown_whole(log: MemoryLog, tmp_path: Path) -> None:
    found = json.loads(run(tmp_path, "show", "0").stdout)
    assert {"type": "track", "userId": "null", "event": "X"} == found["value"]
    assert ("2026-03-02T10:00:00.000Z", None) == (found["at"], found["key"])
    assert ({"base64": "/w=="}, "u:c1") == (
        json.loads(run(tmp_path, "show", "1").stdout)["value"],
        json.loads(run(tmp_path, "show", "1").stdout)["key"],
    )


def test_what_becomes_of_each_that_is_sent_again_is_said(log: MemoryLog, tmp_path: Path) -> None:
    said = run(tmp_path, "replay", "0", "2")
    assert (
        1,
        "0  refused (illegal_distinct_id): userId is a value that no contact can have\n2  accepted: 1 event\n",
    ) == (
        said.exit_code,
        said.stdout,
    )
    assert (0, "2  accepted: 1 event\n") == (
        run(tmp_path, "replay", "2").exit_code,
        run(tmp_path, "replay", "2").stdout,
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "7"], "http://127.0.0.1:8000 answers 404: there is no dead letter at this place, or no longer"),
        (["list", "--admin-token", "wrong"], "answers 401: give the admin token: Authorization: Bearer TOKEN"),
    ],
)
def test_a_refusal_is_one_clear_text(log: MemoryLog, tmp_path: Path, arguments: list[str], said: str) -> None:
    assert said in str(run(tmp_path, *arguments).exception)


def test_without_a_token_or_a_system_it_says_what_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KIKKAKE_ADMIN_TOKEN", raising=False)
    assert "no admin token: set KIKKAKE_ADMIN_TOKEN, or name the data folder" in str(run(tmp_path, "list").exception)
    away = run(tmp_path, "list", "--admin-token", "t", "--url", "http://127.0.0.1:1")
    assert "http://127.0.0.1:1 does not answer: ConnectError; is Kikkake running there?" in str(away.exception)
