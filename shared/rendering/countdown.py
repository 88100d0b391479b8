"""Liquid's ``countdown``: the address of a picture of the time that is left, drawn when somebody looks at it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import msgspec
from liquid import RenderContext
from liquid.exceptions import LiquidError
from liquid.filter import with_context

from shared.rendering.dates import instant

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


class Countdown(msgspec.Struct, frozen=True, array_like=True):
    """A picture of the time until ``deadline`` (ms since the epoch); colours are RGB, such as 0x1f2933."""

    deadline: int
    color: int
    background: int


Address = Callable[[Countdown], str | None]
"""Returns where a picture is drawn; None: nowhere, for nobody said where links lead."""

PLACEHOLDER = "https://link.example/t/i/countdown"


def placeholder(_countdown: Countdown) -> str:
    """Return what stands for a picture's address where none can be made: in tests and simulations."""
    return PLACEHOLDER


_address: ContextVar[Address] = ContextVar("address", default=placeholder)


@contextmanager
def addressed_by(address: Address) -> Iterator[None]:
    """Have pictures drawn where ``address`` says, for the block."""
    token = _address.set(address)
    try:
        yield
    finally:
        _address.reset(token)


@with_context
def countdown(
    value: object, *, color: object = "#1f2933", background: object = "#ffffff", context: RenderContext
) -> str:
    """Return the address of a picture of the time until ``value``, a time as ``date`` takes it.

    One without an offset is a time of the contact's own clock. Raises LiquidError.
    """
    at = instant(value, context)
    address = _address.get()(Countdown(at, _rgb("color", color), _rgb("background", background)))
    if address is None:
        raise LiquidError("countdown: no links are set up", token=None)
    return address


def _rgb(name: str, value: object) -> int:
    if not isinstance(value, str) or not _COLOR.fullmatch(value):
        raise LiquidError(f"countdown: `{name}` is a colour such as #1f2933", token=None)
    return int(value[1:], 16)
