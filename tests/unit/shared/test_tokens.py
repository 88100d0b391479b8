"""Secret bearer tokens."""

from __future__ import annotations

import pytest

from shared.tokens import Tokens


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_each_of_them_opens(scheme: str) -> None:
    tokens = Tokens(["one", "two"])
    assert all(tokens.open({"authorization": f"{scheme} {token}"}) for token in ("one", "two", " two "))


@pytest.mark.parametrize("said", [None, "", "Bearer", "Bearer on", "Basic one", "one", "Bearer one two"])
def test_nothing_else_does(said: str | None) -> None:
    headers = {} if said is None else {"authorization": said}
    assert not Tokens(["one", "two"]).open(headers)
    assert not Tokens([]).open(headers)


def test_no_token_is_kept_as_it_is() -> None:
    assert "one" not in str(vars(Tokens(["one"])))
    assert (True, False) == (bool(Tokens(["one"])), bool(Tokens([])))
