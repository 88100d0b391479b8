"""The operator's ``connectors.yaml``: which connectors there are, and where."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from services.dispatcher.connectors.auth import Auth, Basic, Bearer, OAuth2
from services.dispatcher.connectors.base import Connector
from services.dispatcher.connectors.filling import unknown
from services.dispatcher.connectors.http import HttpConnector, HttpSettings
from services.dispatcher.connectors.presets import PRESETS, Preset
from services.dispatcher.lanes import Lane
from services.dispatcher.values import is_loopback, seconds, secret_text
from shared.journeys.document import read_document
from shared.journeys.faults import Fault, JourneyFaultsError, shown
from shared.journeys.reader import Node
from shared.journeys.surroundings import read_named

SCHEMA = "connectors/v1"
METHODS = ("POST", "PUT", "PATCH")
_FIELDS = (
    *("kind", "url", "base_url", "method", "headers", "auth", "body", "timeout", "success", "answer", "connections"),
    "allow_http",
)
_PLACEHOLDERS = "{command_id}, {contact}, {arguments} and {arguments.name}"
_AUTH = ("bearer", "basic", "oauth2")
_OURS = frozenset({"content-type", "idempotency-key", "content-length", "host"})


def read_connectors(path: Path, environment: Mapping[str, str]) -> dict[str, HttpSettings]:
    """Return the connectors of the file ``path`` by name; secrets come from ``environment``.

    Raises JourneyFaultsError with every fault and its line, ConfigurationError when there is no such file.
    """
    return parse_connectors(str(path), read_named(path, "--connectors or KIKKAKE_CONNECTORS"), environment)


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
    fields = node.fields(_FIELDS)
    preset = PRESETS[fields["kind"].choice(list(PRESETS), "kind of connector")] if "kind" in fields else None
    given = Preset(about="", path="", body=None) if preset is None else preset
    settings = HttpSettings(
        url=_whole_url(node, fields, given.path),
        method=fields["method"].choice(METHODS, "method") if "method" in fields else given.method,
        headers=_headers(fields["headers"], environment) if "headers" in fields else {},
        timeout=seconds(fields["timeout"]) if "timeout" in fields else 10.0,
        success=frozenset(item.integer(100, 599) for item in fields["success"].items())
        if "success" in fields
        else given.success,
        answer={name: child.text() for name, child in fields["answer"].pairs()} if "answer" in fields else given.answer,
        connections=fields["connections"].integer(1, 1000) if "connections" in fields else 8,
        body=_body(fields["body"]) if "body" in fields else given.body,
        auth=_auth(fields["auth"], environment) if "auth" in fields else None,
    )
    return settings if settings.url else None


def _whole_url(node: Node, fields: Mapping[str, Node], path: str) -> str:
    """Return what is asked; nothing, with the fault, where nothing says it."""
    plain = fields["allow_http"].boolean() if "allow_http" in fields else False
    wanted, other = ("base_url", "url") if "kind" in fields else ("url", "base_url")
    if other in fields:
        fields[other].fault("a `kind` goes with `base_url`, and without one the whole `url` is written")
    elif wanted not in fields:
        node.fault(f"`{wanted}` is missing")
    if wanted not in fields:
        return ""
    return _url(fields[wanted], plain=plain).rstrip("/" if path else "") + path


def _body(node: Node) -> Any:
    body = _plain(node)
    for name in unknown(body):
        node.place_of(f"{{{name}}}").fault(f"`{{{name}}}` is no placeholder: there are {_PLACEHOLDERS}")
    return body


def _plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {name: _plain(child) for name, child in node.value.items()}
    return [_plain(child) for child in node.value] if isinstance(node.value, list) else node.value


def _auth(node: Node, environment: Mapping[str, str]) -> Auth | None:
    fields = node.fields(_AUTH)
    if len(fields) != 1:
        node.fault(f"expected one of {', '.join(_AUTH)}")
        return None
    [(kind, child)] = fields.items()
    if kind == "bearer":
        return Bearer(secret_text(child, environment))
    if kind == "basic":
        login = child.fields(("user", "password"), ("user", "password"))
        if len(login) < 2:
            return None
        return Basic(login["user"].text(), secret_text(login["password"], environment))
    needed = ("token_url", "client_id", "client_secret")
    client = child.fields((*needed, "scope"), needed)
    if not client.keys() >= set(needed):
        return None
    return OAuth2(
        token_url=_url(client["token_url"], plain=False),
        client_id=client["client_id"].text(),
        client_secret=secret_text(client["client_secret"], environment),
        scope=client["scope"].text() if "scope" in client else "",
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
    elif parts.scheme == "http" and not (plain or is_loopback(host)):
        node.fault("http would show contacts' data to the network: use https, or say `allow_http: true`")
    elif parts.username or parts.password:
        node.fault("no password in a URL, which logs show: put it in `auth` or `headers` from the environment")
    elif "{" in parts.netloc:
        node.fault("who is asked is said here and not by a call: no placeholder in the host")
    for name in unknown(text):
        node.fault(f"`{{{name}}}` is no placeholder: there are {_PLACEHOLDERS}")
    return text


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
