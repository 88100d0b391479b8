"""Every image's program, as the image runs it, when it cannot start: one clear line, exit code 1, no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import JOURNEYS, ROOT
from tests.servers.process import free_port

pytestmark = pytest.mark.integration


def last_words(service: str, **settings: str | Path) -> list[str]:
    """Run ``service`` to its end, which is exit code 1, and return what it said itself; its log is JSON."""
    variables = {f"KIKKAKE_{name.upper()}": str(value) for name, value in settings.items()}
    ended = subprocess.run(
        [sys.executable, "-m", f"services.{service}"],
        cwd=ROOT,
        env={**os.environ, "KIKKAKE_WRITE_KEYS": "wk", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 1 == ended.returncode, ended.stderr
    return [line for line in ended.stderr.splitlines() if not line.startswith("{")]


@pytest.mark.parametrize("service", ["ingest", "evaluator", "dispatcher"])
def test_a_setting_that_is_none(service: str) -> None:
    assert ["kikkake: KIKKAKE_PARTITIONS: Input should be greater than or equal to 1"] == last_words(
        service, partitions="0"
    )


def test_no_journeys_folder(tmp_path: Path) -> None:
    assert [
        f"kikkake: there is no journeys folder {tmp_path}/nowhere; name it with --journeys or KIKKAKE_JOURNEYS"
    ] == last_words("evaluator", journeys=tmp_path / "nowhere", data=tmp_path)


@pytest.mark.parametrize("service", ["evaluator", "dispatcher"])
def test_no_broker(service: str, tmp_path: Path) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    assert [f"kikkake: no Kafka answers at {nobody} (KIKKAKE_KAFKA_BOOTSTRAP)"] == last_words(
        service, journeys=JOURNEYS, data=tmp_path, kafka_bootstrap=nobody, health_port="0"
    )
