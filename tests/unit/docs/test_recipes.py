"""The recipes: each journey in journeys/ has its pages, its picture, its tests and its texts in two languages."""

from __future__ import annotations

import re
from typing import get_args

import pytest
from click.testing import CliRunner

from cli.main import cli
from cli.simulator.documents import read_tests
from shared.journeys.faults import Fault
from shared.journeys.files import load_definitions
from shared.journeys.flow.mermaid import draw
from shared.journeys.flow.phrases import Language
from shared.journeys.model import Journey, Notify, Send, all_steps
from tests.builders import JOURNEYS, ROOT
from tests.unit.docs.pages import blocks

RECIPES = load_definitions(JOURNEYS).journeys
IDS = [journey.id for journey in RECIPES]
PAGES = {"en": "docs/recipes/{}.md", "ja": "docs/recipes/ja/{}.md"}
INDEX = (ROOT / "docs/recipes.md").read_text()


def test_the_pages_are_those_of_the_journeys_in_every_language() -> None:
    assert set(get_args(Language)) == set(PAGES)
    for pattern in PAGES.values():
        folder = (ROOT / pattern.format("x")).parent
        assert sorted(IDS) == sorted(page.stem for page in folder.glob("*.md"))


@pytest.mark.parametrize("language", get_args(Language))
@pytest.mark.parametrize("journey", RECIPES, ids=IDS)
def test_the_picture_on_the_page_is_the_one_that_is_printed(journey: Journey, language: Language) -> None:
    [shown] = blocks(ROOT / PAGES[language].format(journey.id), "mermaid")
    assert draw(journey, language) == shown


def test_the_command_prints_the_picture_of_the_page() -> None:
    for language, pattern in PAGES.items():
        arguments = ["journeys", "flow", str(JOURNEYS / "winback.yaml"), "--language", language]
        printed = CliRunner().invoke(cli, arguments).stdout
        assert [printed] == blocks(ROOT / pattern.format("winback"), "mermaid")


@pytest.mark.parametrize("journey", IDS)
def test_the_index_leads_to_every_page_and_every_page_to_the_other_language(journey: str) -> None:
    for pattern in PAGES.values():
        assert f"]({pattern.format(journey).removeprefix('docs/')})" in INDEX
    assert f"](ja/{journey}.md)" in (ROOT / PAGES["en"].format(journey)).read_text()
    assert f"](../{journey}.md)" in (ROOT / PAGES["ja"].format(journey)).read_text()


def test_the_readme_says_how_many_there_are() -> None:
    assert f"{len(IDS)} [recipes](docs/recipes.md)" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("journey", IDS)
def test_a_recipe_has_five_scenarios_or_more(journey: str) -> None:
    faults: list[Fault] = []
    file = JOURNEYS / f"{journey}.test.yaml"
    scenarios = read_tests(str(file), file.read_text(), RECIPES, faults)
    assert [] == faults
    assert 5 <= len(scenarios)


@pytest.mark.parametrize("journey", RECIPES, ids=IDS)
def test_contacts_are_written_to_in_english_and_japanese_by_every_channel(journey: Journey) -> None:
    for step in all_steps(journey.steps):
        if isinstance(step, Send):
            assert {"en", "ja"} <= step.template.locales.keys(), step.id
            for locale in ("en", "ja"):
                assert set(step.channels) <= step.template.locales[locale].keys(), (step.id, locale)


@pytest.mark.parametrize("journey", RECIPES, ids=IDS)
def test_a_marketing_mail_leads_out_of_it_and_a_transactional_one_has_nothing_to_leave(journey: Journey) -> None:
    for step in all_steps(journey.steps):
        if isinstance(step, Send) and "email" in step.channels:
            policy = journey.policy if step.policy is None else step.policy
            for texts in step.template.locales.values():
                for part in ("mjml", "text"):
                    leads_out = "message.unsubscribe_url" in texts["email"][part]
                    assert (policy.purpose == "marketing") == leads_out, (step.id, part)


@pytest.mark.parametrize("journey", RECIPES, ids=IDS)
def test_what_is_for_the_eye_is_named_for_those_who_hear_it(journey: Journey) -> None:
    for step in all_steps(journey.steps):
        if not isinstance(step, Send | Notify):
            continue
        for locale, texts in step.template.locales.items():
            mjml = texts.get("email", {}).get("mjml", "")
            assert all(' alt="' in image for image in re.findall(r"<mj-image[^>]*>", mjml))
            assert not mjml or f'<mjml lang="{locale}">' in mjml
