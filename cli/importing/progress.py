"""How far an import has come, on disk beside its file: what a run that was killed goes on from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from shared.errors import ConfigurationError
from shared.ids import derived_id


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Every line up to ``line`` was accepted or refused, and the first ``report_bytes`` of the report tell of those.

    ``options`` is a digest of how lines become calls: with others it would be another import.
    """

    options: str
    size: int
    line: int = 0
    accepted: int = 0
    refused: int = 0
    report_bytes: int = 0
    finished: bool = False


class Record:
    """The progress and the report of one file's import. One process at a time."""

    def __init__(self, path: Path, options: dict[str, Any], *, again: bool) -> None:
        """Take up what is known of ``path``, or begin. Raises ConfigurationError when it was begun otherwise."""
        self.state_path = path.with_name(f"{path.name}.import.json")
        self.report_path = path.with_name(f"{path.name}.refused.ndjson")
        digest = derived_id("import-options", *(str(part) for pair in sorted(options.items()) for part in pair))
        fresh = Progress(options=digest, size=path.stat().st_size)
        self.progress = fresh if again else self._known() or fresh
        if (self.progress.options, self.progress.size) != (fresh.options, fresh.size):
            raise ConfigurationError(
                f"the import of {path} was begun with another file or other options: {self.state_path} says so; "
                "give the same ones, or begin anew with --again"
            )
        self._report = self.report_path.open("ab")
        self._report.truncate(self.progress.report_bytes)

    def _known(self) -> Progress | None:
        try:
            return msgspec.json.decode(self.state_path.read_bytes(), type=Progress)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise ConfigurationError(f"cannot read {self.state_path}: {error}; begin anew with --again") from error

    def note(self, *, line: int, accepted: int, refused: list[dict[str, Any]]) -> None:
        """Note that every line up to ``line`` is dealt with. The report is on disk before the progress says so."""
        for one in refused:
            self._report.write(msgspec.json.encode(one) + b"\n")
        self._report.flush()
        os.fsync(self._report.fileno())
        known = self.progress
        self._save(
            msgspec.structs.replace(
                known,
                line=line,
                accepted=known.accepted + accepted,
                refused=known.refused + len(refused),
                report_bytes=self._report.tell(),
            )
        )

    def finish(self) -> None:
        """Note that the whole file is dealt with; a report of nothing is taken away."""
        self._save(msgspec.structs.replace(self.progress, finished=True))
        self.close()
        if not self.progress.refused:
            self.report_path.unlink()

    def close(self) -> None:
        """Close the report."""
        self._report.close()

    def _save(self, progress: Progress) -> None:
        beside = self.state_path.with_name(f"{self.state_path.name}.new")
        with beside.open("wb") as file:
            file.write(msgspec.json.encode(progress))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.state_path)
        self.progress = progress
