"""Operations on values, by our null rules: nothing raises, null and what does not fit give null or false.

A clash of types is a doubt about data, not an error: it is counted, so that someone can look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

Value = None | bool | int | float | str | bytes | datetime | timedelta | list[Any] | dict[str, Any]
Scope = Mapping[str, Any]
"""The roots by name; each a mapping, but ``now``: milliseconds since the epoch, or an aware datetime."""
Compute = Callable[[Scope], Any]
Operation = Callable[[Any, Any, "Doubts"], Any]

_LEAST, _MOST = -(2**63), 2**63 - 1
_KINDS: dict[type, int] = {int: 1, float: 1, str: 2, bool: 3, datetime: 4, timedelta: 5}
"""Kinds whose values have an order, among themselves alone."""


class Doubts:
    """How often values did not fit what an expression does with them."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        """Start at none."""
        self.count = 0

    def note(self, *values: object) -> None:
        """Count a clash, unless a value is null: that is a rule, not a doubt."""
        if None not in values:
            self.count += 1


def equal(left: object, right: object) -> bool:
    """Return whether two values are the same. ``true`` is no number, 1 and 1.0 are one; depth costs no recursion."""
    waiting = [(left, right)]
    while waiting:
        a, b = waiting.pop()
        if isinstance(a, bool) or isinstance(b, bool):
            if a is not b:
                return False
        elif isinstance(a, list | tuple) and isinstance(b, list | tuple):
            if len(a) != len(b):
                return False
            waiting += zip(a, b, strict=True)
        elif isinstance(a, Mapping) and isinstance(b, Mapping):
            if a.keys() != b.keys():
                return False
            waiting += ((a[key], b[key]) for key in a)
        elif a != b:
            return False
    return True


def kind(value: object) -> int:
    """Return a number that values of one kind share; 0 for null."""
    if value is None:
        return 0
    if isinstance(value, list | tuple):
        return 6
    return 7 if isinstance(value, Mapping) else _KINDS.get(value.__class__, 8)


def comparable(left: object, right: object, doubts: Doubts) -> bool:
    """Return whether the two have an order between them."""
    found = _KINDS.get(left.__class__)
    if found is not None and found == _KINDS.get(right.__class__):
        return True
    doubts.note(left, right)
    return False


def number(value: object) -> bool:
    """Return whether arithmetic may use the value."""
    return value.__class__ is int or value.__class__ is float


def bounded(value: Any) -> Any:
    """Return a result, or null when it is a whole number of more than 64 bits."""
    return value if value.__class__ is not int or _LEAST <= value <= _MOST else None


def add(left: Any, right: Any, doubts: Doubts) -> Any:
    """Numbers, texts, lists, and time spans to times."""
    if number(left) and number(right):
        return bounded(left + right)
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return [*left, *right]
    if isinstance(left, datetime | timedelta) and isinstance(right, datetime | timedelta):
        return left + right  # type: ignore[operator]  # two datetimes raise TypeError, which `arithmetic` catches
    return doubts.note(left, right)


def subtract(left: Any, right: Any, doubts: Doubts) -> Any:
    """Numbers, and times from times."""
    if number(left) and number(right):
        return bounded(left - right)
    if isinstance(left, datetime | timedelta) and isinstance(right, datetime | timedelta):
        return left - right  # type: ignore[operator]  # as in `add`
    return doubts.note(left, right)


def multiply(left: Any, right: Any, doubts: Doubts) -> Any:
    """Numbers."""
    return bounded(left * right) if number(left) and number(right) else doubts.note(left, right)


def divide(left: Any, right: Any, doubts: Doubts) -> Any:
    """Numbers; two whole ones give a whole one, cut towards zero. By zero is null."""
    if not (number(left) and number(right)):
        return doubts.note(left, right)
    if right == 0:
        return None
    if left.__class__ is float or right.__class__ is float:
        return left / right
    cut = abs(left) // abs(right)
    return bounded(cut if (left < 0) == (right < 0) else -cut)


def remainder(left: Any, right: Any, doubts: Doubts) -> Any:
    """Whole numbers; the sign is the left one's. By zero is null."""
    if left.__class__ is not int or right.__class__ is not int:
        return doubts.note(left, right)
    if right == 0:
        return None
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def negative(value: Any, doubts: Doubts) -> Any:
    """Return a number's negative."""
    return bounded(-value) if number(value) else doubts.note(value)


def arithmetic(operation: Operation, left: Any, right: Any, doubts: Doubts) -> Any:
    """Return the operation's result, or null where it has none that fits."""
    try:
        return operation(left, right, doubts)
    except OverflowError:
        return None
    except TypeError:
        return doubts.note(left, right)


def size(value: Any, doubts: Doubts) -> Any:
    """Return the number of characters, items or keys."""
    return len(value) if isinstance(value, str | list | tuple | Mapping | bytes) else doubts.note(value)


def within(value: Any, collection: Any, doubts: Doubts) -> bool:
    """Return whether a list holds the value or a map the key."""
    if isinstance(collection, list | tuple):
        return any(equal(value, item) for item in collection)
    if isinstance(collection, Mapping):
        return isinstance(value, str | int) and not isinstance(value, bool) and value in collection
    doubts.note(collection)
    return False


def item(of: Any, key: Any) -> Any:
    """Return the value under a key or at an index, else null."""
    if isinstance(of, Mapping):
        return of.get(key) if isinstance(key, str | int) and not isinstance(key, bool) else None
    if isinstance(of, list | tuple) and key.__class__ is int and 0 <= key < len(of):
        return of[key]
    return None
