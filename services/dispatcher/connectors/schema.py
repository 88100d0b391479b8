"""JSON Schema of ``connectors.yaml``, for editors."""

from __future__ import annotations

from services.dispatcher.connectors.file import METHODS, SCHEMA
from services.dispatcher.connectors.http import HttpSettings
from shared.journeys.schema.builder import Builder
from shared.journeys.schema.forms import LONGER, TEXT
from shared.journeys.schema.wording import Schema, Word, Wording, choice, integer, listed, mapping, named, ref, word

_HEADER: Schema = {"anyOf": [TEXT, mapping({"env": TEXT}, ("env",))]}
WORDS: dict[type, Wording] = {
    HttpSettings: Wording(
        words={
            "method": word(form=choice(*METHODS)),
            "headers": word(
                form=named(_HEADER), about="Texts, or `{env: NAME}`: what that environment variable holds."
            ),
            "timeout": word(form=LONGER, about="For the whole exchange: an hour at most."),
            "success": word(form=listed(integer(100, 599)), about="The status codes of an answer; left out: any 2xx."),
            "answer": word(form=named(TEXT)),
            "connections": word(form=integer(1, 1000)),
        },
        more={"allow_http": Word(form={"type": "boolean"}, about="Ask another machine without encryption.")},
        about="Where to ask and how. `answer` names what is kept of the answer: a name, and the path to the value "
        "(`data.code`); left out: the whole answer. `connections` is how many calls may be under way at once.",
    )
}


def schema_of_connectors() -> Schema:
    """Return the schema of ``connectors.yaml``."""
    root = mapping({"schema": {"const": SCHEMA}, "connectors": named(ref("http_settings"))}, ("schema", "connectors"))
    return Builder(WORDS).document(root | {"description": "The connectors that there are, by name."}, SCHEMA)
