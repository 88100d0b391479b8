"""What a text reads, for the check of its words and for sample data."""

from __future__ import annotations

import pytest

from shared.rendering import uses_of


def paths(source: str) -> list[str]:
    return [".".join(use.path) for use in uses_of(source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ contact.name }} {{ contact['first name'] }}", ["contact.name", "contact.first name"]),
        ("{% if context.a == contact.b and event %}{% endif %}", ["context.a", "contact.b", "event"]),
        ("{% for x in event.items %}{{ x.name }}{% endfor %}", ["event.items", "event.items.[].name"]),
        ("{% for x in event.a %}{% for y in x.b %}{{ y.c }}{% endfor %}{% endfor %}",
         ["event.a", "event.a.[].b", "event.a.[].b.[].c"]),
        ("{% tablerow x in event.items cols: 2 %}{{ x }}{% endtablerow %}", ["event.items", "event.items.[]"]),
        ("{% assign x = context.a %}{{ x.b }}", ["context.a", "context.a.b"]),
        ("{% assign x = context.a | upcase %}{{ x.b }}", ["context.a"]),
        ("{% capture x %}{{ now }}{% endcapture %}{{ x }}", ["now"]),
        ("{{ event.items[0].id }}{{ context[contact.a].b }}", ["event.items.[].id", "context.[].b", "contact.a"]),
        ("{% for x in (1..3) %}{{ x }}{{ forloop.index }}{% endfor %}", []),
        ("{{ context.a | append: contact.b }}", ["context.a", "contact.b"]),
    ],
)  # fmt: skip
def test_each_use_of_the_data_has_its_path(source: str, expected: list[str]) -> None:
    assert expected == paths(source)


@pytest.mark.parametrize("operator", ["<", "<=", ">", ">="])
def test_what_is_compared_as_less_or_more_has_an_order(operator: str) -> None:
    uses = uses_of(f"{{% if context.a {operator} 3 and context.b == 3 %}}{{{{ context.a }}}}{{% endif %}}")
    assert [True, False, False] == [use.ordered for use in uses]


def test_a_use_says_its_place_its_filters_and_whether_a_loop_goes_over_it() -> None:
    first, second = uses_of("{{ contact.at | date: '%d' | upcase }}{% for x in context.a %}{% endfor %}")
    assert (3, ("date", "upcase"), False) == (first.offset, first.filters, first.listed)
    assert (50, (), True) == (second.offset, second.filters, second.listed)
