"""JSON Schema of ``connectors.yaml``, for editors."""

from __future__ import annotations

from services.dispatcher.connectors.file import METHODS, SCHEMA
from services.dispatcher.connectors.http import HttpSettings
from services.dispatcher.connectors.presets import PRESETS
from shared.journeys.schema.builder import Builder
from shared.journeys.schema.forms import LONGER, SECRET, TEXT
from shared.journeys.schema.wording import (
    Schema,
    Word,
    Wording,
    choice,
    integer,
    listed,
    mapping,
    named,
    needs,
    one_of,
    ref,
    word,
)

_LOGIN = mapping({"user": TEXT, "password": SECRET}, ("user", "password"))
_CLIENT = mapping(
    {"token_url": TEXT, "client_id": TEXT, "client_secret": SECRET, "scope": TEXT},
    ("token_url", "client_id", "client_secret"),
)
_AUTH = mapping({"bearer": SECRET, "basic": _LOGIN, "oauth2": _CLIENT}, **one_of("bearer", "basic", "oauth2"))
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
            "url": word(form=TEXT, needed=False, about="`https`; placeholders may stand behind the host."),
            "body": word(form={}, about="What is sent as JSON, with placeholders; left out: the call itself."),
            "auth": word(form=_AUTH, about="Who asks: a key, a name and password, or a token that is fetched."),
        },
        more={
            "allow_http": Word(form={"type": "boolean"}, about="Ask another machine without encryption."),
            "kind": Word(form=choice(*PRESETS), about="A service that is known: it has `base_url` in place of `url`."),
            "base_url": Word(form=TEXT, about="Where the service of that `kind` is."),
        },
        rules=one_of("url", "kind") | needs(kind="base_url", base_url="kind"),
        about="Where to ask and how. `answer` names what is kept of the answer: a name, and the path to the value "
        "(`data.code`); left out: the whole answer. `connections` is how many calls may be under way at once.",
    )
}


def schema_of_connectors() -> Schema:
    """Return the schema of ``connectors.yaml``."""
    root = mapping({"schema": {"const": SCHEMA}, "connectors": named(ref("http_settings"))}, ("schema", "connectors"))
    return Builder(WORDS).document(root | {"description": "The connectors that there are, by name."}, SCHEMA)
