"""MJML with Liquid in it: where the Liquid stays, that what it prints is escaped, and what is refused."""

from __future__ import annotations

import re

import pytest

from shared.rendering import TemplateError, check_part, render

LOOP = "{% for item in event.properties.items %}"
ITEMS = {"items": [{"name": "Kettle", "n": 1}, {"name": "Cup & <saucer>", "n": 5}]}


def mail(column: str) -> str:
    return f"<mjml><mj-body><mj-section><mj-column>{column}</mj-column></mj-section></mj-body></mjml>"


def html(source: str, **properties: object) -> str:
    assert [] == check_part("mjml", source)
    return render({"mjml": source}, {"event": {"properties": properties}}).parts["html"]


def slips(source: str) -> list[tuple[int, str]]:
    return [(slip.offset, slip.message) for slip in check_part("mjml", source)]


def tags(page: str) -> list[str]:
    """Return the page's tags, those for Outlook too, without their attributes."""
    page = page[page.index("<body") :].replace("<!--[if mso | IE]>", "").replace("<![endif]-->", "")
    return re.findall(r"<(/?[a-z]+)[^>]*?(?<!/)>", page)


def test_mjml_becomes_a_whole_page_of_html() -> None:
    page = html(mail("<mj-text>傘</mj-text>").replace("<mjml>", '<mjml lang="ja">'))
    assert page.startswith('<!doctype html><html lang="ja"')
    assert re.search(r'<div style="font-family:[^"]*">傘</div>', page)
    assert "<mj" not in page


def test_liquid_stands_in_attributes() -> None:
    source = mail(
        '<mj-button href="https://shop.example/c/{{ event.properties.id | url_encode }}" '
        'background-color="{% if event.properties.total < 3 %}#aa0000{% else %}#00aa00{% endif %}">Go</mj-button>'
    )
    page = html(source, id="k 1/ü", total=2)
    assert 'href="https://shop.example/c/k+1%2F%C3%BC"' in page
    assert "background:#aa0000" in page
    assert "#00aa00" not in page


def test_quotes_in_liquid_do_not_end_the_attribute() -> None:
    source = mail('<mj-image src="a.png" alt="{{ event.properties.alt | default: "none" }}"/>')
    assert 'alt="none"' in html(source)


@pytest.mark.parametrize(
    "column",
    [
        "{LOOP}<mj-text>[{{ item.name }}]</mj-text>{% endfor %}",
        "<mj-text>{LOOP}<p>[{{ item.name }}]</p>{% endfor %}</mj-text>",
        "<mj-table>{LOOP}<tr><td>[{{ item.name }}]</td></tr>{% endfor %}</mj-table>",
        "<mj-social>{LOOP}<mj-social-element>[{{ item.name }}]</mj-social-element>{% endfor %}</mj-social>",
        "<mj-navbar>{LOOP}<mj-navbar-link>[{{ item.name }}]</mj-navbar-link>{% endfor %}</mj-navbar>",
        "<mj-raw>{LOOP}<b>[{{ item.name }}]</b>{% endfor %}</mj-raw>",
    ],
)
@pytest.mark.parametrize("count", [0, 1, 2])
def test_liquid_repeats_elements_and_what_is_open_stays_balanced(column: str, count: int) -> None:
    page = html(mail(column.replace("{LOOP}", LOOP)), items=ITEMS["items"][:count])
    printed = [name for name in ("[Kettle]", "[Cup &amp; &lt;saucer&gt;]") if name in page]
    assert ["[Kettle]", "[Cup &amp; &lt;saucer&gt;]"][:count] == printed
    found = tags(page)
    for name in ("table", "tr", "td", "div"):
        assert found.count(name) == found.count(f"/{name}"), name


@pytest.mark.parametrize("wrapped", ["{}", "<mj-wrapper>{}</mj-wrapper>"])
def test_liquid_repeats_sections_and_columns(wrapped: str) -> None:
    column = '<mj-column width="50%"><mj-text>[{{ item.n }}]</mj-text></mj-column>'
    loop = "{{% for item in event.properties.items %}}{}{{% endfor %}}"
    for inner in (f"<mj-section>{loop.format(column)}</mj-section>", loop.format(f"<mj-section>{column}</mj-section>")):
        page = html(f"<mjml><mj-body>{wrapped.format(inner)}</mj-body></mjml>", **ITEMS)
        assert ["[1]", "[5]"] == re.findall(r"\[[15]\]", page)
        found = tags(page)
        assert found.count("table") == found.count("/table")
        assert found.count("td") == found.count("/td")


def test_what_liquid_prints_is_escaped_in_text_and_attributes() -> None:
    source = mail('<mj-text>{{ event.properties.x }}</mj-text><mj-image src="a.png" alt="{{ event.properties.x }}"/>')
    page = html(source, x='"><script>alert(1)</script>')
    assert "<script" not in page
    assert 2 == page.count("&gt;&lt;script&gt;")


@pytest.mark.parametrize("character", ["\u200d", "\ufe0f", "\\", "\u3000", "ﾞ", "\n", "\x00", "\x0b"])
def test_no_character_of_the_data_is_changed_or_refused(character: str) -> None:
    """The compiler would write some of them as Rust prints strings, and refuse others."""
    page = html(mail('<mj-image src="a.png" alt="[{{ event.properties.x }}]"/>'), x=f"a{character}b")
    assert f'alt="[a{character}b]"' in page


@pytest.mark.parametrize("text", ["👨\u200d👩\u200d👧 ❤\ufe0f", "C:\\x", "全角\u3000空白", "ｶﾞ"])
def test_no_character_of_the_author_is_changed(text: str) -> None:
    page = html(mail(f'<mj-image src="a.png" alt="{text}"/><mj-text>{text}</mj-text>'))
    assert f'alt="{text}"' in page
    assert f">{text}</div>" in page


def test_what_html_leaves_open_and_bare_ampersands_are_taken() -> None:
    page = html(mail('<mj-text>a<br>b<img src="c.png">&nbsp;R&D <a href="x?a=1&b=2">y</a></mj-text>'))
    assert 'a<br />b<img src="c.png" />&nbsp;R&D <a href="x?a=1&b=2">y</a>' in page


def test_an_attribute_over_two_lines_is_one_line() -> None:
    assert 'alt="a b"' in html(mail('<mj-image src="a.png" alt="a\nb"/>'))


def test_no_third_party_learns_who_reads_the_mail_unless_the_author_asks_for_it() -> None:
    assert "fonts.googleapis" not in html(mail("<mj-text>x</mj-text>"))
    font = '<mj-head><mj-font name="Inter" href="https://fonts.example/inter"/></mj-head>'
    source = mail('<mj-text font-family="Inter">x</mj-text>').replace("<mj-body>", f"{font}<mj-body>")
    assert "https://fonts.example/inter" in html(source)


def test_liquid_in_the_head_s_texts_stays() -> None:
    head = "<mj-head><mj-title>{{ event.properties.x }}</mj-title><mj-preview>{{ event.properties.y }}</mj-preview></mj-head>"  # noqa: E501 - one element
    page = html(mail("<mj-text>x</mj-text>").replace("<mj-body>", f"{head}<mj-body>"), x="Title", y="Look")
    assert "<title>Title</title>" in page
    assert ">Look</div>" in page


BEFORE = len("<mjml><mj-body><mj-section><mj-column>")


@pytest.mark.parametrize(
    ("column", "offset", "message"),
    [
        ("<mj-txt>x</mj-txt>", 0, "unknown element <mj-txt>; did you mean <mj-text>?"),
        ("<p>x</p>", 0, "<p> does not stand in <mj-column>, but in <mj-text> or <mj-raw>"),
        ("傘<mj-section/>", 1, "<mj-section> does not stand in <mj-column>, but in <mj-body> or <mj-wrapper>"),
        ("<mj-text><mj-button>x</mj-button></mj-text>", 9,
         "<mj-button> does not stand in <mj-text>, but in <mj-column> or <mj-hero>"),
        ('<mj-include path="a.mjml"/>', 0, "<mj-include> is not read: a mail is one text"),
        ("<mj-text>x", 12, "<mj-text> is not closed before this; in Liquid too, each way closes what it opens"),
        ("<mj-text>1 < 2</mj-text>", 12, 'not MJML: write a < as &lt;, and attributes as name="value"'),
        ("<mj-text color=red>x</mj-text>", 15, 'not MJML: write a < as &lt;, and attributes as name="value"'),
        ('<mj-text color="a" color="b"/>', 19, "an attribute is written twice; choose inside its value"),
        ('<mj-image src="a" width="{{ event.properties.w }}"/>', 25,
         "MJML has no place for this Liquid; a number in an attribute is written out"),
        ("<mj-divider>{{ now }}</mj-divider>", 12, "MJML does not take {{ now }} here"),
        ("傘{{ now }}<mj-spacer>x{{ now }}傘</mj-spacer>", 21, "MJML does not take x{{ now }}傘 here"),
        ("<mj-carousel>{{ now }}<mj-carousel-image/></mj-carousel>", -BEFORE, "MJML: unknown fragment radio"),
        ("{% if now %}<mj-text>{% else %}<mj-text>{% endif %}x</mj-text>", 31,
         "<mj-text> does not stand in <mj-text>, but in <mj-column> or <mj-hero>"),
    ],
)  # fmt: skip
def test_a_slip_is_found_where_it_stands(column: str, offset: int, message: str) -> None:
    assert (BEFORE + offset, message) == slips(mail(column))[0]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", (0, "<mjml> is not closed")),
        ("Hello", (0, "MJML starts with <mjml>; Liquid stands inside <mj-body>")),
        ("<p>Hello</p>", (0, "MJML starts with <mjml>, not with <p>")),
        ("<mjml></mjml>", (0, "<mjml> has no <mj-body>")),
        ("<mjml><mj-body/></mjml> x", (24, "there is something behind </mjml>")),
        ("<mjml><mj-body><mj-section>", (27, "<mj-section> is not closed")),
        ("<mjml>{{ now }}<mj-body/></mjml>", (6, "no Liquid between the elements of <mjml>")),
        ("<!DOCTYPE html><mjml><mj-body/></mjml>", (14, "MJML starts with <mjml>; leave out the DOCTYPE")),
        ("<mjml><mj-head><mj-attributes><mj-txt/></mj-attributes></mj-head><mj-body/></mjml>",
         (30, "unknown element <mj-txt>; did you mean <mj-text>?")),
    ],
)  # fmt: skip
def test_what_is_no_mail_is_a_slip(source: str, expected: tuple[int, str]) -> None:
    assert [expected] == slips(source)


@pytest.mark.parametrize(
    "section",
    [
        "{% for item in event.properties.items %}<mj-column/>{% endfor %}",
        "{% if now %}<mj-column/>{% endif %}",
        "<mj-group>{% if now %}<mj-column/>{% endif %}</mj-group>",
    ],
)
def test_columns_that_liquid_decides_on_say_how_wide_they_are(section: str) -> None:
    """MJML divides the width by the columns that it sees."""
    source = f"<mjml><mj-body><mj-section>{section}</mj-section></mj-body></mjml>"
    wanted = "Liquid decides how many columns there are: give each its `width`"
    assert [(source.index("<mj-column"), wanted)] == slips(source)
    assert [] == slips(source.replace("<mj-column/>", '<mj-column width="50%"/>'))


def test_what_would_take_the_process_with_it_never_reaches_the_compiler() -> None:
    """Ten thousand levels overflow its stack."""
    deep = mail("<mj-text>" + "<div>" * 10_000 + "</div>" * 10_000 + "</mj-text>")
    [(_, message)] = slips(deep)
    assert "nested deeper than 100 levels" == message
    with pytest.raises(TemplateError, match="mjml: nested deeper"):
        render({"mjml": deep}, {})


def test_depth_that_comes_from_data_or_loops_is_harmless() -> None:
    source = mail(
        "<mj-text>{% for i in (1..9000) %}<div>{% endfor %}</mj-text>".replace("<div>", "{{ event.properties.x }}")
    )
    assert 9000 == html(source, x="<div>").count("&lt;div&gt;")
