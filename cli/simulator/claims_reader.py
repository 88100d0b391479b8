"""The lines of ``expect`` to claims. A table: one form, one row."""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec

from cli.simulator.scenario import (
    Calls,
    Claim,
    Emits,
    Exits,
    Form,
    NeverSends,
    NotEntered,
    SendCount,
    Sends,
    Skips,
    TraitIs,
)
from cli.simulator.times import read_time
from cli.simulator.values import plain
from shared.journeys.conditions import CHANNELS
from shared.journeys.faults import shown, suggestion
from shared.journeys.reader import Node

ANY = "any"


class Frame(msgspec.Struct, frozen=True):
    """What a claim is read in: offsets count from ``start``; ``steps`` are the journey's."""

    start: int
    steps: Collection[str]


def read_claim(node: Node, frame: Frame) -> Claim | None:
    """Return the claim of one line of ``expect``."""
    if not node.expect(dict):
        return None
    found = [word for word in _FORMS if word in node.value]
    if len(found) != 1:
        words = ", ".join(_FORMS)
        unknown = [] if found else [key for key in node.value if key != "at"]
        hint = suggestion(unknown[0], _FORMS) if unknown else ""
        node.fault(f"a claim has exactly one of {words}{hint if 'did you mean' in hint else ''}")
        return None
    known, required, read = _FORMS[found[0]]
    fields = node.fields((found[0], *known), required)
    if not {found[0], *required} <= fields.keys():
        return None
    return Claim(node.line, read(fields, frame))


def _step(node: Node, frame: Frame) -> str:
    name = node.text()
    if name and name not in frame.steps:
        node.fault(f"the journey has no step {shown(name)}{suggestion(name, frame.steps)}")
    return name


def _step_or_any(node: Node, frame: Frame) -> str | None:
    fields = node.fields(("send",), ("send",))
    if "send" not in fields or fields["send"].value == ANY:
        return None
    return _step(fields["send"], frame)


def _at(fields: dict[str, Node], frame: Frame) -> int | None:
    return read_time(fields["at"], frame.start) if "at" in fields else None


def _sends(fields: dict[str, Node], frame: Frame) -> Form:
    contains = None
    if "render" in fields:
        inner = fields["render"].fields(("contains",), ("contains",))
        contains = inner["contains"].text() if "contains" in inner else None
    return Sends(
        step=_step(fields["send"], frame),
        at=_at(fields, frame),
        channel=fields["channel"].choice(CHANNELS, "channel") if "channel" in fields else None,
        contains=contains,
    )


def _exits(fields: dict[str, Node], frame: Frame) -> Form:
    regret = None
    if "regret" in fields:
        regret = tuple(_step(item, frame) for item in fields["regret"].items())
    return Exits(reason=fields["exit"].text(), at=_at(fields, frame), regret=regret)


def _skips(fields: dict[str, Node], frame: Frame) -> Form:
    return Skips(step=_step(fields["skip"], frame), reason=fields["reason"].text(), at=_at(fields, frame))


def _not_entered(fields: dict[str, Node], frame: Frame) -> Form:
    return NotEntered(reason=fields["not_entered"].text(), at=_at(fields, frame))


def _never(fields: dict[str, Node], frame: Frame) -> Form:
    return NeverSends(step=_step_or_any(fields["never"], frame))


def _count(fields: dict[str, Node], frame: Frame) -> Form:
    return SendCount(step=_step_or_any(fields["count"], frame), equals=fields["equals"].integer(0, 1_000_000))


def _calls(fields: dict[str, Node], frame: Frame) -> Form:
    return Calls(connector=fields["call"].text(), at=_at(fields, frame))


def _emits(fields: dict[str, Node], frame: Frame) -> Form:
    return Emits(event=fields["emit"].text(), at=_at(fields, frame))


def _trait(fields: dict[str, Node], _frame: Frame) -> Form:
    return TraitIs(name=fields["trait"].text(), value=plain(fields["is"]))


_Reader = Callable[[dict[str, Node], Frame], Form]
_FORMS: dict[str, tuple[tuple[str, ...], tuple[str, ...], _Reader]] = {
    "send": (("at", "channel", "render"), (), _sends),
    "exit": (("at", "regret"), (), _exits),
    "skip": (("at", "reason"), ("reason",), _skips),
    "not_entered": (("at",), (), _not_entered),
    "never": ((), (), _never),
    "count": (("equals",), ("equals",), _count),
    "call": (("at",), (), _calls),
    "emit": (("at",), (), _emits),
    "trait": (("is",), ("is",), _trait),
}
"""The word that a claim goes by: what else may stand beside it, what must, and how it is read."""
