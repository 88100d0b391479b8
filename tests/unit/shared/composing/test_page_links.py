"""Links of a page are replaced where they stand, and everything else stays as it is, byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.composing.page_links import attributes_of, replace_links, with_picture


def numbered(page: str) -> tuple[str, list[str]]:
    """Return ``page`` with each link replaced by its number, and the links."""
    seen: list[str] = []

    def replace(url: str, _tag: dict[str, str]) -> str:
        seen.append(url)
        return f"#{len(seen)}"

    return replace_links(page, replace), seen


@pytest.mark.parametrize(
    ("page", "expected", "links"),
    [
        ('<a href="https://a/">x</a>', '<a href="#1">x</a>', ["https://a/"]),
        ("<a href='https://a/'>x</a>", '<a href="#1">x</a>', ["https://a/"]),
        ("<a href=https://a/>x</a>", '<a href="#1">x</a>', ["https://a/"]),
        (
            "<A\n  CLASS=b HREF = 'https://a/?x=1&amp;y=2' >x</A>",
            '<A\n  CLASS=b HREF = "#1" >x</A>',
            ["https://a/?x=1&y=2"],
        ),
        ('<a title="a > b" href="https://a/">x</a>', '<a title="a > b" href="#1">x</a>', ["https://a/"]),
        ('<a href="https://a/" href="https://b/">x</a>', '<a href="#1" href="https://b/">x</a>', ["https://a/"]),
        ('<map><area href="https://a/"></map>', '<map><area href="#1"></map>', ["https://a/"]),
        ('é\r\n\n<p>\n<a href="https://a/">x</a>', 'é\r\n\n<p>\n<a href="#1">x</a>', ["https://a/"]),
        ('<a href="https://a/"/><a href="https://b/">', '<a href="#1"/><a href="#2">', ["https://a/", "https://b/"]),
    ],
)
def test_a_link_is_replaced_and_nothing_else(page: str, expected: str, links: list[str]) -> None:
    assert (expected, links) == numbered(page)


@pytest.mark.parametrize(
    "page",
    [
        "<p>https://a/</p>",
        '<a name="x">x</a><a href>x</a><a href="">x</a>',
        '<img src="https://a/"><link href="https://a/">',
        '<!-- <a href="https://a/">x</a> -->',
        '<!--[if mso]><a href="https://a/"><![endif]-->',
        "<script>var a = '<a href=\"https://a/\">'</script>",
        "<style>a:after { content: '<a href=\"https://a/\">' }</style>",
        "<textarea title='<a href=\"https://a/\">'></textarea>",
        '<abbr data-href="https://a/" xhref="https://b/">x</abbr>',
        '<a href="https://a/"',
    ],
)
def test_what_is_no_link_stays(page: str) -> None:
    assert (page, []) == numbered(page)


def test_an_address_is_written_so_that_it_cannot_end_its_attribute() -> None:
    assert '<a href="a&amp;&quot;&#x27;&gt;">x</a>' == replace_links('<a href="x">x</a>', lambda _url, _tag: "a&\"'>")


def test_who_decides_sees_the_tags_attributes() -> None:
    seen: list[dict[str, str]] = []
    replace_links("<a HREF=\"u\" data-x='1&amp;2' hidden>x</a>", lambda _url, tag: seen.append(tag))
    assert [{"href": "u", "data-x": "1&2", "hidden": ""}] == seen


@given(st.text(alphabet="<>ahref=\"' /\n!-[]&;xé:.?", max_size=80))
def test_a_page_of_which_nothing_is_replaced_stays_as_it_is(page: str) -> None:
    assert page == replace_links(page, lambda _url, _tag: None)


@given(st.text(alphabet="<>ahref=\"' /\n!-[]&;xé", max_size=60), st.text(alphabet="<>b \"'\n/", max_size=20))
def test_whatever_stands_around_a_link_stays(before: str, after: str) -> None:
    page = f'{before}<a href="https://only/">{after}'
    made, links = numbered(page)
    if links == ["https://only/"]:
        assert page == made.replace('"#1"', '"https://only/"')


@given(st.text(alphabet="a=\"'/> \n", max_size=30))
def test_the_attributes_of_any_tag_end(tag: str) -> None:
    for attribute in attributes_of(f"<a {tag}>"):
        assert 0 <= attribute.start <= attribute.end <= len(tag) + 3


@pytest.mark.parametrize(
    ("page", "before"),
    [("<body><p>x</p></body></html>", "</body>"), ("<BODY>x</BODY >", "</BODY >"), ("<p>x</p>", "")],
)
def test_the_picture_is_the_last_thing_of_the_body(page: str, before: str) -> None:
    made = with_picture(page, 'https://m/"x')
    assert 'src="https://m/&quot;x" width="1" height="1" alt=""' in made
    assert made.partition("<img")[2].partition(">")[2].startswith(before)
    assert page == made.replace(made[made.index("<img") : made.index(">", made.index("<img")) + 1], "")
