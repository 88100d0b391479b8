"""One line per state change, as JSON, with its action."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from shared.logs import configure_logging


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_our_lines_carry_their_action() -> None:
    stream = io.StringIO()
    configure_logging("info", "json", stream)
    log = structlog.get_logger("x")
    log.info("ingest.started", port=1)
    log.debug("ingest.hidden")
    (line,) = lines(stream)
    assert line.pop("at")
    assert {"action": "ingest.started", "port": 1, "level": "info"} == line


def test_a_library_may_complain_but_not_repeat_itself() -> None:
    """While a broker is down, aiokafka logs each failed reconnection, five a second."""
    stream = io.StringIO()
    configure_logging("info", "json", stream)
    for number in range(50):
        logging.getLogger("aiokafka.client").error("no broker %s", number)
        structlog.get_logger("x").warning("ours")
    logging.getLogger("aiokafka").info("chatter")
    found = lines(stream)
    assert [("library.aiokafka", "no broker 0")] == [
        (line["action"], line["message"]) for line in found if line["action"] != "ours"
    ]
    assert 51 == len(found)


def test_an_error_has_its_traceback_on_the_same_line() -> None:
    stream = io.StringIO()
    configure_logging("info", "json", stream)
    structlog.get_logger("x").error("ingest.failed", exc_info=ValueError("v"))
    (line,) = lines(stream)
    assert "ValueError: v" in line["exception"]


def test_a_traceback_on_the_console_shows_no_values() -> None:
    """What a failing function had in its hands is somebody's data."""
    stream = io.StringIO()
    configure_logging("info", "console", stream)

    domain = "example.jp"

    def fail(address: str) -> None:
        raise ValueError(len(address))

    try:
        fail(f"taro@{domain}")
    except ValueError:
        structlog.get_logger("x").exception("ingest.failed")
    assert "ValueError: 15" in stream.getvalue()
    assert "taro@example.jp" not in stream.getvalue()


def test_the_console_form_is_for_people() -> None:
    stream = io.StringIO()
    configure_logging("info", "console", stream)
    structlog.get_logger("x").info("ingest.started", port=1)
    assert "ingest.started" in stream.getvalue()
    assert "port=1" in stream.getvalue()
