"""What was refused, in a few lines on the terminal."""

from __future__ import annotations

from pathlib import Path

from cli.importing.report import summary


def test_each_reason_once_the_most_frequent_first(tmp_path: Path) -> None:
    report = tmp_path / "a.refused.ndjson"
    report.write_text(
        '{"line":2,"code":"invalid_cell","message":"amount: no number"}\n'
        '{"line":3,"code":"no_timestamp","message":"the line does not say when"}\n'
        '{"line":9,"code":"no_timestamp","message":"the line does not say when"}\n'
        '{"line":10,"code":"invalid_cell","message":"total: no number"}\n'
        '{"line":11,"code":"invalid_json","message":"no JSON"}\n'
    )
    assert [
        "2 invalid_cell, first in line 2: amount: no number",
        "2 no_timestamp, first in line 3: the line does not say when",
        "1 invalid_json, first in line 11: no JSON",
    ] == summary(report)
