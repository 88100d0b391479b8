"""What is too deep, too long or too much of one event."""

from __future__ import annotations

import pytest

from services.ingest.body import encoded
from services.ingest.errors import InvalidEventError
from services.ingest.limits import Limits, check_shape


def fault(event: object, **limits: int) -> str | None:
    try:
        check_shape(event, encoded(event), Limits(**limits))
    except InvalidEventError as error:
        return error.code
    return None


def test_depth_counts_lists_and_objects() -> None:
    assert fault({"a": [1]}, depth=2) is None
    assert "too_deep" == fault({"a": [[1]]}, depth=2)
    assert "too_deep" == fault({"a": [[]]}, depth=2)


def test_depth_is_looked_at_only_as_deep_as_allowed() -> None:
    """A body that the JSON reader took, a thousand levels deep, does not overflow ours."""
    deep: object = 1
    for _ in range(10_000):
        deep = [deep]
    with pytest.raises(InvalidEventError, match="deeper than 32 levels"):
        check_shape(deep, b"[" * 10_000)


@pytest.mark.parametrize("event", [{"a": "xxxx"}, {"a": ["xxxx"]}, {"xxxx": 1}], ids=["value", "in a list", "name"])
def test_a_text_anywhere_has_its_length(event: object) -> None:
    assert fault(event, string_length=4) is None
    assert "string_too_long" == fault(event, string_length=3)


def test_length_is_in_characters() -> None:
    assert fault({"a": "きっかけ"}, string_length=4) is None


def test_properties_are_the_members_of_all_objects_together() -> None:
    event = {"a": {"b": 1}, "c": [{"d": 1}, {"e": 1}]}
    assert fault(event, properties=5) is None
    assert "too_many_properties" == fault(event, properties=4)
