"""The page of choices: in the reader's language, whole without anything from elsewhere, and escaped."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from services.ingest.links.pages import Choice, headers, language_of, preferences, sorry
from shared.journeys.workspace import TopicText

NEWS = Choice("news", TopicText(name={"en": "News", "ja": "お知らせ"}, description={"": "Once <a week>"}), "granted")
SALE = Choice("sale", TopicText())


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("ja", "ja"),
        ("ja-JP,en;q=0.5", "ja"),
        ("en-US,ja;q=0.9", "en"),
        ("fr, ja;q=0.3", "ja"),
        ("fr", "en"),
        ("", "en"),
    ],
)
def test_the_language_is_the_readers(accepted: str, language: str) -> None:
    assert language == language_of(accepted)


def test_topics_are_called_by_the_readers_language() -> None:
    assert "Stop messages about “News”" in preferences("en", [NEWS, SALE], "news")
    assert "「お知らせ」の配信を停止する" in preferences("ja", [NEWS, SALE], "news")
    assert "<legend>sale</legend>" in preferences("ja", [NEWS, SALE], "news")


def test_what_the_operator_wrote_is_escaped() -> None:
    assert "Once &lt;a week&gt;" in preferences("en", [NEWS, SALE], "")
    odd = Choice('"><script>', TopicText(name={"": "<b>"}))
    assert "<script" not in preferences("en", [odd, NEWS], '"><script>')
    assert "<b>" not in preferences("en", [odd, NEWS], '"><script>')


def test_what_is_known_is_marked_and_the_rest_left_open() -> None:
    page = preferences("en", [NEWS, SALE], "news")
    assert ['<input type="radio" name="topic.news" value="granted" checked>'] == re.findall(
        "<input[^>]* checked>", page
    )


class Outline(HTMLParser):
    """What a reader's program finds in the page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.language: str | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.tags.append(tag)
        if tag not in ("meta", "input"):
            self.open.append(tag)
        if tag == "html":
            self.language = known["lang"]
        if tag == "input" and known["type"] == "radio":
            assert "label" in self.open, "a choice without its words"
            assert "fieldset" in self.open, "a choice without its question"
        assert not {"src", "href", "onclick", "style"} & known.keys()

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop()


@pytest.mark.parametrize("language", ["en", "ja"])
def test_it_is_whole_and_can_be_read_aloud(language: str) -> None:
    """Its elements are closed, its language is said, each choice has its words; nothing is loaded or run."""
    for page in (
        preferences("ja" if language == "ja" else "en", [NEWS, SALE], "news", "saved"),
        preferences("ja" if language == "ja" else "en", [], ""),
        sorry("ja" if language == "ja" else "en", "unknown"),
    ):
        outline = Outline(page)
        assert [] == outline.open
        assert language == outline.language
        assert {"title", "h1", "main"} <= set(outline.tags)
        assert not {"script", "img", "link", "iframe", "a"} & set(outline.tags)


def test_the_policy_allows_its_own_style_and_nothing_else() -> None:
    page = preferences("en", [NEWS], "news")
    [style] = re.findall(r"<style>(.*?)</style>", page)
    allowed = b64encode(sha256(style.encode()).digest()).decode()
    policy = headers()["content-security-policy"]
    assert f"default-src 'none'; style-src 'sha256-{allowed}'; form-action 'self'" in policy
    assert "frame-ancestors 'none'" in policy


def test_one_topic_needs_no_list() -> None:
    assert "<fieldset>" not in preferences("en", [Choice("news", NEWS.text)], "news")
    assert "<fieldset>" in preferences("en", [NEWS], "")
