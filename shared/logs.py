"""Structured logging: one line per state change, ``action`` says which. Ids only; no addresses, no message bodies."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, TextIO

import structlog

_LIBRARIES = ("aiokafka", "kafka", "faust", "mode", "uvicorn", "asyncio", "httpx2", "httpcore2", "aiohttp")
# How long a library's repeated complaint is kept back: aiokafka logs each failed reconnection, five a second.
_QUIET_SECONDS = 30.0


class _Unrepeated(logging.Filter):
    """Lets a library's line through once per ``_QUIET_SECONDS`` and place in its code."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self._last: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] not in _LIBRARIES:
            return True
        place = (record.pathname, record.lineno)
        now = self._clock()
        if now - self._last.get(place, -_QUIET_SECONDS) < _QUIET_SECONDS:
            return False
        self._last[place] = now
        return True


def configure_logging(level: str = "info", log_format: str = "json", stream: TextIO | None = None) -> None:
    """Send our own lines and the libraries' to ``stream`` (stderr). ``log_format``: json or console."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.EventRenamer("action"),
    ]
    final: list[Any]
    if log_format == "json":
        final = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        final = [
            structlog.dev.ConsoleRenderer(
                event_key="action",
                timestamp_key="at",
                colors=False,
                # Where rich is installed, the default also prints every local variable: addresses, events, keys.
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.addFilter(_Unrepeated(time.monotonic))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_as_library, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    _quieten(level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _as_library(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Give a library's line its stable action and keep its words as the message."""
    record: logging.LogRecord = event["_record"]
    return {**event, "event": f"library.{record.name.partition('.')[0]}", "message": event["event"]}


def _quieten(level: str) -> None:
    """Hold libraries to warnings. URLs may hold tokens, so access logs are off at every level."""
    threshold = logging.INFO if level.lower() == "debug" else logging.WARNING
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(threshold)
    logging.getLogger("uvicorn.access").disabled = True
