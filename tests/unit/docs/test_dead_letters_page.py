"""docs/dead-letters.md: every option and everything that may become of a dead letter."""

from __future__ import annotations

from typing import get_args

import click

from cli.dead_letters import TOPICS, dead_letters
from services.ingest.dead_letters import Became, DeadTopic
from tests.unit.docs.pages import first_words

PAGE = "docs/dead-letters.md"


def test_every_option_is_explained() -> None:
    options = {
        option.opts[0]
        for command in dead_letters.commands.values()
        for option in command.params
        if isinstance(option, click.Option)
    }
    assert options == first_words(PAGE, "| option | default |")


def test_everything_that_may_become_of_one_is_explained() -> None:
    assert set(get_args(Became)) == first_words(PAGE, "| became | meaning |")


def test_the_command_knows_the_topics_that_the_routes_know() -> None:
    assert TOPICS == get_args(DeadTopic)
