"""A catalogue's number changes with what everybody has to notice alone: each change is a sweep of all contacts."""

from __future__ import annotations

import pytest

from services.evaluator.core.catalog import build_catalog
from tests.builders import CART, a_journey

BIRTHDAY = """
schema: journey/v1
id: birthday
version: 1
trigger: {type: date, property: contact.birthday, at: "09:00"}
policy: {topic: news}
steps:
  - {id: greet, send: {channels: [email], template: {email: {subject: Hello, text: Hello}}}}
"""


def number(*texts: str, stopped: dict[str, int] | None = None) -> int:
    return build_catalog([a_journey(text) for text in texts], stopped=stopped or {}).number


def test_journeys_that_events_alone_start_have_none() -> None:
    assert 0 == number(CART) == number()


@pytest.mark.parametrize(
    ("old", "new"),
    [("text: Hello", "text: Good day"), ("{topic: news}", "{topic: clubs}"), ("id: greet", "id: greet_2")],
)
def test_what_is_sent_and_how_is_nothing_to_notice(old: str, new: str) -> None:
    assert old in BIRTHDAY
    assert number(BIRTHDAY) == number(BIRTHDAY.replace(old, new)) == number(BIRTHDAY, CART)


@pytest.mark.parametrize(
    ("old", "new"),
    [('"09:00"', '"10:00"'), ("contact.birthday", "contact.joined"), ("id: birthday", "id: feast")],
)
def test_another_time_is(old: str, new: str) -> None:
    assert old in BIRTHDAY
    assert number(BIRTHDAY) not in (0, number(BIRTHDAY.replace(old, new)))


def test_the_order_of_the_files_makes_no_difference() -> None:
    feast = BIRTHDAY.replace("id: birthday", "id: feast")
    assert number(BIRTHDAY, feast) == number(feast, BIRTHDAY)


def test_a_stop_reaches_the_silent_too() -> None:
    assert 0 != number(CART, stopped={"cart": 5}) != number(CART, stopped={"cart": 6})
