"""The pages that users read, and what the tests take out of them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.builders import ROOT

PAGES = sorted(
    [page for page in (ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md") if page.exists()]
    + list((ROOT / "docs").rglob("*.md"))
)
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    """Return the page's fenced blocks in ``language``."""
    return [body for found, body in _FENCED.findall(page.read_text()) if found == language]


def prose(page: Path) -> str:
    """Return the page without its fenced blocks."""
    return _FENCED.sub("", page.read_text())


def table(page: str, heading: str = "") -> list[list[str]]:
    """Return the cells of the first table of ``page`` behind ``heading``, without its first two lines."""
    text = (ROOT / page).read_text()
    assert heading in text, f"{page} has no {heading!r}"
    lines = text[text.index(heading) :].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|---"))
    rows = []
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def first_words(page: str, heading: str) -> set[str]:
    """Return what the first column of that table names."""
    return {row[0].strip("`") for row in table(page, heading)}
