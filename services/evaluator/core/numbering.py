"""Tells catalogues apart that every contact has to adopt from those that it need not notice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from zoneinfo import ZoneInfo

import msgspec

from services.evaluator.core.audience_index import AudienceIndex
from services.evaluator.core.slots import is_met_by_time
from shared.ids import short_hash
from shared.journeys.model import CalendarTrigger, DateTrigger, ScheduleTrigger, ThresholdTrigger


def number_of(
    dated: Mapping[str, DateTrigger | CalendarTrigger | ScheduleTrigger],
    thresholds: Mapping[str, ThresholdTrigger],
    zone: ZoneInfo,
    index: AudienceIndex,
    stopped: Mapping[str, int],
    backfilled: Iterable[tuple[str, int]],
) -> int:
    """Return the hash of what decides when triggers by time occur, who is in the audiences, what was stopped.

    With the audiences, who is let in for being in one: ``backfilled``, journeys and their versions. 0: of none of it.
    Whom triggers by time then let in is asked at each time.
    """
    times: list[object] = []
    for key, trigger in sorted(dated.items()):
        blind = {name: None for name in ("where", "audience") if name in trigger.__struct_fields__}
        times.append((key, msgspec.structs.replace(trigger, **blind)))
    for key, falling in sorted(thresholds.items()):
        if is_met_by_time(falling):
            times.append((key, falling.target, falling.within, falling.baseline))
    members = [(audience.id, audience.where) for audience in index.order]
    audiences = (members, list(backfilled)) if members else ()
    asked = (times, zone.key, *audiences, *((dict(sorted(stopped.items())),) if stopped else ()))
    return short_hash(msgspec.json.encode(asked).decode()) if times or members or stopped else 0
