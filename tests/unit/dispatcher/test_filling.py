"""Placeholders: what a call says becomes a value, and never the syntax of a URL or of JSON."""

from __future__ import annotations

from typing import Any

import pytest

from services.dispatcher.connectors.base import Request
from services.dispatcher.connectors.filling import filled, filled_url, unknown
from services.dispatcher.errors import RefusedError

CALL = Request(
    command_id="c-1",
    contact="u:aki",
    arguments={"percent": 10, "tags": ["a"], "who": {"name": 'Aki "A" 東'}, "path": "../admin?x=1#y", "up": ".."},
)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("{arguments.percent}", 10),
        ("{arguments.tags}", ["a"]),
        ("{arguments}", CALL.arguments),
        ("{command_id} of {contact}", "c-1 of u:aki"),
        ("{arguments.percent} %", "10 %"),
        ("tags: {arguments.tags}", 'tags: ["a"]'),
        ({"a": ["{arguments.who.name}", 5, None]}, {"a": ['Aki "A" 東', 5, None]}),
        ("{not a placeholder}", "{not a placeholder}"),
    ],
)
def test_a_text_that_is_one_placeholder_becomes_what_stands_there(body: Any, expected: Any) -> None:
    assert expected == filled(body, CALL)


def test_in_a_url_a_value_is_a_part_of_the_path_or_of_the_query_and_no_more() -> None:
    url = filled_url("https://a.example/x/{arguments.path}?who={arguments.who.name}&p={arguments.percent}", CALL)
    assert "https://a.example/x/..%2Fadmin%3Fx%3D1%23y?who=Aki%20%22A%22%20%E6%9D%B1&p=10" == url


@pytest.mark.parametrize("url", ["https://a.example/x/{arguments.up}/y", "https://a.example/{arguments.none}"])
def test_what_would_lead_elsewhere_or_is_missing_is_refused(url: str) -> None:
    with pytest.raises(RefusedError):
        filled_url(url, CALL)


def test_a_value_that_is_missing_is_named() -> None:
    with pytest.raises(RefusedError, match=r"^`arguments\.who\.mail` is missing$"):
        filled({"to": "{arguments.who.mail}"}, CALL)


def test_placeholders_that_no_call_fills_are_found_before_any_call() -> None:
    assert ["argument.x", "now"] == list(unknown({"a": "{argument.x}", "b": ["{now}", "{contact}", "{arguments.x-y}"]}))
