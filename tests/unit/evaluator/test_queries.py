"""``POST /internal/contact`` of an evaluator: what it answers, and when it does not."""

from __future__ import annotations

import msgspec
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from services.evaluator.core.state import ContactState, Forward
from services.evaluator.epoch import Epoch
from services.evaluator.meta import Meta
from services.evaluator.queries import PATH, Held, NotHeldError, Refusal, query_routes
from services.evaluator.rows import Row, encode_row
from tests.fakes import MemoryEpochs

TOKEN = "internal-token-of-the-services"
KNOWN = {"authorization": f"Bearer {TOKEN}"}


def serving(*states: ContactState, caught_up: bool = True) -> TestClient:
    store = MemoryEpochs()
    rows = {state.contact: encode_row(Row(state)) for state in states}
    store.keep(Epoch(rows, (), Meta(next_offset=70, log_time=9_000, epoch=1), 1))
    return TestClient(Starlette(routes=query_routes(lambda _: Held(3, store, caught_up), TOKEN)))


@pytest.mark.parametrize("caught_up", [True, False])
def test_a_contact_is_told_as_of_what_was_saved(caught_up: bool) -> None:
    answer = serving(ContactState("u:c1"), caught_up=caught_up).post(PATH, content="u:c1", headers=KNOWN)
    found = msgspec.json.decode(answer.content)
    assert (200, "c1") == (answer.status_code, found["id"])
    assert {"partition": 3, "offset": 70, "log_time": 9_000, "caught_up": caught_up} == found["as_of"]


def test_nobody_and_whoever_moved() -> None:
    http = serving(ContactState("a:v", forward=Forward("u:c1")))
    assert (204, b"") == ((nobody := http.post(PATH, content="u:c1", headers=KNOWN)).status_code, nobody.content)
    moved = http.post(PATH, content="a:v", headers=KNOWN, follow_redirects=False)
    assert (303, "u:c1") == (moved.status_code, moved.text)


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}])
def test_without_the_token_nothing_is_told(headers: dict[str, str]) -> None:
    answer = serving(ContactState("u:c1")).post(PATH, content="u:c1", headers=headers)
    assert (401, b"unauthorized") == (answer.status_code, answer.content)


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"u:" + b"x" * 1023], ids=["empty", "no text", "too long"])
def test_a_body_that_is_no_key_is_refused(body: bytes) -> None:
    assert 400 == serving().post(PATH, content=body, headers=KNOWN).status_code


@pytest.mark.parametrize(("why", "status"), [("not_owner", 421), ("moving", 503), ("no_lease", 503)])
def test_who_cannot_speak_for_the_partition_says_why(why: Refusal, status: int) -> None:
    def held(_contact: str) -> Held:
        raise NotHeldError(why)

    http = TestClient(Starlette(routes=query_routes(held, TOKEN)))
    answer = http.post(PATH, content="u:c1", headers=KNOWN)
    assert (status, why) == (answer.status_code, answer.text)


def test_a_row_that_cannot_be_read_is_said_and_logged_without_the_key() -> None:
    store = MemoryEpochs()
    store.keep(Epoch({"u:c1": b"no row"}, (), Meta(), 1))
    http = TestClient(Starlette(routes=query_routes(lambda _: Held(3, store, caught_up=True), TOKEN)))
    with capture_logs() as logs:
        answer = http.post(PATH, content="u:c1", headers=KNOWN)
    assert (503, "unreadable") == (answer.status_code, answer.text)
    [line] = logs
    assert ("contact_unreadable", 3) == (line["event"], line["partition"])
    assert "u:c1" not in str(line)
