"""A program that cannot start says why in one line and ends with exit code 1."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from services.dispatcher.settings import DispatcherSettings
from services.ingest.settings import IngestSettings
from shared.entry import run_main
from shared.errors import ConfigurationError
from shared.log import LogUnavailableError
from shared.settings import ServiceSettings


def said_by(main: Callable[[], object], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        run_main(main)
    assert 1 == ended.value.code
    return capsys.readouterr().err


@pytest.mark.parametrize("kind", [ConfigurationError, LogUnavailableError])
def test_an_error_of_ours_is_its_text(kind: type[Exception], capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise kind("no broker answers")

    assert "kikkake: no broker answers\n" == said_by(main, capsys)


@pytest.mark.parametrize(
    ("settings", "name", "value", "fault"),
    [
        (DispatcherSettings, "PARTITIONS", "0", "Input should be greater than or equal to 1"),
        (
            DispatcherSettings,
            "PARTITIONS",
            "secret",
            "Input should be a valid integer, unable to parse string as an integer",
        ),
        (IngestSettings, "TRUSTED_PROXIES", "10.0.0.0/8, all", "value is not a valid IPv4 or IPv6 network"),
        (ServiceSettings, "LOG_LEVEL", "loud", "String should match pattern '(?i)^(debug|info|warning|error)$'"),
        (ServiceSettings, "LOG_FORMAT", "xml", "String should match pattern '^(json|console)$'"),
    ],
)
def test_a_setting_that_is_none_is_named_without_its_value(
    settings: type[ServiceSettings],
    name: str,
    value: str,
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(f"KIKKAKE_{name}", value)
    assert f"kikkake: KIKKAKE_{name}: {fault}\n" == said_by(settings, capsys)


def test_each_setting_that_is_none_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KIKKAKE_PARTITIONS", "0")
    monkeypatch.setenv("KIKKAKE_IN_FLIGHT", "0")
    fault = "Input should be greater than or equal to 1"
    assert f"kikkake: KIKKAKE_PARTITIONS: {fault}; KIKKAKE_IN_FLIGHT: {fault}\n" == said_by(DispatcherSettings, capsys)


def test_a_bug_is_no_fault_of_the_operators() -> None:
    with pytest.raises(ZeroDivisionError):
        run_main(lambda: 1 // 0)


def test_what_ends_well_ends_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    run_main(lambda: None)
    assert ("", "") == capsys.readouterr()
