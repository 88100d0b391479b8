"""What a kind of provider is: its channels, the words that ``providers.yaml`` has for it, and how it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from services.dispatcher.channels.base import Provider
from services.dispatcher.values import is_loopback, seconds, secret_text
from shared.journeys.faults import shown
from shared.journeys.reader import Node

Form = Literal["text", "texts", "secret", "secrets", "url", "duration", "integer", "port", "ports", "boolean"]


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """One setting. ``default`` is in the form's own unit (seconds for a duration); ``needed`` ones have none."""

    name: str
    about: str
    form: Form = "text"
    default: str | float | bool | None = None
    needed: bool = False


class Settings(msgspec.Struct, frozen=True):
    """What one provider of the file is to be made of: its ``id``, and every word of its kind by name.

    Secrets are texts, durations seconds, and lists tuples.
    """

    id: str
    values: Mapping[str, Any]

    def text(self, name: str) -> str:
        """Return the text ``name``; empty where it was left out."""
        return str(self.values[name] or "")

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the list ``name``; empty where it was left out."""
        return tuple(self.values[name] or ())

    def seconds(self, name: str) -> float:
        """Return the duration ``name``."""
        return float(self.values[name])


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table of providers. ``make`` opens no connection; raises WordError for what a word cannot say.

    ``key_age`` (ms) is for how long it drops a repeat, None: always; later it is not asked again for a message that it
    may have. ``party`` gives of an address whose server or account is asked, where each has one of their own: what goes
    wrong there says nothing of the others.
    """

    name: str
    channels: tuple[str, ...]
    words: tuple[Word, ...]
    make: Callable[[Settings, int], Provider]
    """From its settings and how many of its connections may be open at once."""
    key_age: int | None = None
    party: Callable[[str], str] | None = None


TIMEOUT = Word(name="timeout", form="duration", default=15.0, about="for the whole exchange, an hour at most")


def base_url(default: str) -> Word:
    """Return the word for where the provider's API is."""
    return Word(name="base_url", form="url", default=default, about="where the provider's API is")


ALLOW = Word(
    name="allow",
    form="texts",
    about="hosts and networks (`10.1.0.0/16`) of yours that may be asked, by `http` too; all others must be public",
)


def read_word(word: Word, node: Node | None, environment: Mapping[str, str]) -> Any:
    """Return the value of ``word`` that stands at ``node``, or its default where there is none."""
    return word.default if node is None else _FORMS[word.form](node, environment)


def _port(node: Node) -> int:
    return node.integer(1, 65_535)


def _url(node: Node) -> str:
    text = node.text()
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in ("https", "http") or not host:
        node.fault(f"{shown(text)} is not a URL; write one such as https://api.example.com")
    elif parts.username or parts.password:
        node.fault("no password in a URL, which logs show")
    elif parts.scheme == "http" and not is_loopback(host):
        node.fault("http would show contacts' data and the key to the network: use https")
    return text


_FORMS: dict[Form, Callable[[Node, Mapping[str, str]], Any]] = {
    "text": lambda node, _: node.text(),
    "texts": lambda node, _: tuple(item.text() for item in node.items()),
    "secret": secret_text,
    "secrets": lambda node, environment: tuple(secret_text(item, environment) for item in node.items()),
    "url": lambda node, _: _url(node),
    "duration": lambda node, _: seconds(node),
    "integer": lambda node, _: node.integer(1, 1_000_000),
    "port": lambda node, _: _port(node),
    "ports": lambda node, _: tuple(_port(item) for item in node.items()),
    "boolean": lambda node, _: node.boolean(),
}
