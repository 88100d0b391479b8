"""What people read whose link does not work, and what programs are told."""

from __future__ import annotations

import pytest

from services.ingest.pace import Pace
from tests.fakes import FakeClock
from tests.unit.ingest.links.following import PERSON, a_site, path

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
BROWSER = {"accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("language", "words"), [("ja", "このリンクは無効です"), ("en-US,en;q=0.9", "This link is not valid")]
)
@pytest.mark.parametrize("route", ["/t/c/", "/u/"])
def test_a_browser_is_told_in_words_that_a_link_is_none(route: str, language: str, words: str) -> None:
    answer = a_site().http.get(f"{route}{'x' * 60}", headers={**PERSON, **BROWSER, "accept-language": language})
    assert (404, "text/html; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
    assert words in answer.text


def test_a_browser_is_told_in_words_when_to_try_again() -> None:
    site = a_site(choices=Pace(1, FakeClock(0)))
    site.http.post(path("unsubscribe", "news"), data=ONE_CLICK)
    answer = site.http.post(path("unsubscribe", "news"), data=ONE_CLICK, headers=BROWSER)
    assert (429, "1") == (answer.status_code, answer.headers["retry-after"])
    assert "Please try again in a minute" in answer.text


def test_programs_are_told_as_everywhere() -> None:
    answer = a_site().http.get(f"/t/c/{'x' * 60}", headers=PERSON)
    assert (404, "not_found") == (answer.status_code, answer.json()["code"])
