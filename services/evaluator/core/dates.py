"""Triggers by date, calendar and schedule: one watch each, for the next occurrence by the contact's clock.

What is known of the contact may change its occurrences at any time (its date, its zone), and so may a new catalogue.
``occurred`` remembers the last ones, so that whatever changes, none comes twice.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, assert_never
from zoneinfo import ZoneInfo

from services.evaluator.core.catalog import Dated
from services.evaluator.core.draft import Draft
from services.evaluator.core.entry import enter_by_watch
from services.evaluator.core.local_time import contact_zone, is_invalid
from services.evaluator.core.state import OCCURRED_AT_MOST, Watch
from shared.journeys.model import CalendarTrigger, DateTrigger, ScheduleTrigger
from shared.journeys.times import CONTACT
from shared.walltime.anniversaries import anniversary, next_occurrence, occurrence_of, read_date
from shared.walltime.cron import is_beat, next_cron
from shared.walltime.instants import at_local, parse_time, resolve
from shared.walltime.zones import local, wall

TRIGGERS_AT_MOST = 200
"""Triggers whose occurrences are remembered; the one that occurred longest ago goes first."""


class Awaited(NamedTuple):
    """When to act, and for which occurrence: a local date, of a schedule with its time and offset."""

    due: int
    occurrence: str


def arm(draft: Draft, dated: Dated, *, moved: bool = False) -> None:
    """Wait for the next occurrence as it is known now, or for none.

    ``moved``: the contact's clock was set to another zone. An occurrence that was waited for and that the clock has
    jumped over is now, as for a clock that springs forward.
    """
    zone, now = _zone(draft, dated), draft.log_time
    former = draft.watches.get(dated.key)
    waited = None if former is None else _time_of(draft, dated, former, zone)
    if former is not None and waited is not None and moved and waited <= now:
        found: Awaited | None = Awaited(now, former.occurrence)
    elif former is not None and waited is not None and waited > now and _holds_on(dated):
        found = Awaited(waited, former.occurrence)
    else:
        found = _next(draft, dated, zone, now - 1, missed=True)
    _wait(draft, dated, found)


def follow_traits(draft: Draft, before: Mapping[str, Any]) -> None:
    """Move what is waited for to where the traits have it now; ``before`` is what they were."""
    after = draft.traits
    if after is before or not draft.lately.packed:  # one that was handed over waits for nothing
        return
    moved = before.get("timezone") != after.get("timezone")
    if moved and is_invalid(after.get("timezone")):
        draft.invalid_zones += 1
    for dated in draft.catalog.dated.values():
        trigger = dated.trigger
        elsewhere = moved and trigger.timezone == CONTACT
        if elsewhere or (
            isinstance(trigger, DateTrigger) and before.get(trigger.property) != after.get(trigger.property)
        ):
            arm(draft, dated, moved=elsewhere)


def follow_merge(draft: Draft) -> None:
    """Wait for the next occurrence where the one that is waited for has been, at the contact that was merged."""
    for watch in draft.watches.values():
        dated = draft.catalog.dated.get(watch.key)
        if dated is not None and _mark(dated.trigger, watch.occurrence) in draft.occurred.get(watch.key, ()):
            arm(draft, dated)


def occur(draft: Draft, watch: Watch) -> None:
    """Let the occurrence of a watch that came due start its run, and wait for the next one."""
    dated = draft.catalog.dated.get(watch.key)
    if dated is None:
        return
    draft.cause = f"{watch.key}:{watch.occurrence}"
    note_occurrence(draft, watch.key, _mark(dated.trigger, watch.occurrence))
    _wait(draft, dated, _next(draft, dated, _zone(draft, dated), draft.now, missed=False))
    enter_by_watch(draft, watch)


def note_occurrence(draft: Draft, key: str, mark: str) -> None:
    """Remember that ``mark`` has been, so that it never comes again for the trigger of ``key``."""
    others = [(name, marks) for name, marks in draft.occurred.items() if name != key]
    marks = (*draft.occurred.get(key, ()), mark)[-OCCURRED_AT_MOST:]
    draft.occurred = dict([*others[-(TRIGGERS_AT_MOST - 1) :], (key, marks)])


def _zone(draft: Draft, dated: Dated) -> ZoneInfo:
    return contact_zone(dated.trigger.timezone, draft.traits, draft.catalog.zone)


def _holds_on(dated: Dated) -> bool:
    return isinstance(dated.trigger, DateTrigger) and dated.trigger.on_change == "ignore"


def _wait(draft: Draft, dated: Dated, found: Awaited | None) -> None:
    former = draft.watches.get(dated.key)
    if found is None:
        if former is not None:
            draft.unwatch(dated.key)
    elif former is None or (former.due, former.occurrence) != found:
        journey = dated.plan.journey.id
        draft.watch(Watch(dated.key, journey, found.due, draft.log_time, {}, occurrence=found.occurrence))


def _mark(trigger: DateTrigger | CalendarTrigger | ScheduleTrigger, occurrence: str) -> str:
    """Return what is remembered of an occurrence: of an anniversary the year, for there is one a year."""
    yearly = isinstance(trigger, DateTrigger) and trigger.match == "anniversary"
    return occurrence[:4] if yearly else occurrence


def _next(draft: Draft, dated: Dated, zone: ZoneInfo, after: int, *, missed: bool) -> Awaited | None:
    """Return the first occurrence after ``after`` that has not been; ``missed``: or one that may still be made up."""
    occurred = draft.occurred.get(dated.key, ())
    match dated.trigger:
        case DateTrigger():
            day = read_date(draft.traits.get(dated.trigger.property), zone)
            back = (dated.trigger.send_within or 0) if missed else 0
            return None if day is None else _next_date(dated.trigger, day, zone, (after - back, after), occurred)
        case CalendarTrigger():
            return _next_day(dated.trigger, zone, after, occurred)
        case ScheduleTrigger():
            return _next_time(dated.trigger, zone, after, occurred)
        case _:
            assert_never(dated.trigger)


def _next_date(
    trigger: DateTrigger, day: date, zone: ZoneInfo, span: tuple[int, int], occurred: Collection[str]
) -> Awaited | None:
    """Return the last occurrence within ``span``, at the end of it, else the first one behind it."""
    looked, end = span
    late: Awaited | None = None
    while True:
        found = next_occurrence(
            day,
            looked,
            zone,
            offset_days=trigger.offset_days,
            at_time=parse_time(trigger.at),
            match=trigger.match,
            feb29=trigger.feb29,
        )
        if found is None:
            return late
        looked, occurrence = found.at, found.day.isoformat()
        if _mark(trigger, occurrence) in occurred:
            continue
        if found.at > end:
            return late or Awaited(found.at, occurrence)
        late = Awaited(end + 1, occurrence)


def _next_day(trigger: CalendarTrigger, zone: ZoneInfo, after: int, occurred: Collection[str]) -> Awaited | None:
    clock, offset = parse_time(trigger.at), timedelta(days=trigger.offset_days)
    today = wall(after, zone).date() - offset
    # A day early: at the edge of a day that the clock skips, the local date is already the next one.
    for day in trigger.days[bisect_left(trigger.days, (today - timedelta(days=1)).isoformat()) :]:
        at = at_local(date.fromisoformat(day) + offset, clock, zone)
        if at > after and day not in occurred:
            return Awaited(at, day)
    return None


def _next_time(trigger: ScheduleTrigger, zone: ZoneInfo, after: int, occurred: tuple[str, ...]) -> Awaited | None:
    if occurred and not is_beat(trigger.cron):
        # A fixed time of the clock has been, also if another zone is now to see it once more.
        after = max(after, resolve(_face(occurred[-1]), zone))
    at = next_cron(trigger.cron, after, zone)
    return None if at is None else Awaited(at, local(at, zone).isoformat())


def _time_of(draft: Draft, dated: Dated, watch: Watch, zone: ZoneInfo) -> int | None:
    """Return when the occurrence of ``watch`` is in ``zone``; None when it is none any more."""
    trigger, occurrence = dated.trigger, watch.occurrence
    match trigger:
        case DateTrigger():
            awaited = date.fromisoformat(occurrence)
            day = awaited if _holds_on(dated) else read_date(draft.traits.get(trigger.property), zone)
            if day is None:
                return None
            if (day if trigger.match == "exact" else anniversary(day, awaited.year, trigger.feb29)) != awaited:
                return None
            return occurrence_of(awaited, zone, offset_days=trigger.offset_days, at_time=parse_time(trigger.at)).at
        case CalendarTrigger():
            if occurrence not in trigger.days:
                return None
            day = date.fromisoformat(occurrence) + timedelta(days=trigger.offset_days)
            return at_local(day, parse_time(trigger.at), zone)
        case ScheduleTrigger():
            return None if is_beat(trigger.cron) else resolve(_face(occurrence), zone)
        case _:
            assert_never(trigger)


def _face(occurrence: str) -> datetime:
    return datetime.fromisoformat(occurrence).replace(tzinfo=None)
