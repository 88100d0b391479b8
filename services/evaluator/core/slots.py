"""What is kept of a contact's events because some condition asks for it. What nobody asks for has no slot."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

import msgspec

from shared.clock import DAY
from shared.ids import short_hash
from shared.journeys.model import ThresholdTrigger
from shared.journeys.predicate import Aggregate, Condition, Expression, Performed
from shared.journeys.walk import parts_of

SINCE_ENTRY = 400 * DAY
"""How long an event is kept that is asked for since entry: longer than a run is meant to last."""

Kind = Literal["count", "sum", "values", "distinct", "total"]


class HistorySlot(msgspec.Struct, frozen=True):
    """Times that are kept because some condition asks for them: of ``event`` where ``where`` held, for ``span`` ms."""

    key: str
    where: Condition | None
    span: int


class MeasureSlot(msgspec.Struct, frozen=True):
    """Values of ``field`` that an ``aggregate`` asks for, kept for ``span`` ms (None: for ever).

    ``kind`` says how: ``count`` and ``sum`` as samples that may be joined, ``values`` as they are, ``distinct`` once
    each, ``total`` as what they come to so far.
    """

    key: str
    kind: Kind
    where: Condition | None
    field: Expression | None
    span: int | None


Slot = HistorySlot | MeasureSlot


@lru_cache(1024)
def history_key(performed: Performed) -> str:
    """Return the key of the slot that ``performed`` counts in."""
    if performed.where is None:
        return performed.event
    return f"{performed.event}#{short_hash(msgspec.json.encode(performed.where).decode()):x}"


def kind_of(aggregate: Aggregate) -> Kind:
    """Return how the values that ``aggregate`` asks for are kept."""
    match aggregate.fn:
        case "distinct":
            return "distinct"
        case _ if aggregate.within is None:
            return "total"
        case "count" | "sum":
            return aggregate.fn
        case _:
            return "values"


@lru_cache(1024)
def threshold_key(journey: str, trigger: ThresholdTrigger) -> str:
    """Return what the keys begin with of all that ``trigger`` keeps: another number is counted under another key."""
    counted = (trigger.aggregate, trigger.event, trigger.field, trigger.group_by, trigger.where, trigger.within is None)
    return f"{journey}/{short_hash(msgspec.json.encode(counted).decode()):x}"


def is_met_by_time(trigger: ThresholdTrigger) -> bool:
    """Tell whether the target can come to be met although nothing happens."""
    only_falls = trigger.aggregate in ("count", "distinct")
    return trigger.within is not None and not (only_falls and trigger.target.operator in (">", ">="))


@lru_cache(1024)
def measure_key(aggregate: Aggregate) -> str:
    """Return the key of the slot that ``aggregate`` is worked out from; those that ask for the same share one."""
    field = None if aggregate.fn == "count" else aggregate.field
    asked = short_hash(msgspec.json.encode((aggregate.where, field)).decode())
    return f"{aggregate.event}#{asked:x}/{kind_of(aggregate)}"


def slots_of(conditions: Iterable[Condition]) -> dict[str, tuple[Slot, ...]]:
    """Return the slots that ``conditions`` ask for by event; of one key the longest span."""
    slots: dict[str, dict[str, Slot]] = {}
    for condition in conditions:
        for asked in parts_of(condition):
            match asked:
                case Performed():
                    _add(slots, asked.event, HistorySlot(history_key(asked), asked.where, asked.within or SINCE_ENTRY))
                case Aggregate():
                    _add(slots, asked.event, _measure_slot(asked))
                case _:
                    pass
    return {event: tuple(found.values()) for event, found in slots.items()}


def _measure_slot(asked: Aggregate) -> MeasureSlot:
    field = None if asked.fn == "count" else asked.field
    return MeasureSlot(measure_key(asked), kind_of(asked), asked.where, field, asked.within)


def _add(slots: dict[str, dict[str, Slot]], event: str, slot: Slot) -> None:
    known = slots.setdefault(event, {}).get(slot.key)
    if known is not None:
        spans = known.span, slot.span
        longest = None if None in spans else max(span for span in spans if span is not None)
        slot = msgspec.structs.replace(slot, span=longest)
    slots[event][slot.key] = slot
