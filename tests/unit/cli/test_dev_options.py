"""``kikkake dev``: what it refuses before it serves, in one clear text."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli import main as program
from services.standalone import app as standalone
from services.standalone.app import Standalone
from services.standalone.journey_time import note_journey_time
from services.standalone.storage.database import Database
from services.standalone.storage.deliveries import SqliteDeliveries
from services.standalone.storage.folder import claim_folder
from services.standalone.storage.log import SqliteLog
from shared.clock import system_clock
from tests.builders import JOURNEYS


def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """Return what ``kikkake dev`` says when it ends with exit code 1."""
    monkeypatch.setattr("sys.argv", ["kikkake", "dev", "--port", "0", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert 1 == ended.value.code
    return capsys.readouterr().err


def test_a_missing_journeys_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(monkeypatch, capsys, "--journeys", tmp_path / "nowhere", "--data", tmp_path / "data")
    assert (
        f"kikkake: there is no journeys folder {tmp_path}/nowhere; name it with --journeys or KIKKAKE_JOURNEYS\n"
        == said
    )


def test_faults_of_journeys_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_text("")
    said = told(monkeypatch, capsys, "--journeys", tmp_path, "--data", tmp_path / "data")
    assert f"kikkake: {tmp_path}/a.yaml:1:1: the file is empty; it starts with `schema:`\n" == said


def test_an_empty_write_key_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unset variable in a script must not open the ingest to everybody."""
    said = told(monkeypatch, capsys, "--journeys", JOURNEYS, "--data", tmp_path / "data", "--write-key", "")
    expected = "a write key is empty: anybody could send events; leave --write-key out or name one"
    assert f"kikkake: {expected}\n" == said


@pytest.mark.parametrize("url", ["http://mail", "mail", "smtp://mail:port", "smtp://[mail"])
def test_an_smtp_address_that_is_none_is_refused(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(monkeypatch, capsys, "--journeys", JOURNEYS, "--data", tmp_path / "data", "--smtp", url)
    assert said.startswith("kikkake: --smtp or KIKKAKE_SMTP_URL must be smtp://")
    assert 1 == len(said.splitlines())


@pytest.mark.parametrize("sender", ["Shop", "", "Shop <>", "a@b\nBcc: c@d"])
def test_a_sender_that_is_no_address_is_refused(
    sender: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--journeys", JOURNEYS, "--data", tmp_path / "data", "--smtp", "smtp://mail", "--email-from", sender)
    said = told(monkeypatch, capsys, *options)
    where = "--email-from or KIKKAKE_EMAIL_FROM"
    assert f"kikkake: {where} is no address; write one, or 'Name <address>'\n" == said


def test_a_port_in_use_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = told(monkeypatch, capsys, "--journeys", JOURNEYS, "--data", tmp_path / "data", "--port", str(port))
    assert f"kikkake: cannot serve on 127.0.0.1:{port}: Address already in use; name another with --port\n" == said


def test_a_folder_in_use_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = claim_folder(tmp_path)
    said = told(monkeypatch, capsys, "--journeys", JOURNEYS, "--data", tmp_path)
    os.close(lock)
    assert f"kikkake: another kikkake uses {tmp_path}; name another folder with --data\n" == said


def test_broken_credentials_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "credentials.json").write_bytes(b"")
    said = told(monkeypatch, capsys, "--journeys", JOURNEYS, "--data", tmp_path)
    assert said.startswith(f"kikkake: {tmp_path}/credentials.json is not what was once written to it: ")
    assert 1 == len(said.splitlines())


def test_a_folder_of_another_time_stays_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its records lie in the clock's future, so nothing would happen until then."""

    async def make_scaled() -> None:
        database = Database(tmp_path)
        await note_journey_time(SqliteDeliveries(database, SqliteLog(database, system_clock)), 60, system_clock)
        await database.close()

    asyncio.run(make_scaled())
    said = told(monkeypatch, capsys, "--journeys", JOURNEYS, "--data", tmp_path, "--speed", "1")
    assert (
        "kikkake: this data folder has run with --speed other than 1, so its time is not the clock's: "
        "name another folder with --data, or go on with a --speed\n"
    ) == said


def test_the_password_of_the_smtp_server_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a process says at its start is kept in logs."""

    async def serve_not(host: Standalone, listener: socket.socket) -> None:
        listener.close()
        await host.database.close()

    monkeypatch.setattr(standalone, "serve", serve_not)
    options = [
        "--journeys",
        JOURNEYS,
        "--data",
        tmp_path,
        "--smtp",
        "smtp://quillow:s%40cret@mail.example:587?starttls=1",
    ]
    monkeypatch.setattr("sys.argv", ["kikkake", "dev", "--port", "0", *map(str, options)])
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert 0 == ended.value.code
    said = capsys.readouterr().out
    assert "messages     mails to smtp://mail.example:587; all others to http://" in said
    assert "quillow" not in said
    assert "cret" not in said


@pytest.mark.parametrize("arguments", [["--speed", "0"], ["--port", "70000"], ["--durability", "some"]])
def test_a_value_out_of_range_is_exit_code_2(arguments: list[str]) -> None:
    assert 2 == CliRunner().invoke(program.cli, ["dev", *arguments]).exit_code


def test_a_fault_of_the_keys_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = tmp_path / "keys.yaml"
    keys.write_text("schema: keys/v1\nsources: {shop: {keys: [{kye: a}]}}\n")
    monkeypatch.setenv("KIKKAKE_KEYS_FILE", str(keys))
    said = told(monkeypatch, capsys, "--journeys", JOURNEYS, "--data", tmp_path / "data")
    assert f"kikkake: {keys}:2:26: unknown key `kye`; did you mean `key`?\n" == said
