"""The bodies that real clients send, and those that nobody should."""

from __future__ import annotations

import base64
import gzip
import zlib

import pytest

from services.ingest.body import Body, decode_body, decode_data, decode_in_pieces
from services.ingest.errors import BadBodyError, TooLargeError

JSON = b'{"userId": "u1"}'
DATA = {"userId": "u1"}


@pytest.mark.parametrize(
    "raw",
    [
        JSON,
        b"\xef\xbb\xbf" + JSON,
        gzip.compress(JSON, mtime=0),
        b"data=" + base64.b64encode(JSON),
        b"data=" + base64.b64encode(gzip.compress(JSON, mtime=0)).replace(b"+", b"%2B").replace(b"/", b"%2F"),
        b"data=" + base64.b64encode(JSON) + b"&compression=base64",
        b"data=%7B%22userId%22%3A%20%22u1%22%7D",
        zlib.compress(JSON),
        zlib.compress(JSON, 1),
    ],
    ids=["plain", "bom", "gzip", "form-base64", "form-gzip", "form-more-fields", "form-json", "zlib", "zlib-fast"],
)
def test_the_bytes_say_what_they_are(raw: bytes) -> None:
    """Content-Type and Content-Encoding are not even asked for: the clients lie in both."""
    assert DATA == decode_body(raw).value


@pytest.mark.parametrize(
    "value",
    [
        base64.b64encode(b'{"a": "\xc3\xbf\xc3\xbe??>>"}'),
        base64.b64encode(b'{"a": "\xc3\xbf\xc3\xbe??>>"}').replace(b"+", b" ").rstrip(b"="),
        base64.urlsafe_b64encode(b'{"a": "\xc3\xbf\xc3\xbe??>>"}'),
        b' {"a": "\xc3\xbf\xc3\xbe??>>"}',
    ],
    ids=["base64", "plus-unescaped", "url-safe", "json"],
)
def test_a_field_data_is_json_or_any_base64_of_it(value: bytes) -> None:
    assert {"a": "\u00ff\u00fe??>>"} == decode_data(value).value


def test_a_list_is_for_the_format_to_judge() -> None:
    assert [1, 2] == decode_body(b"[1, 2]").value


def test_the_size_is_that_of_the_json() -> None:
    """Limits are on what was said, not on how well it was compressed."""
    assert len(JSON) == decode_body(gzip.compress(JSON, mtime=0)).size


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "empty_body"),
        (b"  \n", "empty_body"),
        (gzip.compress(b"", mtime=0), "empty_body"),
        (b"{", "invalid_json"),
        (b"null", "invalid_json"),
        (b"NaN", "invalid_json"),
        (b'{"a": NaN}', "invalid_json"),
        (b'{"a": "\xff"}', "invalid_json"),
        (b'{"a": "\\ud800"}', "invalid_json"),
        (b'{"a": 1e999}', "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
        (gzip.compress(JSON, mtime=0)[:-10], "invalid_json"),
        (b"\x1f\x8bnot gzip", "invalid_json"),
        (b"data=***", "invalid_json"),
    ],
)
def test_what_is_not_a_json_object_is_refused(raw: bytes, code: str) -> None:
    with pytest.raises(BadBodyError) as caught:
        decode_body(raw)
    assert code == caught.value.code


def test_a_bomb_is_not_inflated() -> None:
    """200 MB of zeros in 200 KB: only the limit's worth is ever in memory."""
    bomb = gzip.compress(b"0" * 200_000_000, compresslevel=1)
    with pytest.raises(TooLargeError):
        decode_body(bomb, limit=1_000_000)


def test_a_large_plain_body_is_refused() -> None:
    with pytest.raises(TooLargeError):
        decode_body(b'{"a": "' + b"x" * 1000 + b'"}', limit=1000)


def test_nul_characters_stay() -> None:
    assert {"a": "x\x00y"} == decode_body(b'{"a": "x\\u0000y"}').value


def in_pieces(raw: bytes) -> Body | str | None:
    pieces = decode_in_pieces(raw)
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            found: Body | None = end.value
            return found
        except BadBodyError as error:
            return error.code


@pytest.mark.parametrize(
    "raw",
    [
        b"[]",
        b'[1, {"a": [1.5, null]}, "\xe9\x89\x84"]',
        b'{"batch": [], "api_key": "k"}',
        b'{"sent_at": "x", "batch": [{"a": 1}, {"b": {"c": 2}}], "context": {"d": "\\u00e9"}}',
        b'{"batch": [1], "batch": [2], "a": 1, "a": 2}',
    ],
)
def test_a_body_read_in_pieces_is_what_it_is_read_at_once(raw: bytes) -> None:
    assert decode_body(raw) == in_pieces(raw)


@pytest.mark.parametrize(
    "raw", [b"{}", b'{"a": 1}', b'{"batch": 5}', b'{"batch": [1', b"7", b" [1]", b"\xef\xbb\xbf{}"]
)
def test_what_cannot_be_read_in_pieces_is_left_whole(raw: bytes) -> None:
    assert in_pieces(raw) is None


@pytest.mark.parametrize("item", [b"\xff", b"\xed\xa0\x80"])
def test_a_piece_that_is_no_text_is_refused(item: bytes) -> None:
    assert "invalid_json" == in_pieces(b'{"batch": ["' + item + b'"]}') == refusal_of(b'{"batch": ["' + item + b'"]}')


def refusal_of(raw: bytes) -> str:
    with pytest.raises(BadBodyError) as raised:
        decode_body(raw)
    return raised.value.code
