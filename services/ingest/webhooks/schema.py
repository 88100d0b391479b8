"""JSON Schema of ``webhooks.yaml``, for editors."""

from __future__ import annotations

from services.ingest.webhooks.feedback_kinds import WHOSE, WORDS, needed_of
from services.ingest.webhooks.file import MAPPED, SCHEMA, SHOPIFY, TYPES
from services.ingest.webhooks.mapped import FIELDS, MAPPINGS
from services.ingest.webhooks.signing import ALGORITHMS, ENCODINGS
from shared.journeys.schema.builder import Builder
from shared.journeys.schema.forms import ID, SECRET, TEXT
from shared.journeys.schema.wording import Schema, choice, listed, mapping, named, one_of

_NAMES: Schema = {"pattern": "^[a-z][a-z0-9_]{0,54}$"}
_EXPRESSION = TEXT | {
    "description": "An expression over the body (event) and context.headers; a fixed text has quotes of its own.",
    "examples": ["event.deal.id", "'Deal Won'"],
}
_WORDS: dict[str, Schema] = {
    "secret": SECRET,
    "topic": TEXT | {"description": "The ARN of the topic of SNS."},
    "url": TEXT | {"description": "This source's address as the provider has it."},
    **dict.fromkeys(WHOSE, _EXPRESSION),
}


def schema_of_webhooks() -> Schema:
    """Return the schema of ``webhooks.yaml``."""
    sources = named({"anyOf": [_mapped(), _shopify(), *map(_feedback, WORDS)]}, names=_NAMES)
    root = mapping({"schema": {"const": SCHEMA}, "sources": sources}, ("schema", "sources"))
    return Builder({}).document(root | {"description": "Which webhooks are taken, by the source's name."}, SCHEMA)


def _mapped() -> Schema:
    signed = mapping(
        {
            "header": TEXT,
            "secret": SECRET,
            "prefix": TEXT,
            "algorithm": choice(*ALGORITHMS),
            "encoding": choice(*ENCODINGS),
        },
        ("header", "secret"),
    )
    token = mapping({"header": TEXT, "query": TEXT, "secret": SECRET}, ("secret",), **one_of("header", "query"))
    words = {"kind": {"const": MAPPED}, "hmac": signed, "token": token, "events": listed(_rule())}
    return mapping(words, ("events",), **one_of("hmac", "token"))


def _rule() -> Schema:
    words: dict[str, Schema] = {"type": choice(*TYPES), "when": _EXPRESSION, **dict.fromkeys(FIELDS, _EXPRESSION)}
    words |= {word: {"anyOf": [_EXPRESSION, named(_EXPRESSION)]} for word in MAPPINGS}
    return mapping(words, anyOf=[{"required": [word]} for word in WHOSE])


def _shopify() -> Schema:
    return mapping({"kind": {"const": SHOPIFY}, "secret": SECRET, "consent": ID}, ("kind", "secret"))


def _feedback(kind: str) -> Schema:
    words = {word: _WORDS[word] for word in WORDS[kind]}
    return mapping({"kind": {"const": kind}, **words}, ("kind", *sorted(needed_of(kind))))
