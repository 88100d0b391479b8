"""Layouts: what stands around the words of a mail, and what is said of one that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.journeys.faults import JourneyFaultsError
from shared.journeys.files import load_definitions, load_templates
from shared.journeys.layout import Layout
from shared.journeys.layouts import parse_layout
from shared.journeys.model import Send
from shared.journeys.templates import parse_template

LAYOUT = """\
schema: layout/v1
id: shop
locales:
  en:
    mjml: |
      <mjml lang="en"><mj-body>
      {{ content }}
      <mj-section><mj-column><mj-text>Example Shop</mj-text></mj-column></mj-section>
      </mj-body></mjml>
    text: "{{ content }} -- Example Shop"
  ja:
    mjml: |
      <mjml lang="ja"><mj-body>{{ content }}</mj-body></mjml>
"""
SECTION = "<mj-section><mj-column><mj-text>Hello</mj-text></mj-column></mj-section>"
MAIL = """\
schema: template/v1
id: hello
locales:
  {locale}:
    email:
      subject: Hi
      layout: shop
      mjml: |
        {section}
      text: Hello
"""


def the_shop() -> Layout:
    return parse_layout("shop.yaml", LAYOUT)


def mail(locale: str = "en", section: str = SECTION) -> dict[str, str]:
    text = MAIL.format(locale=locale, section=section)
    return parse_template("hello.yaml", text, {"shop": the_shop()}).locales[locale]["email"]


def said(error: JourneyFaultsError) -> list[str]:
    return [f"{fault.line}:{fault.column}: {fault.message}" for fault in error.faults]


def faults(text: str) -> list[str]:
    with pytest.raises(JourneyFaultsError) as caught:
        parse_layout("shop.yaml", text)
    return said(caught.value)


def test_a_layout_stands_around_the_words_of_a_mail() -> None:
    assert {
        "subject": "Hi",
        "mjml": f'<mjml lang="en"><mj-body>\n{SECTION}\n\n<mj-section><mj-column><mj-text>Example Shop</mj-text>'
        "</mj-column></mj-section>\n</mj-body></mjml>\n",
        "text": "Hello -- Example Shop",
    } == mail()


def test_a_part_that_the_layout_lacks_is_the_mails_alone() -> None:
    assert ("Hello", f'<mjml lang="ja"><mj-body>{SECTION}\n</mj-body></mjml>\n') == (
        mail("ja")["text"],
        mail("ja")["mjml"],
    )


@pytest.mark.parametrize(("locale", "lang"), [("ja-JP", "ja"), ("en-GB", "en"), ("fr", "en"), ("default", "en")])
def test_the_locale_of_the_layout_is_found_as_a_contacts_is(locale: str, lang: str) -> None:
    assert f'<mjml lang="{lang}">' in mail(locale)["mjml"]


def test_a_slip_in_a_mail_is_named_where_it_stands_in_the_mail() -> None:
    with pytest.raises(JourneyFaultsError) as caught:
        mail(section="<mj-section><mj-column><mj-txt>Hello</mj-txt></mj-column></mj-section>")
    assert ["9:32: unknown element <mj-txt>; did you mean <mj-text>?"] == said(caught.value)


def test_a_mail_that_does_not_close_what_it_opens_is_at_fault_and_not_its_layout() -> None:
    with pytest.raises(JourneyFaultsError) as caught:
        mail(section="<mj-section><mj-column>")
    assert said(caught.value)[0].startswith("9:")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("      {{ content }}\n", "", "5:5: write {{ content }} once, where the mail's own words stand"),
        ("-- Example", "{{ content }}", "10:5: write {{ content }} once, where the mail's own words stand"),
        ("<mj-text>Example", "<mj-txt>Example", "8:30: unknown element <mj-txt>; did you mean <mj-text>?"),
        (
            "<mj-body>{{ content }}</mj-body>",
            "<mj-body><mj-section>{{ content }}</mj-section></mj-body>",
            "13:44: <mj-section> does not stand in <mj-section>, but in <mj-body> or <mj-wrapper>",
        ),
        ('"{{ content }} --', '"{{ contct.x }}{{ content }} --', "10:15: unknown `contct`; did you mean"),
        ("schema: layout/v1", "schema: layout/v2", "1:1: unknown schema `layout/v2`; did you mean"),
        ("  ja:\n    mjml: |\n", "  ja:\n    mjlm: |\n", "12:5: unknown key `mjlm`; did you mean `mjml`?"),
    ],
)
def test_what_is_wrong_with_a_layout_is_named(old: str, new: str, expected: str) -> None:
    assert old in LAYOUT
    assert [found for found in faults(LAYOUT.replace(old, new)) if expected in found]


def test_a_layout_without_locales_is_a_fault() -> None:
    assert ["3:1: expected at least one locale"] == faults("schema: layout/v1\nid: shop\nlocales: {}\n")


def test_a_mail_names_a_layout_that_is_there_and_has_sections_for_it() -> None:
    wrong = MAIL.format(locale="en", section=SECTION).replace("layout: shop", "layout: shp")
    with pytest.raises(JourneyFaultsError) as caught:
        parse_template("hello.yaml", wrong, {"shop": the_shop()})
    assert "there is no file `layouts/shp.yaml`; did you mean `shop`?" in str(caught.value)
    plain = "schema: template/v1\nid: hello\nlocales: {en: {email: {subject: Hi, text: Hello, layout: shop}}}\n"
    with pytest.raises(JourneyFaultsError, match="a `layout` needs `mjml`"):
        parse_template("hello.yaml", plain, {"shop": the_shop()})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("layouts", "templates"):
        (tmp_path / name).mkdir()
    (tmp_path / "layouts/shop.yaml").write_text(LAYOUT)
    (tmp_path / "templates/hello.yaml").write_text(MAIL.format(locale="en", section=SECTION))
    (tmp_path / "hello.yaml").write_text(
        "schema: journey/v1\nid: hello\nversion: 1\ntrigger: {type: event, event: Signed Up}\n"
        "policy: {purpose: transactional}\n"
        "steps:\n  - {id: file, send: {channels: [email], template: hello}}\n"
        "  - id: own\n    send:\n      channels: [email]\n"
        f"      template: {{email: {{subject: Hi, layout: shop, mjml: '{SECTION}', text: Hi}}}}\n"
    )
    return tmp_path


def test_the_layouts_of_a_folder_are_those_of_its_templates_and_of_texts_in_steps(folder: Path) -> None:
    assert "Example Shop" in load_templates(folder)[0]["hello"].locales["en"]["email"]["mjml"]
    [journey] = load_definitions(folder).journeys
    texts = [step.template.locales for step in journey.steps if isinstance(step, Send)]
    assert ["Hello -- Example Shop", "Hi -- Example Shop"] == [
        next(iter(locales.values()))["email"]["text"] for locales in texts
    ]


def test_a_layout_with_faults_is_named_once(folder: Path) -> None:
    (folder / "layouts/shop.yaml").write_text(LAYOUT.replace("id: shop", "id: shops"))
    with pytest.raises(JourneyFaultsError) as caught:
        load_definitions(folder)
    assert ["layout id `shops` differs from its file; write `id: shop`"] == [it.message for it in caught.value.faults]


def test_a_layout_of_another_ending_is_not_passed_over(folder: Path) -> None:
    (folder / "layouts/other.yml").write_text(LAYOUT)
    with pytest.raises(JourneyFaultsError, match=r"this file is not read; name it other\.yaml"):
        load_definitions(folder)
