"""Which keys count when."""

from __future__ import annotations

import pytest

from services.ingest.errors import UnauthorizedError
from services.ingest.keys import Keys, Source, WriteKey, plain_keys

SHOP = Source(name="shop")
KEYS = Keys(
    write_keys={
        "old": WriteKey(source=SHOP, not_after=200),
        "new": WriteKey(source=SHOP, not_before=100),
    }
)


@pytest.mark.parametrize(
    ("now", "old", "new"),
    [(99, "old", "write_key_not_yet_valid"), (100, "old", "new"), (200, "write_key_expired", "new")],
)
def test_keys_overlap_while_they_are_exchanged(now: int, old: str, new: str) -> None:
    def found(key: str) -> str | None:
        try:
            return KEYS.find([key], now)
        except UnauthorizedError as error:
            return error.code

    assert (old, new) == (found("old"), found("new"))


def test_one_that_counts_is_found_behind_one_that_does_not() -> None:
    assert "new" == KEYS.find(["nobody's", "old", "new"], 300)


def test_one_that_is_nobodys() -> None:
    assert KEYS.find(["nobody's"], 0) is None


def test_plain_keys_are_a_source_each_that_does_not_say_the_key() -> None:
    keys = plain_keys(["a", "b", "a"]).keys.write_keys
    assert {"a": "key_1", "b": "key_2"} == {key: found.source.name for key, found in keys.items()}
