"""One suite for every connector: a request in, plain data or the right kind of error out, the command id as its key."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest

from services.dispatcher.connectors.base import AnswerTooLargeError, Connector, Request
from services.dispatcher.connectors.http import BODY_BYTES, HttpConnector, HttpSettings
from services.dispatcher.errors import RefusedError, TemporaryError, UnavailableError
from tests.fakes import RecordingConnector
from tests.servers.process import free_port

REQUEST = Request(command_id="3f0c5a34", contact="u:c1", arguments={"percent": 10})
CODE = {"data": {"coupons": [{"code": "TEN"}]}}


class Api:
    """A real HTTP server on loopback. ``replies`` are (status, headers, body), one after another; the last stays."""

    def __init__(self) -> None:
        self.replies: list[tuple[int, dict[str, str], bytes]] = [(200, {}, json.dumps(CODE).encode())]
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        self.hangs = threading.Event()
        self.hangs.set()
        api = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                api.asked.append((self.command, self.path, dict(self.headers), json.loads(body)))
                api.hangs.wait(5)
                status, headers, answer = api.replies.pop(0) if len(api.replies) > 1 else api.replies[0]
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(answer))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            do_POST = do_PUT = do_GET = handle_any  # noqa: N815 - http.server calls its hooks by these names

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/issue"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def connector(self, **settings: Any) -> HttpConnector:
        return HttpConnector(HttpSettings(**{"url": self.url, "timeout": 2.0, **settings}))


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    yield made
    made.hangs.set()
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(params=["recording", "http"])
async def connector(request: pytest.FixtureRequest) -> AsyncIterator[Connector]:
    made: Connector
    made = RecordingConnector([CODE]) if request.param == "recording" else request.getfixturevalue("api").connector()
    yield made
    await made.close()


async def test_a_request_gets_an_answer(connector: Connector) -> None:
    assert CODE == await connector.call(REQUEST)


async def test_many_tasks_share_a_connector(connector: Connector) -> None:
    requests = [msgspec.structs.replace(REQUEST, command_id=str(number)) for number in range(20)]
    assert [CODE] * 20 == await asyncio.gather(*[connector.call(request) for request in requests])


async def test_closing_twice_is_harmless(connector: Connector) -> None:
    await connector.call(REQUEST)
    await connector.close()
    await connector.close()


async def test_the_request_is_json_with_the_command_id_as_its_key(api: Api) -> None:
    connector = api.connector(method="PUT", headers={"Authorization": "Bearer s3cret"})
    await connector.call(REQUEST)
    await connector.close()
    [(method, path, headers, body)] = api.asked
    assert ("PUT", "/issue") == (method, path)
    assert {"command_id": "3f0c5a34", "contact": "u:c1", "arguments": {"percent": 10}} == body
    assert ("3f0c5a34", "Bearer s3cret", "application/json") == (
        headers["Idempotency-Key"],
        headers["Authorization"],
        headers["Content-Type"],
    )


@pytest.mark.parametrize(("headers", "said"), [({}, "Kikkake/0.1.0"), ({"user-agent": "Our Shop"}, "Our Shop")])
async def test_it_says_who_asks_unless_the_file_does(api: Api, headers: dict[str, str], said: str) -> None:
    connector = api.connector(headers=headers)
    await connector.call(REQUEST)
    await connector.close()
    [(_, _, asked, _)] = api.asked
    assert [said] == [value for name, value in asked.items() if name.lower() == "user-agent"]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
async def test_what_may_be_better_later_is_temporary(api: Api, status: int) -> None:
    api.replies = [(status, {"Retry-After": "7"}, b"busy u:c1")]
    connector = api.connector()
    with pytest.raises(TemporaryError, match=rf"^HTTP {status}$") as caught:
        await connector.call(REQUEST)
    await connector.close()
    assert (7000, True) == (caught.value.retry_after, caught.value.refused)


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 409, 422])
async def test_what_will_not_change_is_final_and_nobody_is_redirected(api: Api, status: int) -> None:
    api.replies = [(status, {"Location": "/elsewhere"}, b"")]
    connector = api.connector()
    with pytest.raises(RefusedError, match=rf"^HTTP {status}$"):
        await connector.call(REQUEST)
    await connector.close()
    assert ["/issue"] == [path for _, path, _, _ in api.asked]


async def test_the_file_says_which_codes_are_well(api: Api) -> None:
    api.replies = [(409, {}, b'{"code": "OLD"}'), (200, {}, b"{}")]
    connector = api.connector(success=frozenset({201, 409}))
    assert {"code": "OLD"} == await connector.call(REQUEST)
    with pytest.raises(RefusedError, match=r"^HTTP 200$"):
        await connector.call(REQUEST)
    await connector.close()


async def test_answer_picks_what_is_kept(api: Api) -> None:
    connector = api.connector(answer={"code": "data.coupons.0.code", "none": "data.coupons.1.code", "odd": "data.x.y"})
    assert {"code": "TEN", "none": None, "odd": None} == await connector.call(REQUEST)
    await connector.close()


async def test_an_answer_without_a_body_is_null_and_one_that_is_no_json_is_refused(api: Api) -> None:
    api.replies = [(204, {}, b""), (200, {}, b"<html>")]
    connector = api.connector()
    assert await connector.call(REQUEST) is None
    with pytest.raises(RefusedError, match="not JSON"):
        await connector.call(REQUEST)
    await connector.close()


async def test_an_endless_answer_is_not_read_to_its_end(api: Api) -> None:
    api.replies = [(200, {}, b'"' + b"x" * BODY_BYTES + b'"')]
    connector = api.connector()
    with pytest.raises(AnswerTooLargeError):
        await connector.call(REQUEST)
    await connector.close()


async def test_nobody_there_is_unavailable() -> None:
    connector = HttpConnector(HttpSettings(url=f"http://127.0.0.1:{free_port()}/"))
    with pytest.raises(UnavailableError, match=r"^ClientConnectorError$"):
        await connector.call(REQUEST)
    await connector.close()


async def test_a_server_that_hangs_is_unavailable_in_bounded_time(api: Api) -> None:
    api.hangs.clear()
    connector = api.connector(timeout=0.2)
    with pytest.raises(UnavailableError, match=r"^no answer within 0\.2 s$"):
        await connector.call(REQUEST)
    await connector.close()
