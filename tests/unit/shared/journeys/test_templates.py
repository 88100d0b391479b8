"""Template files: the parts of each channel, and what is said of those that are not so."""

from __future__ import annotations

import pytest

from shared.journeys.faults import JourneyFaultsError
from shared.journeys.templates import parse_template
from tests.builders import lined

VALID = """\
schema: template/v1
id: cart/remind
locales:
  ja:
    email: {subject: 件名, text: 本文, html: <p>本文</p>}
    push: {title: Hi, body: Hello, url: "https://shop.example"}
    line: {text: Hello}
  en:
    email: {subject: Hi, text: Hello}
"""


def faults(text: str) -> list[str]:
    with pytest.raises(JourneyFaultsError) as caught:
        parse_template("t.yaml", text)
    return [lined(fault) for fault in caught.value.faults]


def test_a_template_holds_its_texts_by_locale_channel_and_part() -> None:
    template = parse_template("t.yaml", VALID)
    assert "cart/remind" == template.id
    assert {
        "ja": {
            "email": {"subject": "件名", "text": "本文", "html": "<p>本文</p>"},
            "push": {"title": "Hi", "body": "Hello", "url": "https://shop.example"},
            "line": {"text": "Hello"},
        },
        "en": {"email": {"subject": "Hi", "text": "Hello"}},
    } == template.locales


def test_each_word_of_an_attachment_is_a_part_of_the_message() -> None:
    attached = "attachments: [{name: a.pdf, url: '{{ event.properties.url }}'}, {name: b.png, data: eA==, cid: b}]"
    template = parse_template(
        "t.yaml", VALID.replace("{subject: Hi, text: Hello}", f"{{subject: Hi, text: Hello, {attached}}}")
    )
    assert {
        "subject": "Hi",
        "text": "Hello",
        "attachment.1.name": "a.pdf",
        "attachment.1.url": "{{ event.properties.url }}",
        "attachment.2.name": "b.png",
        "attachment.2.data": "eA==",
        "attachment.2.cid": "b",
    } == template.locales["en"]["email"]


@pytest.mark.parametrize(
    ("attachment", "fault"),
    [
        ("{url: x}", "9: `name` is missing"),
        ("{name: x}", "9: an attachment has either a `url` or its `data`"),
        ("{name: x, url: y, data: z}", "9: an attachment has either a `url` or its `data`"),
        ("{name: x, link: y}", "9: unknown key `link`; known: cid, data, name, type, url"),
        ("{name: '{{ nobody }}', url: y}", "9: unknown `nobody`"),
        ("x", "9: expected a mapping (lines of `key: value`), not `x`"),
        (", ".join(["{name: x, url: y}"] * 11), "9: 10 attachments at most"),
    ],
)
def test_an_attachment_that_is_none_is_said(attachment: str, fault: str) -> None:
    text = VALID.replace("{subject: Hi, text: Hello}", f"{{subject: Hi, text: Hello, attachments: [{attachment}]}}")
    assert [line for line in faults(text) if line.removeprefix("t.yaml:").startswith(fault)]


def test_other_channels_have_no_attachments() -> None:
    assert ["t.yaml:7: unknown key `attachments`; known: messages, text"] == faults(
        VALID.replace("line: {text: Hello}", "line: {text: Hello, attachments: []}")
    )


@pytest.mark.parametrize("locale", ["no", "on", "ja-JP", "default"])
def test_a_locale_is_a_text_whatever_it_looks_like(locale: str) -> None:
    """Norwegian is not false."""
    assert locale in parse_template("t.yaml", VALID.replace("  en:", f"  {locale}:")).locales


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("schema: template/v1", "schema: journey/v1", ["1: unknown schema `journey/v1`; known: template/v1"]),
        ("id: cart/remind\n", "", ["1: `id` is missing"]),
        ("    line: {text: Hello}", "    line: {txt: Hello}", [
            "7: unknown key `txt`; did you mean `text`?",
        ]),
        ("    line: {text: Hello}", "    line: Hello", ["7: expected a mapping (lines of `key: value`), not `Hello`"]),
        ("    line: {text: Hello}", '    line: {text: ""}', ["7: expected a text that is not empty"]),
        ("    line: {text: Hello}", "    line: {text: 5}", ["7: expected a text, not `5`; put it in quotes"]),
        ("    line: {text: Hello}", "    lien: {text: Hello}", ["7: unknown key `lien`; did you mean `line`?"]),
        ("subject: Hi", "mjml: <mjml>", ["9: `subject` is missing", "9: <mjml> is not closed"]),
        ("subject: Hi", "subject: Hi, preheader: Look", ["9: a `preheader` needs `mjml` or `html` to stand in"]),
        (
            "subject: Hi",
            "subject: Hi, html: <p/>, mjml: <mjml><mj-body/></mjml>",
            ["9: write either `mjml` or `html`, not both"],
        ),
        (
            "subject: Hi",
            "subject: Hi, preheader: x, mjml: <mjml><mj-head><mj-preview/></mj-head><mj-body/></mjml>",
            ["9: write either `preheader` or <mj-preview>, not both"],
        ),
        ("body: Hello", 'body: "Hello {{ nme }}"', [
            "6: unknown `nme`; known: contact, context, data, event, journey, message, now, trigger",
        ]),
        ("body: Hello, ", "", ["6: `body` is missing"]),
    ],
)  # fmt: skip
def test_a_fault_says_its_line_and_what_to_do(old: str, new: str, expected: list[str]) -> None:
    assert 1 == VALID.count(old)
    assert [f"t.yaml:{fault}" for fault in expected] == faults(VALID.replace(old, new))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["t.yaml:1: the file is empty; it starts with `schema:`"]),
        ("schema: template/v1\nid: a\nlocales: {}\n", ["t.yaml:3: expected at least one locale"]),
        ("schema: template/v1\nid: a\n", ["t.yaml:1: `locales` is missing"]),
        (
            "schema: template/v1\nid: a\nlocales: [ja]\n",
            ["t.yaml:3: expected a mapping (lines of `key: value`), not a list"],
        ),
    ],
)
def test_a_template_without_texts_is_none(text: str, expected: list[str]) -> None:
    assert expected == faults(text)


@pytest.mark.parametrize(
    ("written", "line", "column"),
    [
        ('      text: "Hi {{ nme }}"', 8, 20),
        ("      text: 'Hi {{ nme }}'", 8, 20),
        ("      text: Hi {{ nme }}", 8, 19),
        ("      text: |\n        Hi\n\n          {{ nme }}", 11, 14),
        ("      text: |2\n\n          {{ nme }}", 10, 14),
        ("      text: >\n        Hi\n        {{ nme }}", 8, 7),
        ('      text: "Hi\\n{{ nme }}"', 8, 7),
        ("      text: 'it''s {{ nme }}'", 8, 7),
        ("      text:\n        {{ nme }}".replace("{{ nme }}", "Hi {{ nme }}"), 9, 15),
    ],
)
def test_a_fault_in_a_text_has_the_line_and_column_of_the_file(written: str, line: int, column: int) -> None:
    """Where YAML folds or escapes, the text's characters do not stand in the file: then it is the part's own place."""
    head = "schema: template/v1\nid: a\nlocales:\n  en:\n    line: {text: x}\n    email:\n      subject: x\n"
    with pytest.raises(JourneyFaultsError) as caught:
        parse_template("t.yaml", f"{head}{written}\n")
    [fault] = caught.value.faults
    assert (line, column) == (fault.line, fault.column)
