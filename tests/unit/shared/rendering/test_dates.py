"""Dates in texts: the contact's own time, and the same on every machine."""

from __future__ import annotations

from typing import Any

import pytest

from shared.rendering import TemplateError, render

TOKYO = {"message": {"timezone": "Asia/Tokyo"}}


def shown(value: object, data: dict[str, Any], pattern: str = "%Y/%m/%d %H:%M") -> str:
    return render({"text": f"{{{{ event.at | date: '{pattern}' }}}}"}, {"event": {"at": value}, **data}).parts["text"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-03-02T01:55:00Z", "2026/03/02 10:55"),
        ("2026-03-01T20:00:00.000Z", "2026/03/02 05:00"),
        (1_772_416_500, "2026/03/02 10:55"),
        (1_772_416_500_000, "2026/03/02 10:55"),
        ("2026-03-02T10:55:00-05:00", "2026/03/02 10:55"),
        ("2026-03-02T10:55:00+00:00", "2026/03/02 10:55"),
        ("2026-03-02T10:55", "2026/03/02 10:55"),
        ("2026-03-02", "2026/03/02 00:00"),
    ],
)
def test_an_instant_is_shown_in_the_contacts_time_and_a_local_time_as_written(value: object, expected: str) -> None:
    """A departure at 10:55 in New York is one for a contact in Tokyo too."""
    assert expected == shown(value, TOKYO)


@pytest.mark.parametrize("data", [{}, {"message": {"timezone": "Mars/Olympus"}}])
def test_without_a_zone_an_instant_is_shown_in_utc(data: dict[str, Any]) -> None:
    assert "2026/03/02 01:55" == shown("2026-03-02T01:55:00Z", data)


@pytest.mark.parametrize("source", ["{{ now | date: '%d' }}", "{{ 'now' | date: '%d' }}", "{{ 'today' | date: '%d' }}"])
def test_now_is_the_time_of_the_decision(source: str) -> None:
    assert "02" == render({"text": source}, {"now": "2026-03-02T10:55:00.000+09:00"}).parts["text"]


@pytest.mark.parametrize("source", ["{{ now | date: '%d' }}", "{{ 'now' | date: '%d' }}", "{{ now }}", "{{ today }}"])
def test_no_clock_is_read(source: str) -> None:
    """Python-liquid has a now and a today of its own."""
    with pytest.raises(TemplateError, match="is undefined"):
        render({"text": source}, {})


def test_japanese_stands_in_a_pattern() -> None:
    assert "2026年3月2日" == shown("2026-03-02", {}, "%Y年%-m月%-d日")


@pytest.mark.parametrize("value", ["soon", "", [], True, 1e30])
def test_what_is_no_date_is_an_error(value: object) -> None:
    with pytest.raises(TemplateError, match="text: "):
        shown(value, {})
