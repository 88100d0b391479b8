"""The lines of a file: whatever is in it, in bounded memory, and each with its number."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from cli.importing.lines import LINE_BYTES, Fault, Form, Lines, form_of
from shared.errors import ConfigurationError


def read(path: Path, content: bytes, form: Form = "csv", **options: str) -> list[tuple[int, Any]]:
    path.write_bytes(content)
    with Lines(path, form, **{"encoding": "utf-8", "delimiter": ",", **options}) as lines:
        found = list(lines)
        assert path.stat().st_size == lines.position == lines.size
    return [(line.number, line.row.code if isinstance(line.row, Fault) else line.row) for line in found]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history"


@pytest.mark.parametrize(
    ("name", "form"),
    [("a.csv", "csv"), ("a.CSV.gz", "csv"), ("a.ndjson", "ndjson"), ("a.jsonl.gz", "ndjson"), ("a.xlsx", None)],
)
def test_the_name_of_a_file_says_what_it_is(name: str, form: Form | None) -> None:
    assert form == form_of(Path(name))


def test_rows_of_csv_are_texts_by_their_columns(path: Path) -> None:
    """A cell may hold a line break and a quote; the row has the number of its first line."""
    content = b'\xef\xbb\xbfid, name\r\n1,"Aki, A."\r\n\r\n2,"two\r\nlines"\r\n3,"a ""word"""\r\n'
    expected = [
        (2, {"id": "1", "name": "Aki, A."}),
        (4, {"id": "2", "name": "two\r\nlines"}),
        (6, {"id": "3", "name": 'a "word"'}),
    ]
    assert expected == read(path, content)


def test_a_row_that_is_none_is_told_and_the_next_one_is_read(path: Path) -> None:
    content = b'id,name\n1\n2,x,y\n3,"open"quote\n4,good\n'
    assert [(2, "invalid_csv"), (3, "invalid_csv"), (4, "invalid_csv"), (5, {"id": "4", "name": "good"})] == read(
        path, content
    )


def test_a_quote_that_does_not_close_says_which_lines_it_takes_in(tmp_path: Path) -> None:
    """All of them are lost to it; a spreadsheet shows nothing of the kind."""
    file = tmp_path / "a.csv"
    file.write_bytes(b'id,name\n1,good\n2,"open\n3,lost\n4,lost\n')
    with Lines(file, "csv", encoding="utf-8", delimiter=",") as lines:
        last = list(lines)[-1]
    fault = "a quote that does not close takes in the lines 3 to 5: unexpected end of data"
    assert (3, ("invalid_csv", fault)) == (last.number, last.row)


def test_another_encoding_and_delimiter_are_asked_for(path: Path) -> None:
    content = "id\tname\n1\t急須\n".encode("cp932")
    assert [(2, {"id": "1", "name": "急須"})] == read(path, content, encoding="cp932", delimiter="\t")
    assert [(2, "invalid_encoding")] == read(path, content, delimiter="\t")


@pytest.mark.parametrize("header", [b"id,id", b"id,", b'"",id'])
def test_columns_have_names_of_their_own(path: Path, header: bytes) -> None:
    with pytest.raises(ConfigurationError, match="the first row names the columns"):
        read(path, header + b"\n1,2\n")


def test_lines_of_json_are_objects(path: Path) -> None:
    content = b'{"a": 1}\n\n[1]\n{"a": \n\xff\n' + b"[" * 100_000 + b'\n{"b": 2}'
    expected = [
        (1, {"a": 1}),
        *((number, "invalid_json") for number in (3, 4, 5, 6)),
        (7, {"b": 2}),
    ]
    assert expected == read(path, content, "ndjson")


def test_a_line_of_any_length_is_passed_over_without_being_kept(path: Path) -> None:
    long = b'{"a": "' + b"x" * (3 * LINE_BYTES) + b'"}\n'
    assert [(1, "line_too_long"), (2, {"a": 1})] == read(path, long + b'{"a": 1}\n', "ndjson")
    assert [(2, "line_too_long"), (3, {"a": "1"})] == read(path, b"a\n" + b"x" * (3 * LINE_BYTES) + b"\n1\n")


def test_a_gzipped_file_is_known_by_its_bytes_and_one_that_breaks_off_says_so(path: Path) -> None:
    packed = gzip.compress(b'{"a": 1}\n' * 5)
    assert [(number, {"a": 1}) for number in range(1, 6)] == read(path, packed, "ndjson")
    with pytest.raises(EOFError):
        read(path, packed[:-9], "ndjson")
