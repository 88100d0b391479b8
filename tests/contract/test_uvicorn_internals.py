"""What ``services/ingest/server.py`` touches of uvicorn is still there, as it was when its source was read."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MENTIONED: list[tuple[Callable[..., Any], list[str]]] = [
    (HttpToolsProtocol._start_asgi_task, ["cycle.run_asgi(app)"]),
    (HttpToolsProtocol.on_headers_complete, ["self.cycle = RequestResponseCycle(", "scope=self.scope"]),
    (HttpToolsProtocol.on_body, ["self.cycle.response_complete", "self.cycle.body += body"]),
    (HttpToolsProtocol.on_message_complete, ["self.cycle.more_body = False"]),
    (HttpToolsProtocol.on_response_complete, ["self.flow.resume_reading()"]),
    # What we do instead of these two, in one step.
    (
        RequestResponseCycle.receive,
        ['"body": bytes(self.body), "more_body"', "self.body = bytearray()"],
    ),
    (
        RequestResponseCycle.send,
        [
            "if self.flow.write_paused and not self.disconnected",
            "self.response_started = True",
            "headers = self.default_headers + list(",
            "self.response_complete = True",
            "self.message_event.set()",
            "if not self.keep_alive:",
            "self.on_response()",
        ],
    ),
]


def test_the_version_is_the_one_whose_source_was_read() -> None:
    assert version("uvicorn") == "0.54.0", "uvicorn changed: read its protocol again, then update the pin here"


@pytest.mark.parametrize(("function", "words"), MENTIONED, ids=lambda it: getattr(it, "__qualname__", None))
def test_the_source_still_says_what_we_rely_on(function: Callable[..., Any], words: list[str]) -> None:
    source = inspect.getsource(function)
    for word in words:
        assert word in source, f"{function.__qualname__} no longer contains {word!r}"
