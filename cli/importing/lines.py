"""The lines of a file, one after another: NDJSON or CSV, gzipped or not. Bounded memory, however large the file."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, NamedTuple, Self, cast

import msgspec

from shared.errors import ConfigurationError

Form = Literal["csv", "ndjson"]
LINE_BYTES = 1024 * 1024
"""Of a line. An event has 32 KiB at most; what is longer than this is not even read whole."""
_GZIP = b"\x1f\x8b"
_ENDINGS: dict[str, Form] = {".csv": "csv", ".tsv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "ndjson"}


class Fault(NamedTuple):
    """Why a line is none: a code for machines, a message for people."""

    code: str
    message: str


class Line(NamedTuple):
    """One line, or in CSV one row: the ``number`` of its first line, and what it holds or why it holds nothing.

    ``raw`` is its text, by which repeats of it are told.
    """

    number: int
    raw: str
    row: dict[str, Any] | Fault


def form_of(path: Path) -> Form | None:
    """Return the form that the file's name speaks of, None: of none."""
    name = path.name.lower().removesuffix(".gz")
    return next((form for ending, form in _ENDINGS.items() if name.endswith(ending)), None)


class Lines:
    """An open file. Iterating gives its lines from the first, without those that are empty."""

    def __init__(self, path: Path, form: Form, *, encoding: str, delimiter: str, columns: Collection[str] = ()) -> None:
        """Open ``path``; whether it is gzipped its bytes say. ``columns``: those that CSV must have. Raises OSError."""
        self._raw = path.open("rb")
        self.size = path.stat().st_size
        packed = self._raw.read(2) == _GZIP
        self._raw.seek(0)
        self._file = cast("IO[bytes]", gzip.GzipFile(fileobj=self._raw)) if packed else self._raw
        self._form, self._encoding, self._delimiter, self._columns = form, encoding, delimiter, columns

    @property
    def position(self) -> int:
        """How many bytes of the file, as it lies on disk, were read."""
        return self._raw.tell()

    def __iter__(self) -> Iterator[Line]:
        """Read on.

        Raises OSError, EOFError and zlib.error for a file that breaks off or is damaged, ConfigurationError for CSV
        whose columns have no names or are not those that it must have.
        """
        return self._rows() if self._form == "csv" else self._objects()

    def __enter__(self) -> Self:
        """Be closed at the end of the block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the file."""
        self._raw.close()

    def _texts(self) -> Iterator[tuple[int, str, bool]]:
        """Yield number and text of each line, and whether it was cut; bytes that are no text stand as surrogates."""
        number = 0
        while piece := self._file.readline(LINE_BYTES):
            number += 1
            cut = not piece.endswith(b"\n") and len(piece) == LINE_BYTES
            rest = piece
            while cut and rest and not rest.endswith(b"\n"):
                rest = self._file.readline(LINE_BYTES)
            text = piece.decode(self._encoding, "surrogateescape")
            yield number, text.removeprefix("\ufeff") if number == 1 else text, cut

    def _objects(self) -> Iterator[Line]:
        for number, text, cut in self._texts():
            if text.strip():
                yield Line(number, text, _too_long() if cut else _object(text))

    def _rows(self) -> Iterator[Line]:
        said: list[str] = []
        cut = [False]

        def texts() -> Iterator[str]:
            for _, text, is_cut in self._texts():
                said.append(text)
                cut[0] = cut[0] or is_cut
                yield text

        rows = csv.reader(texts(), delimiter=self._delimiter, strict=True)
        header: list[str] | None = None
        first = 1
        while True:
            found: dict[str, Any] | Fault | None = None
            try:
                cells = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                cells, found = [], _no_row(error, first, rows.line_num)
            number, first, raw = first, rows.line_num + 1, "".join(said)
            said.clear()
            was_cut, cut[0] = cut[0], False
            if not cells and found is None:
                continue
            if header is None:
                header = [cell.strip() for cell in cells]
                if len(set(header)) < len(header) or not all(header):
                    raise ConfigurationError("the first row names the columns, each by a name of its own")
                missing = [name for name in self._columns if name not in header]
                if missing:
                    raise ConfigurationError(f"no column is called {', '.join(missing)}; there are {', '.join(header)}")
                continue
            yield Line(number, raw, _too_long() if was_cut else found or _row(header, cells, raw))


def _object(text: str) -> dict[str, Any] | Fault:
    try:
        value = msgspec.json.decode(text.encode("utf-8", "surrogateescape"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Fault("invalid_json", f"no JSON: {error}")
    return value if isinstance(value, dict) else Fault("invalid_json", "no JSON object")


def _row(header: list[str], cells: list[str], raw: str) -> dict[str, Any] | Fault:
    if len(cells) != len(header):
        return Fault("invalid_csv", f"{len(cells)} cells under {len(header)} columns")
    if any("\udc80" <= character <= "\udcff" for character in raw):
        return Fault("invalid_encoding", "bytes that are no text in this encoding; name another with --encoding")
    return dict(zip(header, cells, strict=True))


def _no_row(error: csv.Error, first: int, last: int) -> Fault:
    """Return what is wrong with what stands in the lines ``first`` to ``last``, none of which is read."""
    if last == first:
        return Fault("invalid_csv", f"no row of CSV: {error}")
    return Fault("invalid_csv", f"a quote that does not close takes in the lines {first} to {last}: {error}")


def _too_long() -> Fault:
    return Fault("line_too_long", f"a line of more than {LINE_BYTES} bytes")
