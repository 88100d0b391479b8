"""Placeholders of ``connectors.yaml``: what a call fills into URLs and bodies, without ever becoming their syntax."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import msgspec

from services.dispatcher.connectors.base import Request
from services.dispatcher.errors import RefusedError

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][\w.-]*)\}")
_KNOWN = re.compile(r"command_id|contact|arguments(\.[\w-]+)*")


def unknown(value: Any) -> Iterator[str]:
    """Yield the placeholders in ``value`` (plain data) that no call fills."""
    for name in _names(value):
        if _KNOWN.fullmatch(name) is None:
            yield name


def filled(value: Any, request: Request) -> Any:
    """Return ``value`` with its placeholders filled in; a text that is one placeholder becomes what stands there.

    Raises RefusedError where there is nothing.
    """
    if isinstance(value, dict):
        return {name: filled(child, request) for name, child in value.items()}
    if isinstance(value, list):
        return [filled(child, request) for child in value]
    if not isinstance(value, str):
        return value
    whole = _PLACEHOLDER.fullmatch(value)
    return _value(whole[1], request) if whole else _PLACEHOLDER.sub(_printer(request, str), value)


def filled_url(url: str, request: Request) -> str:
    """Return ``url`` with its placeholders filled in, each as a part of a path or a value of a query and no more."""
    return _PLACEHOLDER.sub(_printer(request, _quoted), url)


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from _PLACEHOLDER.findall(value)
    elif isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            yield from _names(child)


def _printer(request: Request, form: Callable[[str], str]) -> Callable[[re.Match[str]], str]:
    def printed(found: re.Match[str]) -> str:
        value = _value(found[1], request)
        return form(value if isinstance(value, str) else msgspec.json.encode(value).decode())

    return printed


def _quoted(text: str) -> str:
    # Two dots alone would lead out of the path, and are no character that is quoted.
    if text in ("", ".", ".."):
        raise RefusedError("a value in the URL is empty or dots")
    return quote(text, safe="")


def _value(name: str, request: Request) -> Any:
    value: Any = {"command_id": request.command_id, "contact": request.contact, "arguments": request.arguments}
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if value is None:
        raise RefusedError(f"`{name}` is missing")
    return value
