"""An import as a whole: every line once, in order, through refusals, outages and a process that is killed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner

from cli.importing.lines import Lines
from cli.importing.mapping import Reading
from cli.importing.progress import Record
from cli.importing.run import BATCH_CALLS, import_lines
from cli.importing.sending import Sender, StoppedError
from cli.main import cli
from shared.errors import ConfigurationError
from tests.unit.ingest.sites import Site

WHEN = "2025-01-02T10:00:00Z"


class Killed(BaseException):
    """The process is gone."""


class Machine:
    """Time that passes when somebody sleeps, and the answers of a server."""

    def __init__(self, site: Site, *answers: httpx2.Response | Exception | BaseException | None) -> None:
        """``answers`` come first, one a request; None: the site's own."""
        self.site = site
        self.now = 0
        self.slept: list[float] = []
        self.bodies: list[dict[str, Any]] = []
        self._answers: Iterator[httpx2.Response | BaseException | None] = iter(answers)
        self.client = httpx2.Client(base_url="http://kikkake", transport=httpx2.MockTransport(self._answer))

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += round(seconds * 1000)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.bodies.append(json.loads(request.content))
        answer: httpx2.Response | BaseException | None = next(self._answers, None)
        if isinstance(answer, BaseException):
            raise answer
        if answer is not None:
            return answer
        found = self.site.http.post(request.url.path, content=request.content, headers=dict(request.headers))
        return httpx2.Response(found.status_code, content=found.content)

    def run(self, path: Path, *, again: bool = False, **options: Any) -> Record:
        record = Record(path, {"event": "X"}, again=again)
        sender = Sender(
            self.client,
            "WK",
            **{"historical": True, "clock": lambda: self.now, "sleep": self.sleep, **options},
        )
        with Lines(path, "ndjson", encoding="utf-8", delimiter=",") as lines:
            import_lines(lines, Reading(file=path.name, event="X"), sender, record, lambda _at: None)
        return record


def a_file(folder: Path, lines: int, *bad: int) -> Path:
    path = folder / "history.ndjson"
    good = '{{"userId": "u{}", "timestamp": "{}"}}'
    path.write_text("".join(("no\n" if n in bad else good.format(n, WHEN) + "\n") for n in range(1, lines + 1)))
    return path


def owners(site: Site) -> list[str | None]:
    return [event.user_id for event in site.events]


def refused(record: Record) -> list[tuple[int, str]]:
    lines = record.report_path.read_text().splitlines() if record.report_path.exists() else []
    return [(told["line"], told["code"]) for told in map(json.loads, lines)]


def test_every_line_becomes_an_event_of_history_in_its_order(site: Site, tmp_path: Path) -> None:
    record = Machine(site).run(a_file(tmp_path, 1_203))
    assert [f"u{number}" for number in range(1, 1_204)] == owners(site)
    assert all(event.historical for event in site.events)
    assert (1_203, 0, True) == (record.progress.accepted, record.progress.refused, record.progress.finished)
    assert not record.report_path.exists()


def test_what_is_refused_here_or_there_is_reported_by_its_line(site: Site, tmp_path: Path) -> None:
    path = a_file(tmp_path, 700, 3, 650)
    path.write_text(path.read_text().replace('"u600"', '"undefined"'))
    record = Machine(site).run(path)
    assert [(3, "invalid_json"), (600, "illegal_distinct_id"), (650, "invalid_json")] == refused(record)
    assert (697, 697, 3) == (len(site.events), record.progress.accepted, record.progress.refused)


@pytest.mark.parametrize("when", [0, 1, 2])
def test_after_a_kill_the_same_command_loses_nothing_and_reports_nothing_twice(
    site: Site, tmp_path: Path, when: int
) -> None:
    """Killed before a batch left: it is sent once. Its repeats, when it had left, have the same ids."""
    path = a_file(tmp_path, 1_400, 5, 700)
    with pytest.raises(Killed):
        Machine(site, *[None] * when, Killed()).run(path)
    record = Machine(site).run(path)
    assert sorted(f"u{n}" for n in range(1, 1_401) if n not in (5, 700)) == sorted(map(str, owners(site)))
    assert [(5, "invalid_json"), (700, "invalid_json")] == refused(record)


def test_a_batch_that_was_taken_and_not_noted_is_repeated_with_the_same_ids(site: Site, tmp_path: Path) -> None:
    path = a_file(tmp_path, 20)
    lost = Machine(site)
    answer = lost._answer

    def taken(request: httpx2.Request) -> httpx2.Response:
        answer(request)
        raise Killed

    lost.client = httpx2.Client(base_url="http://kikkake", transport=httpx2.MockTransport(taken))
    with pytest.raises(Killed):
        lost.run(path)
    Machine(site).run(path)
    ids = [event.message_id for event in site.events]
    assert (40, 20, ids[:20]) == (len(ids), len(set(ids)), ids[20:])


def test_a_report_that_is_ahead_of_the_progress_is_cut_back(site: Site, tmp_path: Path) -> None:
    path = a_file(tmp_path, 10, 3)
    (tmp_path / "history.ndjson.refused.ndjson").write_text('{"line": 3, "code": "invalid_json", "mess')
    assert [(3, "invalid_json")] == refused(Machine(site).run(path))


def test_what_passes_is_waited_for_as_long_as_the_server_asks(site: Site, tmp_path: Path) -> None:
    busy = [httpx2.Response(status, headers={"retry-after": seconds}) for status, seconds in ((429, "7"), (503, "3"))]
    machine = Machine(site, *busy, httpx2.ConnectError("gone"), httpx2.Response(502), None)
    machine.run(a_file(tmp_path, 3))
    assert [7.0, 3.0, 4.0, 8.0] == machine.slept
    assert 3 == len(site.events)
    assert 1 == len({json.dumps(body) for body in machine.bodies})


def test_without_success_it_gives_up_and_goes_on_at_the_next_call(site: Site, tmp_path: Path) -> None:
    path = a_file(tmp_path, BATCH_CALLS + 5)
    with pytest.raises(StoppedError, match="no success for 600 s \\(503 http_error\\)"):
        Machine(site, None, *[httpx2.Response(503)] * 100).run(path)
    machine = Machine(site)
    machine.run(path)
    assert (BATCH_CALLS + 5, [5]) == (len(site.events), [len(body["batch"]) for body in machine.bodies])


def test_where_nobody_answers_at_first_it_says_so_at_once_and_gives_up_soon(site: Site, tmp_path: Path) -> None:
    heard: list[str] = []
    machine = Machine(site, *[httpx2.ConnectError("refused")] * 100)
    record = Record(a_file(tmp_path, 3), {}, again=False)
    sender = Sender(machine.client, "WK", historical=True, clock=lambda: machine.now, sleep=machine.sleep)
    sender.waited = heard.append
    with pytest.raises(StoppedError) as stopped:
        sender.send([b"{}"])
    record.close()
    assert "http://kikkake does not answer: ConnectError" == heard[0]
    assert "http://kikkake does not answer: ConnectError; is Kikkake running there? --url names another address" == str(
        stopped.value
    )
    assert [1.0, 2.0, 4.0, 8.0] == machine.slept


def test_an_outage_that_comes_later_is_waited_for_with_all_patience(site: Site, tmp_path: Path) -> None:
    away = [httpx2.ConnectError("refused")] * 8
    machine = Machine(site, None, *away)
    machine.run(a_file(tmp_path, BATCH_CALLS + 5))
    assert 8 == len(machine.slept)
    assert BATCH_CALLS + 5 == len(site.events)


def test_what_will_never_pass_stops_it_at_once(site: Site, tmp_path: Path) -> None:
    machine = Machine(site, httpx2.Response(401, json={"code": "invalid_write_key", "message": "not known here"}))
    with pytest.raises(StoppedError, match="401 invalid_write_key: not known here"):
        machine.run(a_file(tmp_path, 3))
    assert [] == machine.slept


def test_a_batch_that_is_too_large_is_halved_until_one_call_is(site: Site, tmp_path: Path) -> None:
    large = httpx2.Response(413, json={"code": "too_large", "message": "larger"})
    machine = Machine(site, large, None, large, large, None)
    record = machine.run(a_file(tmp_path, 4))
    assert [4, 2, 2, 1, 1] == [len(body["batch"]) for body in machine.bodies]
    assert (["u1", "u2", "u4"], [(3, "too_large")]) == (owners(site), refused(record))


def test_a_rate_is_kept(site: Site, tmp_path: Path) -> None:
    machine = Machine(site)
    machine.run(a_file(tmp_path, 3 * BATCH_CALLS), rate=100.0)
    assert [5.0, 5.0] == machine.slept


def test_an_import_that_was_begun_otherwise_is_not_gone_on_with(site: Site, tmp_path: Path) -> None:
    path = a_file(tmp_path, 3)
    Machine(site).run(path)
    with pytest.raises(ConfigurationError, match="begun with another file or other options"):
        Record(path, {"event": "Y"}, again=False)
    path.write_text(path.read_text() + "\n")
    with pytest.raises(ConfigurationError, match="begin anew with --again"):
        Record(path, {"event": "X"}, again=False)
    assert 3 == Machine(site).run(path, again=True).progress.accepted


def command(monkeypatch: pytest.MonkeyPatch, site: Site) -> Callable[..., Any]:
    made, transport = httpx2.Client, httpx2.MockTransport(Machine(site)._answer)

    def client(**options: Any) -> httpx2.Client:
        return made(base_url=options["base_url"], transport=transport)

    monkeypatch.setattr(httpx2, "Client", client)
    return lambda *arguments: CliRunner().invoke(cli, ["import", *map(str, arguments), "--write-key", "WK", "--quiet"])


def test_the_command_maps_columns_and_says_what_came_of_it(
    monkeypatch: pytest.MonkeyPatch, site: Site, tmp_path: Path
) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("no,mail,joined\nc1,a@shop.example,2025-01-02\nc2,b@shop.example,\n")
    run = command(monkeypatch, site)
    options = ("--type", "identify", "--map", "userId=no", "--map", "traits.email=mail", "--map", "timestamp=joined")
    result = run(path, *options)
    expected = (
        f"{path}: 1 event accepted, 1 refused: see {path}.refused.ndjson\n"
        "  1 no_timestamp, first in line 3: the line does not say when it happened (`timestamp`)\n"
    )
    assert (1, expected) == (result.exit_code, result.stdout), result.exception
    assert [("identify", {"email": "a@shop.example"}, True)] == [
        (event.type, event.traits, event.historical) for event in site.events
    ]
    again = run(path, *options)
    assert (0, f"{path} was imported already; --again imports it once more\n") == (again.exit_code, again.stderr)
    live = run(path, *options, "--start-journeys", "--again")
    assert (0, [False, False]) == (live.exit_code, [event.historical for event in site.events[1:]])


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("a.bin", (), "give --format csv or --format ndjson"),
        ("a.ndjson", ("--map", "userId=x"), "--map is for CSV"),
        ("a.csv", ("--map", "user=x"), "is no FIELD=COLUMN"),
        ("a.csv", ("--url", "shop.example"), "an address is like http://127.0.0.1:8000"),
        ("a.csv", ("--url", "http://[::"), "an address is like http://127.0.0.1:8000"),
        ("a.csv", ("--url", "http://shop:port"), "an address is like http://127.0.0.1:8000"),
        ("a.csv", ("--url", "http://shop example"), "an address is like http://127.0.0.1:8000"),
        ("a.csv", ("--encoding", "nope"), "nope is not known"),
        ("a.csv", ("--encoding", "utf-16"), "in which a line ends with one byte"),
        ("a.csv", ("--delimiter", "ab"), "one character"),
        ("a.csv", ("--delimiter", ""), "one character"),
    ],
)
def test_a_call_that_makes_no_sense_is_explained(
    monkeypatch: pytest.MonkeyPatch, site: Site, tmp_path: Path, name: str, options: tuple[str, ...], said: str
) -> None:
    (tmp_path / name).write_text("x\n")
    result = command(monkeypatch, site)(tmp_path / name, *options)
    assert 2 == result.exit_code
    assert said in " ".join(result.stderr.replace("\n", " ").split())


@pytest.mark.parametrize("key", ["cl\u00e9", "a\nb"])
def test_a_write_key_that_no_header_can_carry_is_refused(site: Site, tmp_path: Path, key: str) -> None:
    """Else it is tried again for all of the patience."""
    path = a_file(tmp_path, 1)
    result = CliRunner().invoke(cli, ["import", str(path), "--write-key", key])
    assert (2, True) == (result.exit_code, "printable ASCII" in result.stderr)


def test_a_damaged_gzip_file_is_named(monkeypatch: pytest.MonkeyPatch, site: Site, tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson.gz"
    path.write_bytes(gzip.compress(b"{}\n" * 99)[:10] + b"\xff" * 20)
    result = command(monkeypatch, site)(path)
    assert isinstance(result.exception, ConfigurationError)
    assert str(result.exception).startswith(f"cannot read {path} to its end: ")


def test_a_column_that_is_not_there_stops_it_before_anything_is_refused(
    monkeypatch: pytest.MonkeyPatch, site: Site, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("no,joined\nc1,2025-01-02\n")
    result = command(monkeypatch, site)(path, "--map", "userId=nr", "--map", "timestamp=joined")
    assert isinstance(result.exception, ConfigurationError)
    assert "no column is called nr; there are no, joined" == str(result.exception)
    assert b"" == Path(f"{path}.refused.ndjson").read_bytes()
    assert (
        0
        == command(monkeypatch, site)(path, "--map", "userId=no", "--map", "timestamp=joined", "--event", "X").exit_code
    )


def test_a_patience_of_less_than_nothing_is_none(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_text("")
    result = CliRunner().invoke(cli, ["import", str(path), "--write-key", "WK", "--patience", "-1"])
    assert 2 == result.exit_code
    assert "--patience" in result.output
