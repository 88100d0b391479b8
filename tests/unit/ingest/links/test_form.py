"""The form of choices: RFC 8058's one click in both its forms, the page's fields, and nothing else."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.errors import BadBodyError
from services.ingest.links.form import choices_of, fields_of

TOPICS = ("news", "sale")
ONE_CLICK = b"List-Unsubscribe=One-Click"
MULTIPART = (
    b'--XX\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--XX--\r\n',
    'multipart/form-data; boundary="XX"',
)


@pytest.mark.parametrize(
    ("raw", "kind"), [(ONE_CLICK, "application/x-www-form-urlencoded"), (ONE_CLICK, ""), MULTIPART]
)
def test_one_click_in_either_form(raw: bytes, kind: str) -> None:
    assert {"news": "revoked"} == choices_of(fields_of(raw, kind), TOPICS, "news")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"topic.news": "granted", "topic.sale": "revoked"}, {"news": "granted", "sale": "revoked"}),
        ({"topic.sale": "granted"}, {"sale": "granted"}),
        ({"all": "revoked"}, {"news": "revoked", "sale": "revoked"}),
        ({"topic.other": "granted", "topic.news": "revoked"}, {"news": "revoked"}),
    ],
)
def test_the_pages_fields(fields: dict[str, str], expected: dict[str, str]) -> None:
    assert expected == choices_of(fields, TOPICS, "news")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"topic.other": "granted"},
        {"topic.news": "maybe"},
        {"all": "yes"},
        {"all": "granted"},
        {"list-unsubscribe": "One-Click"},
        {"List-Unsubscribe": "one-click"},
    ],
)
def test_what_chooses_nothing_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(BadBodyError):
        choices_of(fields, TOPICS, "news")


def test_one_click_needs_a_link_of_a_topic() -> None:
    with pytest.raises(BadBodyError):
        choices_of({"List-Unsubscribe": "One-Click"}, TOPICS, "")


def test_forms_within_forms_are_none() -> None:
    deep = b"".join(
        f'--b{n}\r\nContent-Type: multipart/mixed; boundary="b{n + 1}"\r\n\r\n'.encode() for n in range(400)
    )
    kind = 'multipart/form-data; boundary="b0"'
    with suppress(BadBodyError):
        assert {} == fields_of(deep, kind)


@given(st.binary(max_size=300), st.sampled_from(["", "text/plain", "multipart/form-data", MULTIPART[1]]))
def test_whatever_is_posted_is_read_or_refused(raw: bytes, kind: str) -> None:
    try:
        fields = fields_of(raw, kind)
    except BadBodyError:
        return
    assert all(isinstance(text, str) for pair in fields.items() for text in pair)
