"""docs/templates.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import cli
from shared.journeys.conditions import CHANNELS
from shared.journeys.faults import JourneyFaultsError
from shared.journeys.layouts import parse_layout
from shared.journeys.templates import ATTACHMENT, PARTS, parse_template
from shared.rendering import ROOTS
from tests.builders import ROOT
from tests.unit.docs.pages import blocks, table

PAGE = ROOT / "docs/templates.md"
LAYOUTS = {
    layout.id: layout
    for layout in (
        parse_layout("page", block) for block in blocks(PAGE, "yaml") if block.startswith("schema: layout/v1")
    )
}


def named(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


def test_the_page_lists_the_parts_of_each_channel() -> None:
    rows = [(channel, row) for row in table("docs/templates.md", "## Channels and parts") for channel in named(row[0])]
    assert sorted(CHANNELS) == sorted(channel for channel, _ in rows)
    for channel, row in rows:
        required, optional = PARTS.get(channel, (("text",), ()))
        assert (sorted(required), sorted(optional)) == (sorted(named(row[1])), sorted(named(row[2]))), channel


def test_the_page_has_an_example_of_each_channel_and_part() -> None:
    shown = {
        (channel, part)
        for block in blocks(PAGE, "yaml")
        if not block.startswith("schema: layout/v1")
        for channels in parse_template("page", block, LAYOUTS).locales.values()
        for channel, parts in channels.items()
        for part in parts
    }
    known = {(channel, part) for channel in CHANNELS for part in sum(PARTS.get(channel, (("text",), ())), ())}
    assert set() == known - shown - {("web_push", "url")}


def test_the_page_lists_the_words_of_an_attachment() -> None:
    assert [list(ATTACHMENT)] == [
        [word for row in table("docs/templates.md", "## Files and images") for word in named(row[0])]
    ]


def test_the_page_lists_the_roots_and_the_words_below_them() -> None:
    rows = table("docs/templates.md", "## Liquid")
    assert set(ROOTS) == {root for row in rows for root in named(row[0])}
    for row in rows:
        for root in named(row[0]):
            assert set(ROOTS[root]) <= set(named(row[1])), root


def test_the_error_that_the_page_shows_is_the_one_that_is_printed(tmp_path: Path) -> None:
    data = tmp_path / "data.yaml"
    data.write_text("contact: {email: a@example.jp}\ncontext: {product: Kettle, cart_id: k1}\n")
    arguments = ["templates", "preview", "cart/remind_1", "--data", str(data), "--journeys", str(ROOT / "journeys")]
    result = CliRunner().invoke(cli, arguments)
    assert 1 == result.exit_code
    assert f"--data data.yaml\n{result.output}```" in PAGE.read_text()


def test_the_faults_that_the_page_shows_are_the_ones_that_are_found() -> None:
    shown = re.findall(
        r"^journeys/templates/cart/remind.yaml:(\d+):(\d+): fault: (.*)$", PAGE.read_text(), re.MULTILINE
    )
    wrong = blocks(PAGE, "yaml")[0].replace("{{ context.product }}?", "{{ contct.product }}?")
    wrong = wrong.replace("<mj-text>", "<mj-txt>").replace("</mj-text>", "</mj-txt>")
    with pytest.raises(JourneyFaultsError) as caught:
        parse_template("remind.yaml", wrong)
    assert [(int(line), int(column), message) for line, column, message in shown] == [
        (fault.line, fault.column, fault.message) for fault in caught.value.faults
    ]
