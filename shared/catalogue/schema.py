"""JSON Schema of a catalogue, for editors."""

from __future__ import annotations

from shared.catalogue.model import ENFORCEMENTS, KINDS, Catalogue, EventKind
from shared.catalogue.reader import SCHEMA
from shared.journeys.schema.builder import Builder
from shared.journeys.schema.forms import TEXT
from shared.journeys.schema.wording import Schema, Word, Wording, choice, listed, named, ref, word

KIND: Schema = {
    "description": "The type of the value, or a JSON Schema of it.",
    "anyOf": [choice(*KINDS), {"type": "object"}],
}
WORDS: dict[type, Wording] = {
    Catalogue: Wording(
        words={
            "events": word(form=named({"anyOf": [{"type": "null"}, ref("event_kind")]}), about="Events by name."),
            "traits": word(form=named(KIND), about="Traits of contacts by name."),
            "aliases": (),
            "mode": word(
                form=choice(*ENFORCEMENTS),
                about="What ingest does about events that are not as said here: nothing, count them, refuse them.",
            ),
        },
        more={"schema": Word(form={"const": SCHEMA}, needed=True)},
        about="What data there is, beside what everybody has.",
    ),
    EventKind: Wording(
        words={"properties": word(form=named(KIND)), "mode": word(form=choice(*ENFORCEMENTS))},
        more={"aliases": Word(form=listed(TEXT), about="Other names of the event.")},
    ),
}


def schema_of_catalogues() -> Schema:
    """Return the schema of ``catalogue.yaml``."""
    builder = Builder(WORDS)
    return builder.document(builder.struct(Catalogue), SCHEMA)
