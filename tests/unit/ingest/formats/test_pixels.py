"""A call in the query of an image's address."""

from __future__ import annotations

import pytest

from services.ingest.errors import IngestError
from services.ingest.formats.pixels import from_query

LIMIT = 100_000


def test_a_dot_leads_into_an_object() -> None:
    body = from_query(b"", {"writeKey": "WK", "event": "X", "properties.a.b": "1", "properties.a.c": "2"}, LIMIT)
    assert {"event": "X", "properties": {"a": {"b": "1", "c": "2"}}} == body.value


def test_its_size_is_that_of_the_call() -> None:
    assert len(b'{"event":"X"}') == from_query(b"", {"event": "X"}, LIMIT).size


def test_what_stands_in_the_way_of_a_path_gives_way() -> None:
    assert {"a": {"b": "2"}} == from_query(b"", {"a": "1", "a.b": "2"}, LIMIT).value


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"data": "W10="}, "invalid_json"),
        ({"data": "{"}, "invalid_json"),
        ({"data": "*"}, "invalid_json"),
        ({"a" + ".a" * 40: "1"}, "too_deep"),
        ({".".join("a" * 10_000): "1"}, "too_deep"),
    ],
)
def test_what_is_no_call_is_refused(query: dict[str, str], code: str) -> None:
    with pytest.raises(IngestError) as caught:
        from_query(b"", query, LIMIT)
    assert code == caught.value.code
