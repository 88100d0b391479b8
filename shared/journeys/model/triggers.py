"""What starts a run."""

from __future__ import annotations

from typing import Literal

import msgspec

from shared.journeys.predicate import Condition, Expression, Target


class EventTrigger(msgspec.Struct, frozen=True, kw_only=True, tag="event"):
    """A behavioural event starts a run. One that happened more than ``max_age`` ago never does."""

    event: str
    where: Condition | None = None
    max_age: int | None = None


class AudienceTrigger(msgspec.Struct, frozen=True, kw_only=True, tag="audience"):
    """A run starts when the contact enters (or leaves) the audience, at the event or the moment that makes it so."""

    audience: str
    edge: Literal["entered", "left"] = "entered"
    where: Condition | None = None


class ThresholdTrigger(msgspec.Struct, frozen=True, kw_only=True, tag="threshold"):
    """The moment at which an aggregate of ``event`` comes to meet ``target`` starts a run; it must miss it in between.

    ``within`` None: over the contact's whole life. ``field`` is what is summed or told apart; ``group_by`` keeps one
    aggregate per value. ``rate``: the number of events in the last ``within``, as a share of what is usual: the average
    per ``within`` over the last ``baseline``.
    """

    aggregate: Literal["count", "sum", "distinct", "rate"]
    event: str
    target: Target
    field: Expression | None = None
    within: int | None = None
    baseline: int | None = None
    group_by: Expression | None = None
    where: Condition | None = None


class InactivityTrigger(msgspec.Struct, frozen=True, kw_only=True, tag="inactivity"):
    """A run starts when none of ``events`` has happened for ``duration``; each one starts the time anew.

    ``start``: the time runs from the first of these events, or from the first sight of the contact.
    """

    events: tuple[str, ...]
    duration: int
    where: Condition | None = None
    start: Literal["first_event", "first_seen"] = "first_event"


class AbsenceTrigger(msgspec.Struct, frozen=True, kw_only=True, tag="absence"):
    """A run starts when ``missing`` did not follow ``after`` within ``within``, for the same values of ``match``."""

    after: str
    missing: str
    within: int
    match: tuple[str, ...] = ()
    where: Condition | None = None


class DateTrigger(msgspec.Struct, frozen=True, kw_only=True, tag="date"):
    """A run starts at ``at`` (``HH:MM``, local) of the day ``offset_days`` from the date in the trait ``property``.

    Each year (``anniversary``) or that day only (``exact``). ``feb29`` says when a leap day's anniversary is in a
    common year. An occurrence that is over when it becomes known starts a run if it is at most ``send_within`` ms old
    (None: never). ``on_change``: whether a new date moves an occurrence that is already waited for.
    """

    property: str
    match: Literal["anniversary", "exact"] = "anniversary"
    offset_days: int = 0
    at: str = "00:00"
    timezone: str = "contact"
    feb29: Literal["feb28", "mar1", "skip"] = "feb28"
    send_within: int | None = None
    on_change: Literal["reschedule", "ignore"] = "reschedule"
    where: Condition | None = None


class CalendarTrigger(msgspec.Struct, frozen=True, kw_only=True, tag="calendar"):
    """A run starts at ``at`` (``HH:MM``, local) of the day ``offset_days`` from each of ``days`` (ISO dates).

    The days are those of ``occasion`` in the version of ``calendar`` that was read; ``audience`` None: every contact.
    """

    calendar: str
    occasion: str
    days: tuple[str, ...]
    offset_days: int = 0
    at: str = "00:00"
    timezone: str = "contact"
    audience: str | None = None
    where: Condition | None = None


class ScheduleTrigger(msgspec.Struct, frozen=True, kw_only=True, tag="schedule"):
    """A run starts at each time of ``cron`` (five fields) by the clock of ``timezone``."""

    cron: str
    timezone: str = "contact"
    audience: str | None = None
    where: Condition | None = None


class ApiTrigger(msgspec.Struct, frozen=True, kw_only=True, tag="api"):
    """A call of ``POST /v1/journeys/{id}/enrolments`` starts a run, and so does the step ``enrol`` of a journey."""

    where: Condition | None = None


class JourneyTrigger(msgspec.Struct, frozen=True, kw_only=True, tag="journey"):
    """The end of a run of ``journey`` starts a run; with ``outcome`` (an exit reason) only that end."""

    journey: str
    outcome: str | None = None
    where: Condition | None = None


Trigger = (
    EventTrigger
    | AudienceTrigger
    | ThresholdTrigger
    | InactivityTrigger
    | AbsenceTrigger
    | DateTrigger
    | CalendarTrigger
    | ScheduleTrigger
    | ApiTrigger
    | JourneyTrigger
)
