"""The OpenAPI page is true: schemathesis makes calls of it, and the answers are those that it names."""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from services.ingest.routes import FORMATS
from services.ingest.webhooks.base import Hook
from services.ingest.webhooks.mapped import Rule, read_mapped
from services.ingest.webhooks.signing import Token
from shared.expressions import compile_expression
from tests.unit.ingest.sites import ADMIN, Site

CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# One path of each row: the others of a row have the same endpoint and the same description.
PATHS = [row.paths[0] for wire in FORMATS for row in chain[Any](wire.ROUTES, wire.SETUPS)]
ENROLMENTS = "/v1/journeys/{journey}/enrolments"
WEBHOOKS = "/v1/webhooks/{source}"


class Anybody(dict[str, Hook]):
    """A source of webhooks by any name: who holds the write key may post what it likes."""

    def get(self, name: str, _default: object = None) -> Hook:
        rule = Rule(values={"event": compile_expression("'X'"), "anonymousId": compile_expression("'a1'")})
        credentials = Token(secret=b"WK", header="authorization")
        return Hook(name="anybody", credentials=credentials, read=partial(read_mapped, [rule]))


SITE = Site(hooks=Anybody())
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", SITE.http.app)


@SCHEMA.include(path=[*PATHS, ENROLMENTS, WEBHOOKS]).parametrize()
# The same calls at each run, few of each path: their number is what the time of this test depends on.
@settings(
    max_examples=10,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_answers_are_those_that_the_page_names(case: schemathesis.Case[Any]) -> None:
    """With the key that the page asks for; without one every call would end at it."""
    credentials = f"Bearer {ADMIN if case.path == ENROLMENTS else 'WK'}"
    answer = case.call(headers={"authorization": credentials})
    case.validate_response(answer, checks=CHECKS)


def test_every_path_is_on_the_page() -> None:
    rows = [row for wire in FORMATS for row in chain[Any](wire.ROUTES, wire.SETUPS)]
    assert {path for row in rows for path in row.paths} | {ENROLMENTS, WEBHOOKS} == set(SCHEMA.raw_schema["paths"])
