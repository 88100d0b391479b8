"""``kikkake journeys list`` and the orders, where there is no Kafka."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import JOURNEYS, ROOT
from tests.servers.process import free_port


@pytest.mark.parametrize(
    "words", [["list"], ["drain", "cart"], ["stop", "cart"], ["publish", str(JOURNEYS)]], ids=lambda words: words[0]
)
def test_one_line_says_which_address_does_not_answer_and_which_setting_it_is(words: list[str]) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    assert (
        f"kikkake: cannot read or change what is published on Kafka: no Kafka answers at {nobody}"
        " (KIKKAKE_KAFKA_BOOTSTRAP); `kikkake dev` has the journeys of its folder and takes no orders\n"
    ) == last_words("journeys", *words, bootstrap=nobody)


def test_the_same_for_a_recording(tmp_path: Path) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    assert (
        f"kikkake: cannot record the log of Kafka: no Kafka answers at {nobody} (KIKKAKE_KAFKA_BOOTSTRAP);"
        " the data folder of `kikkake dev` is recorded with --data\n"
    ) == last_words("log", "record", "--out", str(tmp_path / "out"), bootstrap=nobody)


def last_words(*words: str, bootstrap: str) -> str:
    """Return all that the command says; another process, since what a library logs goes past click's runner."""
    ended = subprocess.run(
        [sys.executable, "-m", "cli", *words],
        cwd=ROOT,
        env={"KIKKAKE_KAFKA_BOOTSTRAP": bootstrap, "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (1, "") == (ended.returncode, ended.stdout)
    return ended.stderr
