"""Parses ``in_flight`` and ``invariants``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, cast

from shared.journeys.promises import InFlight, Invariant, MaxDuration, MaxSends, Migration, MinGap, NoSendAfter
from shared.journeys.reader import Node


def parse_in_flight(node: Node) -> InFlight:
    """Return what becomes of runs of older versions."""
    fields = node.fields(("default", "migrate"))
    defaults = ("pin", "migrate", "exit")
    found = InFlight(
        default=cast(
            "Literal['pin', 'migrate', 'exit']",
            fields["default"].choice(defaults, "default") if "default" in fields else "pin",
        ),
        migrate=fields["migrate"].each(_migration) if "migrate" in fields else (),
    )
    sources = [migration.source for migration in found.migrate]
    for source in sorted({source for source in sources if sources.count(source) > 1}):
        fields["migrate"].fault(f"runs of version {source} are migrated twice; write one `map`")
    return found


def _migration(node: Node) -> Migration | None:
    fields = node.fields(("from", "map", "timers"), required=("from",))
    if "from" not in fields:
        return None
    timers = fields["timers"].choice(("keep", "recompute"), "timers") if "timers" in fields else "keep"
    return Migration(
        source=fields["from"].integer(1, 1_000_000),
        map={old: new.text() for old, new in fields["map"].pairs()} if "map" in fields else {},
        timers=cast("Literal['keep', 'recompute']", timers),
    )


def parse_invariants(node: Node) -> tuple[Invariant, ...]:
    """Return the invariants: a list of mappings with one key each."""
    found: tuple[Invariant, ...] = node.each(_invariant)
    for number, invariant in enumerate(found):
        # Of two numbers one is idle; events are several.
        again = invariant in found[:number] or (
            not isinstance(invariant, NoSendAfter) and type(invariant) in map(type, found[:number])
        )
        if again:
            node.fault(f"the invariant `{_name(invariant)}` is written twice; keep one")
    return found


def _invariant(node: Node) -> Invariant | None:
    fields = node.fields(_KINDS)
    if len(fields) != 1:
        # An unknown word was probably meant to be the one.
        if node.is_a(dict) and (fields or not node.value):
            node.fault(f"an invariant has exactly one of {', '.join(_KINDS)}; write each as an item of its own")
        return None
    [(kind, child)] = fields.items()
    return _KINDS[kind](child)


def _name(invariant: Invariant) -> str:
    return str(invariant.__struct_config__.tag)


_KINDS: dict[str, Callable[[Node], Invariant]] = {
    "max_sends": lambda node: MaxSends(node.integer(1, 1000)),
    "min_gap": lambda node: MinGap(node.duration(least=1)),
    "no_send_after": lambda node: NoSendAfter(node.text()),
    "max_duration": lambda node: MaxDuration(node.duration(least=1)),
}
