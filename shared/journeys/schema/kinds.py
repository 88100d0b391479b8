"""The schema of each kind of document."""

from __future__ import annotations

from collections.abc import Callable

from shared.journeys import audiences, calendars, layouts, templates, workspace
from shared.journeys.layout import Layout
from shared.journeys.model import UNTRACKED, Audience, Journey, Template, Tracking
from shared.journeys.policy import INHERITED
from shared.journeys.schema.builder import Builder
from shared.journeys.schema.forms import DATE, ID, TEXT, TEXTS, ZONE
from shared.journeys.schema.journey_words import JOURNEY_WORDS
from shared.journeys.schema.step_words import STEP_WORDS
from shared.journeys.schema.wording import Schema, Word, Wording, choice, integer, listed, mapping, named, word
from shared.journeys.sending import Policy

_SPAN_OF_DAYS = mapping({"from": DATE, "to": DATE}, ("from", "to"))
_LAYOUT_PARTS = mapping(dict.fromkeys(sum(layouts.PARTS, ()), TEXT), layouts.PARTS[0])
WORDS: dict[type, Wording] = {
    **JOURNEY_WORDS,
    **STEP_WORDS,
    Audience: Wording(
        words={"id": word(form=ID)}, more={"schema": Word(form={"const": audiences.SCHEMA}, needed=True)}
    ),
    calendars.Calendar: Wording(
        words={
            "id": word(form=ID),
            "version": word(form=integer(1, 1_000_000)),
            "occasions": word(form=named(listed({"anyOf": [DATE, _SPAN_OF_DAYS]}))),
        },
        more={"schema": Word(form={"const": calendars.SCHEMA}, needed=True)},
    ),
    Tracking: Wording(words={"untracked": word(form=choice(*UNTRACKED))}),
    Template: Wording(
        words={"locales": word(form=named(TEXTS, least=1))},
        more={"schema": Word(form={"const": templates.SCHEMA}, needed=True)},
    ),
    Layout: Wording(
        words={"id": word(form=ID), "locales": word(form=named(_LAYOUT_PARTS, least=1))},
        more={"schema": Word(form={"const": layouts.SCHEMA}, needed=True)},
    ),
}
_BUILDER = Builder(WORDS)


def _journey() -> Schema:
    return _BUILDER.struct(Journey)


def _workspace() -> Schema:
    inherited = _BUILDER.struct(Policy, INHERITED)
    # The same in every language, or one for each.
    said = {"anyOf": [TEXT, named(TEXT)]}
    topic = mapping({"name": said, "description": said, "policy": inherited})
    return mapping(
        {
            "schema": {"const": workspace.SCHEMA},
            "timezone": ZONE,
            "locale": TEXT,
            "policy": inherited,
            "topics": named({"anyOf": [{"type": "null"}, topic]}, names=ID),
            "tracking": _BUILDER.struct(Tracking),
            "banned_ids": listed(TEXT) | {"description": "Patterns (* and ?) of ids that no contact may have."},
        },
        ("schema",),
    ) | {"description": "What holds for all journeys of a folder."}


KINDS: dict[str, Callable[[], Schema]] = {
    "journey": _journey,
    "template": lambda: _BUILDER.struct(Template),
    "layout": lambda: _BUILDER.struct(Layout),
    "audience": lambda: _BUILDER.struct(Audience),
    "calendar": lambda: _BUILDER.struct(calendars.Calendar),
    "workspace": _workspace,
}
"""The kinds of documents: their first line is ``schema: KIND/v1``."""


def json_schema(kind: str) -> Schema:
    """Return the schema of ``kind``, one of ``KINDS``, with all that it refers to."""
    return _BUILDER.document(KINDS[kind](), f"{kind}/v1")
