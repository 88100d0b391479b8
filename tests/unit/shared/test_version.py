"""The release's number is the same wherever it stands, and what others see of us has it."""

from __future__ import annotations

import re
import tomllib

import pytest
from click.testing import CliRunner

from cli.main import cli
from shared.version import USER_AGENT, VERSION
from tests.builders import ROOT


def test_the_package_and_the_images_have_it() -> None:
    assert VERSION == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert [VERSION] == re.findall(r"^ARG VERSION=(.+)$", (ROOT / "deploy/Dockerfile").read_text(), re.MULTILINE)


def test_the_command_says_it_without_the_package_being_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an image, which has the sources alone."""
    monkeypatch.setattr("importlib.metadata.version", None)
    assert f"cli, version {VERSION}\n" == CliRunner().invoke(cli, ["--version"]).stdout


def test_whoever_is_asked_sees_the_product_and_its_release() -> None:
    assert re.fullmatch(r"Kikkake/\d+\.\d+\.\d+", USER_AGENT)
