"""What is wrong with a text whatever the data, and at which character."""

from __future__ import annotations

import pytest

from shared.rendering import check_part

KNOWN = "known: contact, context, data, event, journey, message, now, trigger"


def found(source: str, part: str = "text") -> list[tuple[int, str]]:
    return [(slip.offset, slip.message) for slip in check_part(part, source)]


@pytest.mark.parametrize(
    "source",
    [
        "",
        "Hello {{ contact.first_name | default: 'there' }}",
        "{% for item in event.properties.items %}{{ forloop.index }} {{ item.name }}{% endfor %}",
        "{% assign name = contact.name | upcase %}{{ name }}{% capture line %}{{ name }}{% endcapture %}{{ line }}",
        "{% case context.a %}{% when 1 %}a{% else %}b{% endcase %}",
        "{{ now | date: '%d' }}{{ message.id }}{{ trigger.name }}{{ journey.version }}",
        "{% raw %}{{ nothing }}{% endraw %}{% comment %}{{ nothing }}{% endcomment %}",
    ],
)
def test_what_is_in_order_has_no_slips(source: str) -> None:
    assert [] == found(source)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Hi {{ contct.name }}", (6, "unknown `contct`; did you mean `contact`?")),
        ("Hi {{ name }}", (6, f"unknown `name`; {KNOWN}")),
        ("{{ event.propertes.x }}", (3, "`event` has no `propertes`; did you mean `properties`?")),
        ("{{ journey.name }}", (3, "`journey` has no `name`; known: id, version")),
        ("a\n{{ contact.x | upcas }}", (17, "unknown filter `upcas`; did you mean `upcase`?")),
        ("{{ contact.x | quux }}", (15, "unknown filter `quux`")),
        ("{% fro x in y %}", (3, "unknown tag `fro`; did you mean `for`?")),
        ("{% include 'footer' %}", (3, "unknown tag `include`")),
        ("{% render 'footer' %}", (3, "unknown tag `render`")),
        ("{% endif %}", (3, "`endif` belongs to nothing that is open here")),
        ("{% else %}", (3, "`else` belongs to nothing that is open here")),
        ("a {% if now %}{% if now %}{% endif %}", (2, "`if` is not closed; write {% endif %}")),
        ("{{ contact.x", (0, "Liquid: expected '}}', found end of file")),
        ("{{ contact.a b }}", (13, "Liquid: expected end of expression, found word")),
        ("{% if contact.a = 1 %}{% endif %}", (16, "Liquid: expected end of expression, found '='")),
        ("{% for x in event.properties.items %}{% endfor %}{{ x }}", (52, f"unknown `x`; {KNOWN}")),
        ("x" * 524_289, (0, "the text is longer than 524288 characters")),
    ],
)  # fmt: skip
def test_a_slip_is_found_where_it_stands(source: str, expected: tuple[int, str]) -> None:
    assert [expected] == found(source)


def test_all_unknown_words_are_found_at_once() -> None:
    assert [3, 10, 16] == [offset for offset, _ in found("{{ a }}{{ b.c | dd }}")]


def test_what_is_nested_without_end_is_a_slip() -> None:
    [(_, message)] = found("{% if now %}" * 3000 + "{% endif %}" * 3000)
    assert "Liquid: block nesting limit reached" == message


def test_the_structure_of_mjml_is_looked_at_when_its_liquid_is_in_order() -> None:
    assert [(0, "<mjml> has no <mj-body>")] == found("<mjml></mjml>", "mjml")
    assert [f"unknown `nme`; {KNOWN}", "unknown element <mj-txt>; did you mean <mj-text>?"] == [
        message for _, message in found("<mjml lang='{{ nme }}'><mj-body><mj-txt/></mj-body></mjml>", "mjml")
    ]
