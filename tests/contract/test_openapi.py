"""The API does what its description says: schemathesis makes requests of it and holds the answers against it."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from services.ingest.routes import FORMATS
from tests.unit.ingest.sites import ADMIN, Site

ENROLMENTS = "/v1/journeys/{journey}/enrolments"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

KINDS = {
    (route.format, route.pixel, route.answer, "batch" in route.paths[0]): route.paths[0]
    for wire in FORMATS
    for route in wire.ROUTES
}
"""One path of each kind of route: those of one kind differ in the type of their call alone."""
SETUPS = [setup.paths[0] for wire in FORMATS for setup in wire.SETUPS]

DESCRIPTION = schemathesis.openapi.from_asgi("/openapi.json", Site().http.app)


# The machine that runs this may be busy; what is tested is not the time.
@DESCRIPTION.include(path=[*KINDS.values(), *SETUPS, ENROLMENTS]).parametrize()
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_one_that_is_described(case: schemathesis.Case[Any]) -> None:
    key = {"Authorization": f"Bearer {ADMIN}"} if case.operation.path == ENROLMENTS else {"X-Write-Key": "WK"}
    case.call_and_validate(headers=key, checks=CHECKS)


def test_the_description_is_held_against_one_path_of_every_kind() -> None:
    asked = {*KINDS.values(), *SETUPS, ENROLMENTS}
    assert asked < set(DESCRIPTION.raw_schema["paths"])
    assert {"segment", "rudderstack", "jitsu", "posthog"} == {name for name, *_ in KINDS}
