"""Conditions, triggers and exits of a journey in a few words, for a diagram."""

from __future__ import annotations

import re
from typing import assert_never

from shared.clock import DAY
from shared.journeys.durations import format_duration
from shared.journeys.flow.phrases import PHRASES, Language
from shared.journeys.model import (
    AbsenceTrigger,
    ApiTrigger,
    AudienceTrigger,
    CalendarTrigger,
    DateTrigger,
    EventTrigger,
    ExitAfter,
    ExitIf,
    ExitOnAudience,
    ExitOnEvent,
    ExitRule,
    InactivityTrigger,
    JourneyTrigger,
    ScheduleTrigger,
    ThresholdTrigger,
    Trigger,
)
from shared.journeys.predicate import (
    Aggregate,
    All,
    Any,
    Bucket,
    Condition,
    Consented,
    Expression,
    InAudience,
    InJourney,
    MessageWas,
    Not,
    Online,
    Performed,
    Reachable,
    Target,
    TimeIs,
)

_UNIT = re.compile("[dhms]")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Sayings:
    """Says parts of a journey in one language."""

    def __init__(self, language: Language) -> None:
        """The phrases are those of ``language``."""
        self._phrases = PHRASES[language]

    def say(self, phrase: str, *values: object, **named: object) -> str:
        """Return the phrase of that name with its values in it."""
        return self._phrases[phrase].format(*values, **named)

    def listed(self, names: tuple[str, ...]) -> str:
        """Return the names in a row."""
        return self._phrases["list"].join(names)

    def duration(self, milliseconds: int) -> str:
        """Return it in the units of the language, in days where it has any: ``1h30m``, ``180d``."""
        days, rest = divmod(milliseconds, DAY)
        text = (f"{days}d" if days else "") + (format_duration(rest) if rest or not days else "")
        return _UNIT.sub(lambda unit: self._phrases[unit[0]], text)

    def condition(self, condition: Condition) -> str:  # noqa: C901, PLR0911, PLR0912 - one case per kind
        """Return what ``condition`` asks."""
        match condition:
            case Expression():
                return condition.text
            case All():
                return self._phrases["and"].join(map(self._inner, condition.of))
            case Any():
                return self._phrases["or"].join(map(self._inner, condition.of))
            case Not():
                return self.say("not", self._inner(condition.of))
            case Performed():
                many = "performed" if condition.count == 1 else "performed_times"
                said = self.say(many, event=condition.event, count=condition.count)
                said = self._where(said, condition.where)
                return self.say("since_entry", said) if condition.within is None else self._within(said, condition)
            case Aggregate():
                said = self._figure(condition.fn, condition, _target(condition.target))
                return self._where(self._within(said, condition), condition.where)
            case Reachable():
                return self.say("reachable", self.listed(condition.channels))
            case Consented():
                return self.say("consent", condition.topic)
            case TimeIs():
                days = self.listed(tuple(DAYS[day] for day in condition.days))
                return self.say("time_days" if days else "time", condition.start, condition.end, days)
            case Bucket():
                return self.say("bucket", f"{condition.percent:g}")
            case InJourney():
                return self.say("inside" if condition.state == "active" else "was_inside", condition.id)
            case InAudience():
                return self.say("in_audience", condition.id)
            case MessageWas():
                return self._within(self.say("message", step=condition.step, was=condition.was), condition)
            case Online():
                return self.say("online", self.duration(condition.within))
            case _:
                assert_never(condition)

    def trigger(self, trigger: Trigger) -> str:
        """Return what starts a run."""
        return self._where(self._starts(trigger), trigger.where)

    def exit(self, rule: ExitRule) -> str:
        """Return what ends a run early, and as what."""
        match rule:
            case ExitOnEvent():
                return self.say("exit_event", rule.reason, self._where(rule.event, rule.where))
            case ExitIf():
                return self.say("exit_event", rule.reason, self.condition(rule.condition))
            case ExitAfter():
                return self.say("exit_after", rule.reason, self.duration(rule.after))
            case ExitOnAudience():
                return self.say("exit_audience", rule.reason, rule.audience)
            case _:
                assert_never(rule)

    def event(self, event: str, where: Condition | None) -> str:
        """Return the event's name, and which of them count."""
        return self._where(event, where)

    def days(self, offset: int) -> str:
        """Return ``3 days before``, for -3."""
        if offset == 0:
            return self.say("on_the_day")
        return self.say("days_before" if offset < 0 else "days_after", abs(offset))

    def _starts(self, trigger: Trigger) -> str:  # noqa: PLR0911 - one case per type
        match trigger:
            case EventTrigger():
                return self.say("event", trigger.event)
            case ThresholdTrigger():
                said = self._within(self._figure(trigger.aggregate, trigger, _target(trigger.target)), trigger)
                return said if trigger.group_by is None else self.say("per_value", said, trigger.group_by.text)
            case InactivityTrigger():
                return self.say("inactivity", self.listed(trigger.events), self.duration(trigger.duration))
            case AbsenceTrigger():
                return self.say("absence", trigger.after, trigger.missing, self.duration(trigger.within))
            case AudienceTrigger():
                return self.say(trigger.edge, trigger.audience)
            case DateTrigger():
                days = self.days(trigger.offset_days)
                return self.say("date", property=trigger.property, days=days, at=trigger.at)
            case CalendarTrigger():
                days = self.days(trigger.offset_days)
                return self.say("calendar", trigger.calendar, trigger.occasion, days, trigger.at)
            case ScheduleTrigger():
                return self.say("schedule", trigger.cron)
            case ApiTrigger():
                return self.say("api")
            case JourneyTrigger():
                phrase = "journey" if trigger.outcome is None else "journey_outcome"
                return self.say(phrase, trigger.journey, trigger.outcome)
            case _:
                assert_never(trigger)

    def _figure(self, fn: str, counted: Aggregate | ThresholdTrigger, target: str) -> str:
        what = counted.event if counted.field is None else f"{counted.event} {counted.field.text}"
        return self.say("aggregate", fn=fn, what=what, target=target)

    def _inner(self, condition: Condition) -> str:
        said = self.condition(condition)
        return f"({said})" if isinstance(condition, All | Any) else said

    def _where(self, said: str, where: Condition | None) -> str:
        return said if where is None else self.say("where", said, self.condition(where))

    def _within(self, said: str, asked: Performed | Aggregate | MessageWas | ThresholdTrigger) -> str:
        return said if asked.within is None else self.say("within", said, self.duration(asked.within))


def _target(target: Target) -> str:
    return f"{target.operator} {target.number:g}"
