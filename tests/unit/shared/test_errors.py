"""What a log may hold of an error."""

from __future__ import annotations

import pytest

from shared.errors import BadMessageError, ConfigurationError, loggable
from shared.messages import codec


def test_the_words_of_a_bad_message_are_logged_where_they_are_ours() -> None:
    assert "BadMessageError: the record has no key" == loggable(BadMessageError("the record has no key"))


@pytest.mark.parametrize("error", [ValueError("taro@example.jp"), KeyError("taro"), ConfigurationError("taro")])
def test_of_any_other_error_the_type_is_logged(error: Exception) -> None:
    assert type(error).__name__ == loggable(error)


def test_a_decoders_words_are_not_logged() -> None:
    """They quote what was read."""
    with pytest.raises(BadMessageError, match="taro") as refused:
        codec.EVENTS.decode(b'\x01\x00{"kind":"taro@example.jp"}')
    assert "BadMessageError" == loggable(refused.value)
