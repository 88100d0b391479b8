"""Texts: strict about what is missing, escaped where it is HTML, bounded, and the same on every machine."""

from __future__ import annotations

import json
from time import process_time
from typing import Any

import pytest

from shared.rendering import TemplateError, render


def text(source: str, part: str = "text", **data: Any) -> str:
    return render({part: source}, data).parts[part]


def test_data_is_filled_in_each_part() -> None:
    parts = {"subject": "Hi {{ contact.name }}", "text": "{{ context.product }}をお忘れではありませんか"}
    rendered = render(parts, {"contact": {"name": "Ann"}, "context": {"product": "傘"}})
    assert {"subject": "Hi Ann", "text": "傘をお忘れではありませんか"} == rendered.parts


@pytest.mark.parametrize(
    "source",
    [
        "Hello {{ contact.name }}",
        "Hello {{ contact.name.first }}",
        "Hello {{ nobody }}",
        "Hello {{ contact.name | upcase }}",
        "Hello {{ contact.name | append: '!' }}",
        "{{ contact.name | date: '%Y' }}",
        "{% for item in items %}{{ item }}{% endfor %}",
        "{{ empty | first }}",
        "{{ nulls[0] }}",
    ],
)
def test_nobody_receives_hello_comma(source: str) -> None:
    """What is missing or null must not be printed, whatever it goes through."""
    with pytest.raises(TemplateError):
        text(source, contact={"name": None}, empty=[], nulls=[None])


def test_what_is_missing_may_be_asked_for_and_replaced() -> None:
    assert "you" == text("{{ contact.name | default: 'you' }}", contact={})
    assert "none" == text("{% if contact.name %}some{% else %}none{% endif %}", contact={"name": None})
    assert "none" == text("{% unless contact.a.b %}none{% endunless %}", contact={})


def test_html_is_escaped_and_text_is_not() -> None:
    assert "&lt;b&gt;&amp;" == text("{{ name }}", "html", name="<b>&")
    assert "<b>&" == text("{{ name }}", name="<b>&")
    assert "<b>&" == text("{{ name }}", "subject", name="<b>&")


@pytest.mark.parametrize(
    "part", ["subject", "title", "preheader", "url", "attachment.1.name", "attachment.1.url", "attachment.1.cid"]
)
def test_what_has_one_line_gets_one(part: str) -> None:
    """A line break in a name must not become a header of its owner's choosing."""
    assert "Hi Ann Bcc: all@example.com" == text("Hi {{ name }}", part, name="Ann\r\nBcc: all@example.com")


def test_a_subject_is_one_line() -> None:
    assert "Hi Ann" == text("Hi\u2028{{ name }}\n", "subject", name="Ann")


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in (1..1000000000) %}x{% endfor %}",
        "{% for i in (1..5000) %}{% for j in (1..5000) %}{% endfor %}{% endfor %}",
        "{{ (1..1000000000) | join: 'x' }}",
        "{% assign all = (1..1000000000) | sort %}",
        "{% assign x = 'xxxxxxxxxx' %}{% for i in (1..99) %}{% assign x = x | append: x %}{% endfor %}",
        "{% assign x = 'xxxxxx' %}{% for i in (1..99) %}{% capture x %}{{x}}{{x}}{% endcapture %}{% endfor %}",
        "{{ long | replace: '', long | replace: '', long }}",
        "{{ long | split: '' | join: long }}",
        "{% if true %}" * 60 + "{% endif %}" * 60,
    ],
)
def test_a_template_that_runs_away_is_stopped(source: str) -> None:
    with pytest.raises(TemplateError):
        text(source, long="x" * 5000)


@pytest.mark.parametrize(
    "source", ["{{ x", "{% if %}", "{% nonsense %}", "{{ x | nonsense }}", "{% include 'other' %}"]
)
def test_what_is_no_template_is_an_error(source: str) -> None:
    with pytest.raises(TemplateError):
        text(source, x="1")


def test_an_error_names_no_value() -> None:
    with pytest.raises(TemplateError) as caught:
        text("{{ secret | date: '%Y' }}{{ secret | divided_by: 0 }}", secret="hunter2")
    assert "hunter2" not in str(caught.value)


def test_a_preheader_stands_first_in_the_body_unseen() -> None:
    """And never again in the mail: a program that shows it gets this line and no other."""
    page = '<html><head><title>x</title></head><BODY class="a"><p>Hello</p></body></html>'
    parts = render({"html": page, "preheader": "For {{ name }}"}, {"name": "<Ann>"}).parts
    assert "For <Ann>" == parts["preheader"]
    start = parts["html"].index('<BODY class="a"><div style="display:none;')
    assert start < parts["html"].index("For &lt;Ann&gt;&#847;") < parts["html"].index("<p>Hello</p>")
    assert 1 == parts["html"].count("Ann")


def test_html_without_a_body_has_its_preheader_first() -> None:
    assert render({"html": "<p>x</p>", "preheader": "Hi"}, {}).parts["html"].startswith('<div style="display:none;')


def test_the_trigger_is_the_event_that_caused_the_entry() -> None:
    assert "Paid" == text("{{ trigger.name }}", event={"name": "Paid"})


def test_json_writes_a_value_that_no_value_can_break_out_of() -> None:
    data = {"contact": {"id": "c1", "name": 'Aki "A", \\', "tags": ["x", {"y": 1}]}}
    said = render({"text": '{"name": {{ contact.name | json }}, "tags": {{ contact.tags | json }}}'}, data).parts[
        "text"
    ]
    assert {"name": 'Aki "A", \\', "tags": ["x", {"y": 1}]} == json.loads(said)
    with pytest.raises(TemplateError, match="nickname"):
        render({"text": "{{ contact.nickname | json }}"}, data)


LONG = "{% assign x = '<b>defgh' %}{% for i in (1..15) %}{% assign x = x | append: x %}{% endfor %}"


@pytest.mark.parametrize("filter_", ["strip_html", "upcase", "escape_once", "split: 'b' | join: ''"])
def test_no_text_takes_long_however_long_what_its_loops_work_on(filter_: str) -> None:
    """Neither its output nor its variables grow: without a bound the first takes ten minutes."""
    begin = process_time()
    with pytest.raises(TemplateError, match="characters go through filters"):
        render({"text": LONG + f"{{% for i in (1..9000) %}}{{% assign y = x | {filter_} %}}{{% endfor %}}"}, {})
    assert process_time() - begin < 5


def test_the_work_of_one_text_leaves_the_next_its_own() -> None:
    long = "{{ contact.note | upcase | downcase }}"
    data = {"contact": {"note": "x" * 900_000}}
    for _ in range(4):
        assert 900_000 == len(render({"text": long}, data).parts["text"])
