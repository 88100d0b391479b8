"""The endpoint of webhooks: a source by its name in the address, and nothing else of it."""

from __future__ import annotations

import pytest

from tests.unit.ingest.sites import Site
from tests.unit.ingest.webhooks.posting import site_with

FORM = """\
  form:
    token: {query: key, secret: {env: HUSH}}
    events: [{event: "'Form Submitted'", user_id: event.email}]
"""
PATH = "/v1/webhooks/form?key=hush"


def test_a_source_is_found_by_its_name_and_what_it_posts_is_durable_when_it_is_answered() -> None:
    site = site_with(FORM)
    answer = site.http.post(PATH, content=b"email=u1")
    assert (200, {"success": True}) == (answer.status_code, answer.json())
    assert [("Form Submitted", "u1")] == [(event.name, event.user_id) for event in site.events]


@pytest.mark.parametrize("path", ["/v1/webhooks/Form?key=hush", "/v1/webhooks/forms?key=hush", "/v1/webhooks/%66%6fo"])
def test_a_name_that_the_file_does_not_have_is_404(path: str) -> None:
    answer = site_with(FORM).http.post(path, content=b"email=u1")
    assert (404, "not_found") == (answer.status_code, answer.json()["code"])


def test_without_a_file_there_is_no_source() -> None:
    assert 404 == Site().http.post(PATH, content=b"email=u1").status_code


def test_it_is_posted_and_nothing_else() -> None:
    assert 405 == site_with(FORM).http.get(PATH).status_code


def test_while_the_log_is_away_it_is_asked_for_again() -> None:
    site = site_with(FORM)
    site.publisher.down = True
    answer = site.http.post(PATH, content=b"email=u1")
    assert (503, "log_unavailable", True) == (
        answer.status_code,
        answer.json()["code"],
        "retry-after" in answer.headers,
    )
