"""JSON Schema of a test file, in the words of its readers."""

from __future__ import annotations

from typing import get_args

from cli.simulator.documents import SCHEMA
from cli.simulator.happenings import STATUSES, TYPES
from cli.simulator.scenario import (
    Calls,
    Contact,
    Emits,
    Exits,
    Form,
    NeverSends,
    NotEntered,
    SendCount,
    Sends,
    Skips,
    TraitIs,
)
from shared.journeys.conditions import CHANNELS
from shared.journeys.schema.builder import Builder
from shared.journeys.schema.forms import ID, TEXT
from shared.journeys.schema.wording import Schema, Word, Wording, choice, integer, listed, mapping, named, word
from shared.messages.enrolment import ENROLMENT

TIME: Schema = {
    "type": "string",
    "pattern": "^([+-]([0-9]{1,12}[smhdw])+|[0-9]{4}.*)$",
    "description": "An ISO time with its zone, or counted from `start`.",
    "examples": ["2026-03-02T10:00:00+09:00", "+44m59s"],
}
AT = {"at": word(form=TIME, about="When, to the second.")}
ANYTHING: Schema = {"type": "object"}
IDENTIFIER: Schema = {"anyOf": [TEXT, {"type": "integer"}]}
ONE_SEND = mapping({"send": TEXT}, ("send",))

WORDS: dict[type, Wording] = {
    Contact: Wording(
        words={
            "id": word(form=IDENTIFIER),
            "traits": word(form=ANYTHING),
            "consent": word(form=named(choice(*STATUSES))),
            "holdout": word(form={"type": "boolean"}),
        },
        more={"locale": Word(form=TEXT)},
    ),
    Sends: Wording(
        words={
            **AT,
            "step": word("send"),
            "channel": word(form=choice(*CHANNELS)),
            "contains": word("render", mapping({"contains": TEXT}, ("contains",)), about="What its texts say."),
        }
    ),
    Exits: Wording(words={**AT, "reason": word("exit")}),
    Skips: Wording(words={**AT, "step": word("skip")}),
    NotEntered: Wording(words={**AT, "reason": word("not_entered")}),
    NeverSends: Wording(words={"step": word("never", ONE_SEND)}),
    SendCount: Wording(words={"step": word("count", ONE_SEND), "equals": word(form=integer(0, 1_000_000))}),
    Calls: Wording(words={**AT, "connector": word("call")}),
    Emits: Wording(words={**AT, "event": word("emit")}),
    TraitIs: Wording(words={"name": word("trait"), "value": word("is", {})}),
}


def schema_of_tests() -> Schema:
    """Return the schema of ``*.test.yaml``."""
    builder = Builder(WORDS)
    event = mapping(
        {
            "at": TIME,
            "arrives": TIME,
            "id": IDENTIFIER,
            "event": TEXT,
            "type": choice(*(kind for kind in TYPES if kind != ENROLMENT)),
            "consent": named(choice(*STATUSES)),
            "properties": ANYTHING,
            "traits": ANYTHING,
            "historical": {"type": "boolean"},
        },
        ("at",),
        anyOf=[{"required": [kind]} for kind in ("event", "type", "consent")],
    )
    enrolment = mapping(
        {
            "at": TIME,
            "arrives": TIME,
            "id": IDENTIFIER,
            "type": {"const": ENROLMENT},
            "journey": ID,
            "context": ANYTHING,
        },
        ("at", "type", "journey"),
    )
    answer = mapping(
        {"at": TIME, "answer": TEXT, "data": {}, "error": TEXT},
        ("answer",),
        oneOf=[{"required": ["data"]}, {"required": ["error"]}],
    )
    shared = {"start": TIME, "contact": builder.struct(Contact), "until": TIME}
    scenario = mapping(
        {
            "name": TEXT,
            **shared,
            "events": listed({"anyOf": [event, enrolment, answer]}),
            "expect": listed({"anyOf": [builder.struct(form) for form in get_args(Form)]}, least=1),
        },
        ("name", "expect"),
    )
    root = mapping(
        {"schema": {"const": SCHEMA}, "journey": TEXT, **shared, "scenarios": listed(scenario, least=1)},
        ("schema", "journey", "scenarios"),
    )
    return builder.document(root, SCHEMA)
