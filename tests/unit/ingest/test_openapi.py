"""The OpenAPI page is true: schemathesis makes calls of it, and the answers are those that it names."""

from __future__ import annotations

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

SITE = Site()
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", SITE.http.app)


@SCHEMA.include(path=[*PATHS, ENROLMENTS]).parametrize()
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
    assert {path for row in rows for path in row.paths} | {ENROLMENTS} == set(SCHEMA.raw_schema["paths"])
