"""``kikkake journeys schema`` prints the schema of each kind of file."""

from __future__ import annotations

import json
import sys

import pytest
from click.testing import CliRunner

from cli.main import cli
from tests.schemas import READERS, schema


@pytest.mark.parametrize("kind", READERS)
def test_each_kind_has_its_schema(kind: str) -> None:
    result = CliRunner().invoke(cli, ["journeys", "schema", "--kind", kind])
    assert 0 == result.exit_code
    assert schema(kind).schema == json.loads(result.stdout)


def test_without_a_kind_it_is_that_of_journeys() -> None:
    assert "journey/v1" == json.loads(CliRunner().invoke(cli, ["journeys", "schema"]).stdout)["title"]


def test_without_the_packages_of_the_dispatcher_every_other_kind_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("services.dispatcher.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    assert 0 == CliRunner().invoke(cli, ["journeys", "schema"]).exit_code
    refused = CliRunner().invoke(cli, ["journeys", "schema", "--kind", "connectors"]).exception
    assert "aiohttp is not installed: install kikkake[dispatcher]" == str(refused)
