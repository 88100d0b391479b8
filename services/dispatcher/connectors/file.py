"""The operator's ``connectors.yaml``: which connectors there are, and where."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from services.dispatcher.connectors.base import Connector
from services.dispatcher.connectors.http import HttpConnector, HttpSettings
from services.dispatcher.lanes import Lane
from shared.clock import HOUR
from shared.errors import ConfigurationError
from shared.journeys.document import read_document
from shared.journeys.faults import Fault, JourneyFaultsError, shown
from shared.journeys.reader import Node

SCHEMA = "connectors/v1"
METHODS = ("POST", "PUT", "PATCH")
_FIELDS = ("url", "method", "headers", "timeout", "success", "answer", "connections", "allow_http")
_OURS = frozenset({"content-type", "idempotency-key", "content-length", "host"})


def read_connectors(path: Path, environment: Mapping[str, str]) -> dict[str, HttpSettings]:
    """Return the connectors of the file ``path`` by name; secrets come from ``environment``.

    Raises JourneyFaultsError with every fault and its line, ConfigurationError when there is no such file.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"cannot read {path}, which --connectors or KIKKAKE_CONNECTORS names: {error}"
        ) from error
    return parse_connectors(str(path), text, environment)


def parse_connectors(file: str, text: str, environment: Mapping[str, str]) -> dict[str, HttpSettings]:
    """Return the connectors in ``text`` by name. Raises JourneyFaultsError with every fault and its line."""
    faults: list[Fault] = []
    root = read_document(file, text, faults)
    fields = {} if root is None else root.fields(("schema", "connectors"), ("schema", "connectors"))
    if "schema" in fields:
        fields["schema"].choice((SCHEMA,), "schema")
    named = fields["connectors"].pairs() if "connectors" in fields else []
    found = {name: _connector(node, environment) for name, node in named}
    if faults:
        raise JourneyFaultsError(faults)
    return {name: settings for name, settings in found.items() if settings is not None}


def lanes_of(settings: Mapping[str, HttpSettings]) -> dict[str, Lane[Connector]]:
    """Return the connectors of ``settings``, each with its number of hands."""
    return {name: Lane(HttpConnector(one), one.connections, name=name) for name, one in settings.items()}


def _connector(node: Node, environment: Mapping[str, str]) -> HttpSettings | None:
    fields = node.fields(_FIELDS, required=("url",))
    if "url" not in fields:
        return None
    plain = fields["allow_http"].boolean() if "allow_http" in fields else False
    return HttpSettings(
        url=_url(fields["url"], plain=plain),
        method=fields["method"].choice(METHODS, "method") if "method" in fields else "POST",
        headers=_headers(fields["headers"], environment) if "headers" in fields else {},
        timeout=_timeout(fields["timeout"]) if "timeout" in fields else 10.0,
        success=frozenset(item.integer(100, 599) for item in fields["success"].items())
        if "success" in fields
        else frozenset(),
        answer={name: child.text() for name, child in fields["answer"].pairs()} if "answer" in fields else {},
        connections=fields["connections"].integer(1, 1000) if "connections" in fields else 8,
    )


def _url(node: Node, *, plain: bool) -> str:
    text = node.text()
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        node.fault(f"{shown(text)} is not a URL; write one such as https://coupons.example.com/issue")
        return ""
    if parts.scheme not in ("https", "http") or not host:
        node.fault(f"{shown(text)} is not a URL; write one such as https://coupons.example.com/issue")
    elif parts.scheme == "http" and not (plain or _is_loopback(host)):
        node.fault("http would show contacts' data to the network: use https, or say `allow_http: true`")
    elif parts.username or parts.password:
        node.fault("no password in a URL, which logs show: put it in `headers` from the environment")
    return text


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _headers(node: Node, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the headers: ``{env: NAME}`` is read from the environment, a text stands as it is."""
    found = {}
    for name, child in node.pairs():
        if name.lower() in _OURS:
            child.fault(f"`{name}` is set by Kikkake")
        elif child.is_a(dict):
            inner = child.fields(("env",), ("env",))
            variable = inner["env"].text() if "env" in inner else ""
            if variable and not environment.get(variable):
                child.fault(f"the environment variable {variable} is not set")
            found[name] = environment.get(variable, "")
        else:
            found[name] = child.text()
    return found


def _timeout(node: Node) -> float:
    milliseconds = node.duration(least=1)
    if milliseconds > HOUR:
        node.fault("a time-out is an hour at most")
    return milliseconds / 1000
