"""Whether the JSON Schema for editors says of a document what its parser says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from cli.simulator import documents
from cli.simulator.schema import schema_of_tests
from services.dispatcher import providers
from services.dispatcher.connectors import file as connectors
from services.dispatcher.connectors.schema import schema_of_connectors
from services.dispatcher.provider_schema import schema_of_providers
from services.ingest import keys_file
from services.ingest.keys_schema import schema_of_keys
from services.ingest.webhooks import file as webhooks
from services.ingest.webhooks.schema import schema_of_webhooks
from shared.catalogue import reader
from shared.catalogue.schema import schema_of_catalogues
from shared.journeys import audiences, calendars, layouts, parse, templates, workspace
from shared.journeys.document import read_document
from shared.journeys.faults import Fault
from shared.journeys.reader import Node
from shared.journeys.schema.kinds import json_schema

READERS: dict[str, Any] = {
    "journey": parse,
    "template": templates,
    "layout": layouts,
    "audience": audiences,
    "calendar": calendars,
    "workspace": workspace,
    "catalogue": reader,
    "connectors": connectors,
    "providers": providers,
    "webhooks": webhooks,
    "keys": keys_file,
    "test": documents,
}
"""The module that reads each kind of document."""

FORM = re.compile(
    r"unknown key|unknown (?!step |goal |audience |variant |root )[a-z_ ]+ `|expected (?!a number)"
    r"|`[a-z_]+` is missing$|.* is not an? (day of the week|duration|calendar span|time of day|trait|id);"
    r"|.* is no comparison|.* has (either|at least one of|exactly one)|what is waited for is|a way of a branch is"
)
"""Faults that lie in the form alone: an unknown key or choice, a wrong type or form, too many words or none."""


class Read:
    """A document that a parser has read: its root, and its faults, which come in later."""

    def __init__(self, kind: str, text: str, root: Node, faults: list[Fault]) -> None:
        self.kind = kind
        self.text = text
        self.root = root
        self.faults = faults

    def disagreement(self) -> str | None:
        """Return how schema and parser differ; None: they agree."""
        refused = next(schema(self.kind).iter_errors(plain(self.root)), None)
        if refused is not None and not self.faults:
            return f"the {self.kind} schema refuses what the parser reads: {refused.message}\n{self.text}"
        of_form = [fault.message for fault in self.faults if FORM.match(fault.message)]
        if refused is None and of_form:
            return f"the {self.kind} schema accepts what the parser refuses: {of_form}\n{self.text}"
        return None


def _pattern(_: Any, pattern: str, text: Any, __: Any) -> Iterator[ValidationError]:
    """Match as editors do, by ECMA-262: words and digits are ASCII, and ``$`` never stands before a last line feed."""
    if isinstance(text, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), text, re.ASCII):
        yield ValidationError(f"{text!r} does not match {pattern!r}")


_VALIDATOR: Any = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]


@cache
def schema(kind: str) -> Draft202012Validator:
    """Return the validator of ``kind``."""
    others = {
        "catalogue": schema_of_catalogues,
        "connectors": schema_of_connectors,
        "providers": schema_of_providers,
        "webhooks": schema_of_webhooks,
        "keys": schema_of_keys,
        "test": schema_of_tests,
    }
    validator: Draft202012Validator = _VALIDATOR(others[kind]() if kind in others else json_schema(kind))
    return validator


def plain(node: Node) -> Any:
    """Return the value of ``node`` as an editor reads it."""
    if isinstance(node.value, dict):
        return {key: plain(child) for key, child in node.value.items()}
    return [plain(child) for child in node.value] if isinstance(node.value, list) else node.value


@contextmanager
def reading() -> Iterator[list[Read]]:
    """Give the list of every document that a parser reads meanwhile."""
    found: list[Read] = []
    with pytest.MonkeyPatch.context() as patch:
        for kind, module in READERS.items():
            patch.setattr(module, "read_document", _noting(kind, found))
        yield found


def _noting(kind: str, found: list[Read]) -> Any:
    def read(file: str, text: str, faults: list[Fault]) -> Node | None:
        root = read_document(file, text, faults)
        if root is not None:
            found.append(Read(kind, text, root, faults))
        return root

    return read
