"""docs/providers.md has every kind of provider with each of its words, and no other."""

from __future__ import annotations

import re

from services.dispatcher.channels.kinds import Word
from services.dispatcher.channels.registry import KINDS
from services.dispatcher.providers import COMMON
from tests.builders import ROOT

PAGE = (ROOT / "docs/providers.md").read_text(encoding="utf-8")


def rows(text: str) -> list[tuple[str, str, str]]:
    return [
        (name, default, about)
        for name, default, about in re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    ]


def default_of(word: Word) -> str:
    match word.default:
        case None | "":
            return "needed" if word.needed else "none"
        case bool():
            return f"`{str(word.default).lower()}`"
        case _ if word.form == "duration":
            return f"`{word.default:g}s`"
        case _:
            return f"`{word.default}`"


def test_every_kind_has_its_words() -> None:
    sections = dict(re.findall(r"^## `(\w+)` \(.+?\)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
    assert set(KINDS) == set(sections)
    for name, kind in KINDS.items():
        assert [(word.name, default_of(word), word.about) for word in kind.words] == rows(sections[name]), name


def test_every_kind_says_its_channels() -> None:
    said = dict(re.findall(r"^## `(\w+)` \((.+?)\)$", PAGE, re.MULTILINE))
    assert {name: ", ".join(kind.channels) for name, kind in KINDS.items()} == said


def test_the_words_of_every_provider_are_there() -> None:
    head = PAGE.partition("\n## ")[0]
    assert set(COMMON) == {name for name, _, _ in rows(head)}
