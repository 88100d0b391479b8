"""The recorded-log format: what is read is what was written, byte for byte, and a file that is none says what it is."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.recording import RECORDED, Recorder, read_recording
from shared.errors import ConfigurationError
from shared.log import LogRecord

HEADER = b'{"schema":"recorded-log/v1"}\n'
LINE = b'{"topic":"%s","partition":%d,"offset":%d,"timestamp":1,"key":null,"value":"x"}\n'

contents = st.none() | st.binary(max_size=4) | st.sampled_from([s.encode() for s in ("ä\u2028", '\0"\\\n', "急須🎉")])
records = st.lists(st.tuples(st.integers(0, 2**53), contents, contents), max_size=5)


@given(st.dictionaries(st.tuples(st.integers(0, 9), st.sampled_from(RECORDED)), records))
def test_what_is_read_is_what_was_written(drawn: dict[tuple[int, str], list[tuple[int, bytes, bytes]]]) -> None:
    out = io.BytesIO()
    recorder = Recorder(out)
    written = []
    for partition in range(10):
        for topic in RECORDED:
            found = [LogRecord(number * 3, *it) for number, it in enumerate(drawn.get((partition, topic), []))]
            recorder.write(topic, partition, found)
            written += [(topic, partition, it) for it in found]
    read = list(read_recording("log", out.getvalue().splitlines(keepends=True)))
    assert written == [(it.topic, it.partition, it.record) for it in read]
    assert list(range(2, len(written) + 2)) == [it.line for it in read]
    assert len(written) == recorder.records


def test_a_line_is_a_record_that_people_can_read() -> None:
    out = io.BytesIO()
    Recorder(out).write(
        "journal", 3, [LogRecord(7, 1_772_420_400_000, b"u:\xc3\xa4", b"\x01\x00{}"), LogRecord(9, 1, None, b"\xff")]
    )
    assert [
        HEADER.decode().strip(),
        r'{"topic":"journal","partition":3,"offset":7,"timestamp":1772420400000,"key":"u:ä","value":"\u0001\u0000{}"}',
        '{"topic":"journal","partition":3,"offset":9,"timestamp":1,"key":null,"value":{"base64":"/w=="}}',
    ] == out.getvalue().decode().splitlines()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            [],
            'log:1: expected {"schema": "recorded-log/v1"}; `kikkake log record` makes such files, and `--events`',
        ),
        ([b'{"type": "track"}\n'], "log:1: expected"),
        (
            [b'{"schema":"recorded-log/v2"}\n'],
            'log:1: expected {"schema": "recorded-log/v1"}; `kikkake log record` makes',
        ),
        ([HEADER, b"nonsense\n"], "log:2: not a record: "),
        ([HEADER, LINE % (b"journal", 0, 0), b'{"topic":"events","par'], "the file is cut short: record it again"),
        ([HEADER, LINE % (b"deliveries", 0, 0)], "log:2: not a record: Invalid enum value 'deliveries'"),
        ([HEADER, LINE % (b"journal", 0, 1), LINE % (b"journal", 0, 1)], "log:3: out of order"),
        ([HEADER, LINE % (b"events", 0, 0), LINE % (b"journal", 0, 1)], "log:3: out of order"),
        ([HEADER, LINE % (b"journal", 1, 0), LINE % (b"events", 0, 0)], "log:3: out of order"),
    ],
)
def test_a_file_that_is_none_says_where(lines: list[bytes], said: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        list(read_recording("log", lines))
    assert said in str(raised.value)
