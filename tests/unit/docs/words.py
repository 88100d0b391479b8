"""The words of the journey language, as its JSON Schema has them, and where pages and tests say them.

A word is (place, key) or (place, key, choice): ``("quiet_hours", "spread")``, ``("date", "feb29", "mar1")``. The place
is the key under which the mapping stands, of a trigger its type.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import msgspec
from jsonschema import Draft202012Validator

from shared.journeys.document import read_document
from shared.journeys.schema.kinds import json_schema
from tests.schemas import plain

Word = tuple[str, ...]
ROOT_SCHEMA = json_schema("journey")
ANYWHERE = ("journey", "step", "condition")
"""Places that no word of the YAML names."""
_VALIDATOR = Draft202012Validator(ROOT_SCHEMA)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
WORD = re.compile(r"\w+")
_KEY = re.compile(r"(\w+):(?!\w)")


def _resolved(schema: Any) -> tuple[str, Any]:
    """Return what ``schema`` refers to and its name, or itself."""
    name, found = "", schema
    while "$ref" in found:
        path = found["$ref"].removeprefix("#/").split("/")
        name, found = path[-1], reduce(getitem, path, ROOT_SCHEMA)
    return name, found


class _Walk:
    """Through the schema, along a document where there is one: every word on the way."""

    def __init__(self) -> None:
        self.found: set[Word] = set()
        self._seen: set[tuple[str, ...]] = set()

    def go(self, schema: Any, at: str, key: str, place: str, value: Any = ...) -> None:
        """Note what ``key`` at ``at`` may be; a mapping there stands at ``place``. ``value`` left out: anything."""
        name, it = _resolved(schema)
        if value is ... and name:
            if (name, at, key) in self._seen:
                return
            self._seen.add((name, at, key))
        if value is not ... and not _VALIDATOR.evolve(schema=it).is_valid(value):
            return
        properties = it.get("properties", {})
        place = properties.get("type", {}).get("const") or (name if name in ANYWHERE else place)
        for choice in [it["const"]] if "const" in it else it.get("enum", ()):
            if value in (..., choice):
                self.found.add((at, key, str(choice)))
        for child, below in properties.items():
            if value is ... or child in value:
                self.found.add((place, child))
                self.go(below, place, child, child, ... if value is ... else value[child])
        if isinstance(it.get("additionalProperties"), dict):
            for inner in [...] if value is ... else value.values():
                self.go(it["additionalProperties"], at, key, place, inner)
        if "items" in it:
            for inner in [...] if value is ... else value:
                self.go(it["items"], at, key, place, inner)
        for below in it.get("anyOf", ()):
            self.go(below, at, key, place, value)


def words_of(document: Any = ...) -> set[Word]:
    """Return every word that a journey can say, keys and choices; or those that ``document`` says."""
    walk = _Walk()
    walk.go(ROOT_SCHEMA, "", "journey", "journey", document)
    return walk.found


def read_block(block: str) -> Any:
    """Return the YAML of a page's block as plain data; a list of steps as the journey's ``steps``."""
    root = read_document("page", block if not block.startswith("- ") else f"steps:\n{block}", [])
    return None if root is None else plain(root)


class Spoken(msgspec.Struct, frozen=True):
    """A test and what it says: the keys and the words in its texts and calls, and in what it uses of its module."""

    id: str
    keys: frozenset[str]
    words: frozenset[str]

    def bears(self, word: Word) -> bool:
        """Return whether the test says the key and the choice of ``word``, and the place where it stands."""
        place, key, *choice = word
        return (
            key in self.keys
            and (place in ANYWHERE or place in self.words)
            and self.words.issuperset(WORD.findall(" ".join(choice)))
        )


def spoken_in(file: Path) -> Iterator[Spoken]:
    """Yield the tests of a module."""
    said: dict[str, _Said] = {}
    for statement in ast.parse(file.read_text()).body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                said[name] = _Said(statement)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                said[name] = _Said(statement)
    for name in said:
        if name.startswith("test_"):
            used: set[str] = set()
            waiting = {name}
            while waiting:
                used |= waiting
                waiting = {more for one in waiting for more in said[one].names if more in said} - used
            keys = frozenset().union(*(said[one].keys for one in used))
            yield Spoken(f"{file.stem}::{name}", keys, keys.union(*(said[one].words for one in used)))


class _Said:
    """The keys and words in the texts of a statement but for docstrings, and the names that it uses."""

    def __init__(self, statement: ast.stmt) -> None:
        self.keys: set[str] = set()
        self.words: set[str] = set()
        self.names: set[str] = set()
        documented = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        doc = statement.body[0] if documented and ast.get_docstring(statement) else None  # type: ignore[attr-defined,arg-type]
        for child in ast.iter_child_nodes(statement):
            for part in ast.walk(child) if child is not doc else ():
                self._take(part)

    def _take(self, part: ast.AST) -> None:
        match part:
            case ast.Constant(value=str(text)):
                self.keys |= set(_KEY.findall(text))
                self.words |= set(WORD.findall(text))
            case ast.Name(id=name):
                self.names.add(name)
                if name[0].isupper() and not name.isupper():
                    self.keys.add(_CAMEL.sub("_", name).lower())
            case ast.keyword(arg=str(name)):
                self.keys.add(name)
