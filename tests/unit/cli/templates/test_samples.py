"""Invented data: every variable of a text has a value that its filters can take."""

from __future__ import annotations

from typing import Any

import pytest

from cli.templates.samples import GIVEN, completed, invent
from shared.rendering import render, uses_of


def invented(source: str) -> dict[str, Any]:
    return {root: value for root, value in invent(uses_of(source)).items() if root not in GIVEN}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ contact.first_name }} {{ contact.plan }}", {"contact": {"first_name": "Aki", "plan": "[plan]"}}),
        ("{{ event.properties.ships | date: '%d' }}", {"event": {"properties": {"ships": "2026-03-02T01:45:00Z"}}}),
        ("{{ context.x | times: 2 }}{{ context.total }}", {"context": {"x": 3, "total": 4980}}),
        ("{% if context.x > 2 %}{{ context.x }}{% endif %}", {"context": {"x": 3}}),
        ("{{ context.cart_url }}", {"context": {"cart_url": "https://shop.example/cart_url"}}),
        ("{% for x in context.items %}{{ x.name }}{% endfor %}", {"context": {"items": [{"name": "[name]"}] * 2}}),
        ("{% for x in context.tags %}{{ x }}{% endfor %}", {"context": {"tags": ["[tags]"] * 2}}),
        ("{% for x in context.items %}{% endfor %}{{ context.items.size }}", {"context": {"items": ["[items]"] * 2}}),
        ("{{ contact.name.first }}", {"contact": {"name": {"first": "[first]"}}}),
        ("{{ context.a }}{{ context.a.b }}", {"context": {"a": {"b": "[b]"}}}),
        ("{{ now }}{{ message.id }}", {}),
    ],
)
def test_every_variable_has_a_value_that_fits(source: str, expected: dict[str, Any]) -> None:
    assert expected == invented(source)
    assert render({"text": source}, invent(uses_of(source))).parts["text"]


def test_what_the_engine_puts_into_every_message_is_there_unless_the_data_say_otherwise() -> None:
    assert {**GIVEN, "contact": {}} == completed({"contact": {}})
    assert "2027" == completed({"now": "2027"})["now"]
