"""``kikkake journeys schema`` prints the schema of each kind of file."""

from __future__ import annotations

import json

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
