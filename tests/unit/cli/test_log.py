"""``kikkake log``: a folder is recorded as it is at one moment, and a recording is decided again."""

from __future__ import annotations

import asyncio
import json
import stat
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import cli
from cli.recording import RECORDED, read_recording
from cli.simulator.engine import simulate
from services.standalone.storage.database import Database
from services.standalone.storage.log import SqliteLog
from shared.errors import ConfigurationError
from shared.log import Output
from tests.builders import a_journey, at
from tests.unit.cli.simulator.recordings import a_log, a_recording, lines_of, write
from tests.unit.cli.simulator.worlds import PATIENT, did, known, written

JOURNEYS = [a_journey(PATIENT)]


def kikkake(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)


@pytest.fixture
def journeys(tmp_path: Path) -> Path:
    folder = tmp_path / "journeys"
    folder.mkdir()
    (folder / "patient.yaml").write_text(PATIENT)
    return folder


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    log = a_log(written(simulate(JOURNEYS, [*known(), did("Began", "09:00")], until=at("10:00"))))
    return write(tmp_path / "live.ndjson", lines_of(a_recording(JOURNEYS, log)))


async def publish(folder: Path, *outputs: Output) -> None:
    database = Database(folder, "process")
    await SqliteLog(database, lambda: 1_000).publish(outputs)
    await database.close()


def test_a_folder_is_recorded_while_its_process_runs(tmp_path: Path) -> None:
    async def run() -> Result:
        database = Database(tmp_path / "data", "process")
        await SqliteLog(database, lambda: 1_000).publish([Output("events", b"u:c1", b"\x01\x00{}")])
        try:
            return kikkake("log", "record", "--data", tmp_path / "data", "--out", tmp_path / "out.ndjson")
        finally:
            await database.close()

    result = asyncio.run(run())
    assert (0, "6 records\n") == (result.exit_code, result.stdout)
    with (tmp_path / "out.ndjson").open("rb") as lines:
        found = list(read_recording("out", lines))
    assert [*RECORDED, "events"] == [it.topic for it in found]
    assert (1, 1_000, b"u:c1", b"\x01\x00{}") == (
        found[-1].record.offset,
        found[-1].record.timestamp,
        found[-1].record.key,
        found[-1].record.value,
    )


def test_a_recording_is_for_its_owner_alone(tmp_path: Path) -> None:
    """It holds personal data."""
    asyncio.run(publish(tmp_path / "data"))
    kikkake("log", "record", "--data", tmp_path / "data", "--out", tmp_path / "out.ndjson")
    assert 0o600 == stat.S_IMODE((tmp_path / "out.ndjson").stat().st_mode)


def test_a_file_that_exists_is_replaced_on_demand_only(tmp_path: Path) -> None:
    asyncio.run(publish(tmp_path / "data"))
    out = tmp_path / "out.ndjson"
    out.write_text("older")
    with pytest.raises(ConfigurationError, match=r"out\.ndjson exists already; .* or replace it with --force"):
        kikkake("log", "record", "--data", tmp_path / "data", "--out", out)
    assert "older" == out.read_text()
    assert 0 == kikkake("log", "record", "--data", tmp_path / "data", "--out", out, "--force").exit_code
    assert "older" != out.read_text()


def test_a_recording_that_fails_leaves_the_older_one(tmp_path: Path) -> None:
    (tmp_path / "out.ndjson").write_text("older")
    with pytest.raises(ConfigurationError, match=r"there is no .*kikkake\.db; name the folder that `kikkake dev"):
        kikkake("log", "record", "--data", tmp_path, "--out", tmp_path / "out.ndjson", "--force")
    assert "older" == (tmp_path / "out.ndjson").read_text()
    assert [tmp_path / "out.ndjson"] == list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"cannot write .*nowhere/out: No such file or directory; name another"
    ):
        kikkake("log", "record", "--data", tmp_path, "--out", tmp_path / "nowhere" / "out")


def test_a_recording_that_agrees_is_exit_code_0(recording: Path, journeys: Path) -> None:
    result = kikkake("log", "check", recording, "--journeys", journeys)
    assert (0, "") == (result.exit_code, result.stderr)
    assert [
        "6 records of events: 3 decisions, 1 command, 0 cancels, 0 emitted events decided the same",
        "0 repeated, 0 withdrawn, 0 not recorded yet, 0 put aside, 0 differences",
    ] == result.stdout.splitlines()


def test_other_journeys_decide_otherwise_and_that_is_exit_code_1(recording: Path, journeys: Path) -> None:
    (journeys / "patient.yaml").write_text(PATIENT.replace("45m", "44m"))
    result = kikkake("log", "check", recording, "--journeys", journeys)
    assert 1 == result.exit_code
    lines = result.stderr.splitlines()
    place = lines.index("line 4: recorded other than decided")
    said = [(line.split()[0], json.loads(line.split(maxsplit=1)[1])) for line in lines[place + 1 : place + 3]]
    assert [("recorded", at("09:45")), ("decided", at("09:44"))] == [(word, record["at"]) for word, record in said]
    assert "nothing is decided as it was recorded" not in result.stderr
    assert result.stdout.endswith(" differences\n")
    assert not result.stdout.endswith(" 0 differences\n")


def test_of_many_differences_twenty_are_shown(tmp_path: Path, journeys: Path) -> None:
    """One slip makes many."""
    arrivals = [
        it for number in range(30) for it in (*known(f"c{number}"), did("Began", "09:00", contact=f"c{number}"))
    ]
    log = a_log(written(simulate(JOURNEYS, arrivals, until=at("09:01"))))
    file = write(tmp_path / "live.ndjson", lines_of(a_recording(JOURNEYS, log)))
    (journeys / "patient.yaml").write_text(PATIENT.replace("version: 3", "version: 4"))
    result = kikkake("log", "check", file, "--journeys", journeys)
    *lines, more, hint = result.stderr.splitlines()
    assert (20, "… and 10 more") == (sum(not line.startswith("  ") for line in lines), more)
    assert hint == (
        f"nothing is decided as it was recorded: perhaps these journeys ({journeys}) are not those that ran;"
        " name their folder with --journeys"
    )


def test_simulate_prints_the_decisions_of_a_recording(recording: Path, journeys: Path) -> None:
    result = kikkake("journeys", "simulate", "--log", recording, "--journeys", journeys, "--explain")
    assert (0, "") == (result.exit_code, result.stderr)
    assert ["entered", "send", "sent"] == [
        line.partition('"decision": "')[2].partition('"')[0] for line in result.stdout.splitlines()
    ]
    assert '"next_timer_at": "2026-03-02T09:45:00+00:00"' in result.stdout.splitlines()[0]
    without = kikkake("journeys", "simulate", "--log", recording, "--journeys", journeys)
    assert "next_timer_at" not in without.stdout


def test_simulate_says_what_is_no_recording(tmp_path: Path, journeys: Path) -> None:
    (tmp_path / "day.ndjson").write_text('{"type": "track"}\n')
    with pytest.raises(ConfigurationError, match=r"day\.ndjson:1: expected .*recorded-log/v1"):
        kikkake("journeys", "simulate", "--log", tmp_path / "day.ndjson", "--journeys", journeys)


def test_without_the_packages_of_kafka_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The image of `kikkake dev` has none."""
    monkeypatch.delitem(sys.modules, "shared.kafka.admin", raising=False)
    monkeypatch.setitem(sys.modules, "aiokafka", None)
    monkeypatch.setitem(sys.modules, "aiokafka.admin", None)
    with pytest.raises(ConfigurationError, match=r"install kikkake\[evaluator\] to record the log of Kafka; .* --data"):
        kikkake("log", "record", "--out", tmp_path / "out.ndjson")
    assert [] == list(tmp_path.iterdir())
