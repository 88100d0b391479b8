"""docs/sdks.md names the libraries and versions that the tests install."""

from __future__ import annotations

import json
import re

from tests.builders import ROOT

SDKS = ROOT / "tests" / "sdks"
TOOLS = {"esbuild", "playwright-core", "line-bot-sdk"}


def test_the_table_names_what_is_installed() -> None:
    table = dict(
        re.findall(r"^\| `([^`]+)` \| [^|]+ \| ([0-9.]+) \|", (ROOT / "docs/sdks.md").read_text(), re.MULTILINE)
    )
    python = dict(re.findall(r"^([a-z-]+)==(\S+)$", (SDKS / "requirements.in").read_text(), re.MULTILINE))
    node: dict[str, str] = json.loads((SDKS / "package.json").read_text())["dependencies"]
    assert {name: version for name, version in (python | node).items() if name not in TOOLS} == table
