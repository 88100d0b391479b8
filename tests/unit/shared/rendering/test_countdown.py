"""``countdown``: which time a picture counts down to, in which colours, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from shared.rendering import TemplateError, render
from shared.rendering.countdown import PLACEHOLDER, Countdown
from tests.builders import at

DATA = {"message": {"timezone": "Asia/Tokyo"}, "data": {"ends_at": "2026-03-02T03:00:00Z"}}
INK, PAPER = 0x1F2933, 0xFFFFFF


def asked(text: str, **data: Any) -> Countdown:
    """Return the picture that ``text`` asks for."""
    found: list[Countdown] = []

    def address(countdown: Countdown) -> str:
        found.append(countdown)
        return "https://m.shop.example/t/i/x?a=1&b=2"

    page = render({"html": f'<img src="{{{{ {text} }}}}">'}, {**DATA, "data": {**DATA["data"], **data}}, address)
    assert {"html": '<img src="https://m.shop.example/t/i/x?a=1&amp;b=2">'} == page.parts
    return found[0]


@pytest.mark.parametrize(
    "time",
    [
        "2026-03-02T12:00:00Z",
        "2026-03-02T21:00:00+09:00",
        "2026-03-02T21:00",
        1_772_452_800,
        1_772_452_800_000,
    ],
)
def test_a_time_without_an_offset_is_one_of_the_contacts_clock(time: object) -> None:
    assert Countdown(at("12:00"), INK, PAPER) == asked("data.time | countdown", time=time)


def test_a_day_ends_the_countdown_where_it_begins_for_the_contact() -> None:
    assert at("15:00") - 24 * 3_600_000 == asked("data.day | countdown", day="2026-03-02").deadline


def test_its_colours_are_the_mails() -> None:
    text = 'data.ends_at | countdown: color: "#1F6f5c", background: "#f5f3ef"'
    assert Countdown(at("03:00"), 0x1F6F5C, 0xF5F3EF) == asked(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("data.missing | countdown", "undefined"),
        ('"soon" | countdown', "not an ISO 8601 date"),
        ('data.ends_at | countdown: color: "red"', "`color` is a colour such as #1f2933"),
        ('data.ends_at | countdown: background: "#fff"', "`background` is a colour"),
        ("data.ends_at | countdown: size: 3", "size"),
        ("data.huge | countdown", "not a time"),
    ],
)
def test_what_is_no_countdown_is_not_sent(text: str, why: str) -> None:
    with pytest.raises(TemplateError, match=why):
        asked(text, huge=10**30)


def test_without_links_there_is_no_picture() -> None:
    with pytest.raises(TemplateError, match="no links are set up"):
        render({"text": "{{ data.ends_at | countdown }}"}, DATA, lambda _: None)


def test_in_a_preview_something_stands_for_it() -> None:
    assert {"text": PLACEHOLDER} == render({"text": "{{ data.ends_at | countdown }}"}, DATA).parts
