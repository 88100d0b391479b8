"""The operator's ``webhooks.yaml``: which webhooks are taken, how they prove themselves, what they become."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import get_args

from services.ingest.webhooks.base import Hook
from services.ingest.webhooks.feedback_kinds import WHOSE, WORDS, Feedback, Said, feedback_hook, needed_of
from services.ingest.webhooks.mapped import FIELDS, MAPPINGS, Rule, read_mapped
from services.ingest.webhooks.refusals import NO_RULE, UNKNOWN_TOPIC
from services.ingest.webhooks.shopify import read_shopify, signature
from services.ingest.webhooks.signing import ALGORITHMS, ENCODINGS, Credentials, Signature, Token
from shared.expressions import Expression, compile_expression
from shared.journeys.conditions import sound_expression
from shared.journeys.document import read_document
from shared.journeys.faults import Fault, JourneyFaultsError, shown
from shared.journeys.ids import is_id
from shared.journeys.reader import Node
from shared.journeys.secrets import secret_of
from shared.journeys.surroundings import read_named
from shared.messages.event import EventType

SCHEMA = "webhooks/v1"
SHOPIFY, MAPPED = "shopify", "mapped"
KINDS = (SHOPIFY, MAPPED, *WORDS)
NAME = re.compile(r"[a-z][a-z0-9_]{0,54}")
_WORDS = re.compile(r"[A-Z][a-z]+( [A-Z][a-z]+)*")
"""How names of events are written. Of a path each root begins with a small letter."""
SHOPIFY_WORDS = ("kind", "secret", "consent")
MAPPED_WORDS = ("kind", "hmac", "token", "events")
HMAC_WORDS = ("header", "secret", "prefix", "algorithm", "encoding")
TOKEN_WORDS = ("header", "query", "secret")
RULE_WORDS = ("type", "when", *FIELDS, *MAPPINGS)
_ROOTS = frozenset({"event", "context"})
TYPES: tuple[EventType, ...] = get_args(EventType)


def read_webhooks(path: Path, environment: Mapping[str, str], feedback: Feedback | None = None) -> dict[str, Hook]:
    """Return the webhooks of the file ``path`` by name; secrets come from ``environment`` or from files.

    Raises JourneyFaultsError with every fault and its line, ConfigurationError when there is no such file.
    """
    return parse_webhooks(str(path), read_named(path, "--webhooks or KIKKAKE_WEBHOOKS"), environment, feedback)


def parse_webhooks(
    file: str, text: str, environment: Mapping[str, str], feedback: Feedback | None = None
) -> dict[str, Hook]:
    """Return the webhooks in ``text`` by name. Raises JourneyFaultsError with every fault and its line.

    ``feedback`` None: no message can be found back, so no provider can tell of one.
    """
    faults: list[Fault] = []
    root = read_document(file, text, faults)
    fields = {} if root is None else root.fields(("schema", "sources"), ("schema", "sources"))
    if "schema" in fields:
        fields["schema"].choice((SCHEMA,), "schema")
    found = {}
    for name, node in fields["sources"].pairs() if "sources" in fields else []:
        if not NAME.fullmatch(name):
            node.fault(f"{shown(name)} is not a source's name; it has up to 55 small letters, digits and _")
        hook = _hook(name, node, environment, feedback)
        if hook is not None:
            found[name] = hook
    if faults:
        raise JourneyFaultsError(faults)
    return found


def _hook(name: str, node: Node, environment: Mapping[str, str], feedback: Feedback | None) -> Hook | None:
    if not node.expect(dict):
        return None
    named = node.value.get("kind")
    kind = MAPPED if named is None else named.choice(KINDS, "kind")
    if named is not None and named.value != kind:
        return None  # what else is wrong depends on the kind
    if kind in WORDS:
        fields = node.fields(("kind", *WORDS[kind]), needed_of(kind))
        made = {word: _expression(fields[word]) for word in WHOSE if word in fields}
        whose = {FIELDS[word]: expression for word, expression in made.items() if expression is not None}
        return feedback_hook(Said(name, kind, node, fields, whose), environment, feedback)
    if kind == SHOPIFY:
        return _shopify(name, node.fields(SHOPIFY_WORDS, ("secret",)), environment)
    fields = node.fields(MAPPED_WORDS, ("events",))
    proof = _credentials(node, fields, environment)
    rules = fields["events"].each(_rule) if "events" in fields else ()
    return (
        None if proof is None else Hook(name=name, credentials=proof, read=partial(read_mapped, rules), nothing=NO_RULE)
    )


def _shopify(name: str, fields: Mapping[str, Node], environment: Mapping[str, str]) -> Hook | None:
    consent = fields["consent"].text() if "consent" in fields else None
    if consent is not None and not is_id(consent):
        fields["consent"].fault(f"{shown(consent)} can be no topic; it has up to 64 small letters, digits and _")
    if "secret" not in fields:
        return None
    proof = signature(secret_of(fields["secret"], environment))
    return Hook(name=name, credentials=proof, read=partial(read_shopify, consent), nothing=UNKNOWN_TOPIC)


def _credentials(node: Node, fields: Mapping[str, Node], environment: Mapping[str, str]) -> Credentials | None:
    if ("hmac" in fields) == ("token" in fields):
        node.fault("nothing says how it proves itself; write either `hmac` or `token`")
        return None
    if "hmac" in fields:
        said = fields["hmac"].fields(HMAC_WORDS, ("header", "secret"))
        if not {"header", "secret"} <= said.keys():
            return None
        algorithm = said["algorithm"].choice(ALGORITHMS, "algorithm") if "algorithm" in said else ALGORITHMS[0]
        encoding = said["encoding"].choice(ENCODINGS, "encoding") if "encoding" in said else ENCODINGS[0]
        return Signature(
            secret=secret_of(said["secret"], environment),
            header=said["header"].text().lower(),
            prefix=said["prefix"].text() if "prefix" in said else "",
            algorithm=next(one for one in ALGORITHMS if one == algorithm),
            encoding=next(one for one in ENCODINGS if one == encoding),
        )
    said = fields["token"].fields(TOKEN_WORDS, ("secret",))
    if ("header" in said) == ("query" in said):
        fields["token"].fault("nothing says where the token is; write either `header` or `query`")
        return None
    if "secret" not in said:
        return None
    return Token(
        secret=secret_of(said["secret"], environment),
        header=said["header"].text().lower() if "header" in said else "",
        query=said["query"].text() if "query" in said else "",
    )


def _rule(node: Node) -> Rule | None:
    fields = node.fields(RULE_WORDS)
    kind = fields["type"].choice(TYPES, "type") if "type" in fields else "track"
    if kind == "track" and "event" not in fields:
        node.fault("`event` is missing; write an expression, such as \"'Deal Won'\"")
    if not {"user_id", "anonymous_id"} & fields.keys():
        node.fault("nothing says whose event it is; write `user_id` or `anonymous_id`")
    values = {FIELDS[name]: _expression(child) for name, child in fields.items() if name in FIELDS}
    mappings = {name: _mapping(child) for name, child in fields.items() if name in MAPPINGS}
    return Rule(
        type=next(one for one in TYPES if one == kind),
        when=_expression(fields["when"], condition=True) if "when" in fields else None,
        values={name: made for name, made in values.items() if made is not None},
        mappings={name: made for name, made in mappings.items() if made is not None},
    )


def _mapping(node: Node) -> Expression | dict[str, Expression] | None:
    if not node.is_a(dict):
        return _expression(node)
    made = {name: _expression(child) for name, child in node.pairs()}
    return {name: expression for name, expression in made.items() if expression is not None}


def _expression(node: Node, *, condition: bool = False) -> Expression | None:
    """Return the expression over ``event``, which is the body, and ``context`` (``headers``, ``query``)."""
    if node.is_a(str) and _WORDS.fullmatch(node.value):
        node.fault(f"{shown(node.value)} is no expression; a text in one has quotes of its own: \"'Deal Won'\"")
        return None
    text = sound_expression(node, condition=condition)
    if not text:
        return None
    made = compile_expression(text)
    for path in sorted(made.paths):
        if path.partition(".")[0] not in _ROOTS:
            node.fault(f"`{path}` is not known here; the body is `event`, and there is `context.headers`")
    return made
