"""The words of a journey but for its steps: triggers, entry, goals, exits, policy, promises, conditions."""

from __future__ import annotations

from shared.journeys.model import (
    AbsenceTrigger,
    CalendarTrigger,
    DateTrigger,
    Entry,
    EventTrigger,
    ExitAfter,
    ExitIf,
    ExitOnAudience,
    ExitOnEvent,
    Goal,
    InactivityTrigger,
    Journey,
    JourneyTrigger,
    Rate,
    Reentry,
    ThresholdTrigger,
    Window,
)
from shared.journeys.predicate import (
    Aggregate,
    All,
    Any,
    Bucket,
    InAudience,
    MessageWas,
    Not,
    Online,
    Performed,
    Reachable,
    TimeIs,
)
from shared.journeys.promises import InFlight, MaxDuration, MaxSends, Migration, MinGap, NoSendAfter
from shared.journeys.schema.forms import CLOCK, DAYS, DURATION, EVENTS, ID, LONGER, MOMENT, OFFSET, TRAIT, ZONE
from shared.journeys.schema.wording import (
    Word,
    Wording,
    choice,
    integer,
    listed,
    mapping,
    needs,
    number,
    one_of,
    ref,
    word,
)
from shared.journeys.sending import Cap, Holdout, Policy, QuietHours, SendWindow
from shared.messages.command import Utm

WITHIN = word(form=LONGER)
OFFSET_DAYS = word("offset", OFFSET)
CLOCKS = {"start": word("from", CLOCK), "end": word("to", CLOCK), "timezone": word(form=ZONE)}
DEFER = {"max_defer": word(form=LONGER)}
BILLION = 1_000_000_000

JOURNEY_WORDS: dict[type, Wording] = {
    Journey: Wording(
        words={
            "id": word(form=ID),
            "version": word(form=integer(1, 1_000_000)),
            "triggers": (
                Word(key="trigger", form=ref("trigger"), needed=False, about="What starts a run."),
                Word(needed=False, about="What starts a run, when there are several."),
            ),
            "steps": word(form=listed(ref("step"), least=1), about="What a run does, one after the other."),
            "exits": word("exit", about="What ends a run from outside, at once."),
        },
        more={"schema": Word(form={"const": "journey/v1"}, needed=True)},
        rules=one_of("trigger", "triggers"),
    ),
    # Triggers
    EventTrigger: Wording(words={"max_age": word(form=DURATION)}),
    ThresholdTrigger: Wording(
        words={"target": word("is"), "within": WITHIN, "baseline": word(form=LONGER)},
    ),
    InactivityTrigger: Wording(words={"events": word(form=EVENTS), "duration": word("for", LONGER)}),
    AbsenceTrigger: Wording(
        words={"after": word(form=ref("named_event")), "missing": word(form=ref("named_event")), "within": WITHIN}
    ),
    DateTrigger: Wording(
        words={
            "property": word(form=TRAIT),
            "offset_days": OFFSET_DAYS,
            "at": word(form=CLOCK),
            "timezone": word(form=ZONE),
            "send_within": word(
                "missed",
                {"anyOf": [choice("skip"), mapping({"send_within": LONGER}, ("send_within",))]},
                about="What to do with an occurrence that is over when it becomes known.",
            ),
        }
    ),
    CalendarTrigger: Wording(
        words={
            "days": word("day", choice("first", "last"), needed=False, about="Which day of an occasion of several."),
            "offset_days": OFFSET_DAYS,
            "at": word(form=CLOCK),
            "timezone": word(form=ZONE),
        }
    ),
    JourneyTrigger: Wording(words={"journey": word(form=ID), "outcome": word(form=ID)}),
    # Who enters, what counts, what ends
    Entry: Wording(words={"priority": word(form=integer(0, 100)), "limit": word(form=integer(1, BILLION))}),
    Reentry: Wording(
        words={"cooldown": word(form=DURATION), "max": word(form=integer(1, 1000)), "per": word(form=LONGER)},
        rules=needs(per="max"),
    ),
    Rate: Wording(words={"max": word(form=integer(1, BILLION)), "per": word(form=LONGER)}),
    Window: Wording(words={"start": word(form=MOMENT), "end": word(form=MOMENT)}, rules={"minProperties": 1}),
    Goal: Wording(words={"id": word(form=ID), "window": word(form=LONGER, needed=False)}),
    ExitOnEvent: Wording(words={"reason": word(form=ID)}),
    ExitIf: Wording(words={"reason": word(form=ID), "condition": word("if")}),
    ExitAfter: Wording(words={"reason": word(form=ID), "after": word(form=DURATION)}),
    ExitOnAudience: Wording(words={"reason": word(form=ID), "audience": word("audience_left")}),
    # What a send may do
    Policy: Wording(
        words={
            "topic": word(form=ID),
            "max_sends": word(form=integer(1, 1000)),
            "caps": word("frequency_cap", {"anyOf": [choice("inherit"), listed(ref("cap"))]}),
            "holdout": word(form={"anyOf": [ref("holdout"), choice("none")]}),
            "quiet_hours": word(form={"anyOf": [ref("quiet_hours"), choice("none")]}),
            "send_window": word(form={"anyOf": [ref("send_window"), choice("none")]}),
            "utm": word(form={"anyOf": [ref("utm"), choice("none")]}),
        }
    ),
    Holdout: Wording(words={"percent": word(form=number(0, 100))}),
    Cap: Wording(words={"max": word(form=integer(1, 1000)), "per": word(form=LONGER), "topic": word(form=ID), **DEFER}),
    QuietHours: Wording(words={**CLOCKS, **DEFER, "fallback_timezone": word(form=ZONE), "spread": word(form=DURATION)}),
    SendWindow: Wording(words={**CLOCKS, **DEFER, "days": word(form=DAYS)}),
    Utm: Wording(words={"hosts": word(form=listed(ref("host"), least=1))}),
    # What it promises
    InFlight: Wording(),
    Migration: Wording(words={"source": word("from", integer(1, 1_000_000))}),
    MaxSends: Wording(bare="most", words={"most": word(form=integer(1, 1000))}),
    MinGap: Wording(bare="gap", words={"gap": word(form=LONGER)}),
    NoSendAfter: Wording(bare="event"),
    MaxDuration: Wording(bare="most", words={"most": word(form=LONGER)}),
    # Conditions
    All: Wording(bare="of"),
    Any: Wording(bare="of"),
    Not: Wording(bare="of"),
    Performed: Wording(
        words={"within": WITHIN, "count": word(form=integer(1, 1000))},
        more={"since": Word(form=choice("entry"), about="Since the run was entered.")},
        rules=one_of("within", "since"),
    ),
    Reachable: Wording(bare="channels", words={"channels": word(form=ref("channels"))}),
    TimeIs: Wording(words={**CLOCKS, "days": word(form=DAYS)}, rules={"minProperties": 1}),
    Bucket: Wording(words={"percent": word(form=number(0, 100))}),
    Aggregate: Wording(words={"target": word("is"), "within": WITHIN}),
    InAudience: Wording(bare="id", words={"id": word(form=ID)}),
    MessageWas: Wording(words={"within": WITHIN}),
    Online: Wording(words={"within": WITHIN}),
}
