"""The words of the steps. A step is ``{id, VERB: …}``, so no ``id`` stands inside a verb."""

from __future__ import annotations

from shared.journeys.model import (
    Awaited,
    Branch,
    Call,
    Case,
    Collect,
    Emit,
    Enrol,
    Exit,
    Experiment,
    Goto,
    Notify,
    Send,
    Until,
    Update,
    Variant,
    Wait,
    WaitFor,
    Winner,
)
from shared.journeys.policy import STEP
from shared.journeys.schema.forms import (
    CLOCK,
    DATE,
    DAYS,
    DURATION,
    ID,
    LONGER,
    OFFSET,
    SPAN,
    STEPS,
    TRAIT,
    VALUE,
    ZONE,
)
from shared.journeys.schema.wording import (
    Word,
    Wording,
    integer,
    listed,
    mapping,
    named,
    needs,
    number,
    one_of,
    ref,
    word,
)

TIMEOUT = mapping({"after": LONGER, "then": STEPS}, ("after",))

STEP_WORDS: dict[type, Wording] = {
    Wait: Wording(
        words={
            "duration": word("for", {"anyOf": [DURATION, SPAN]}, about="How long: 45m, 3d, or P1M of the calendar."),
            "span": (),
            "jitter": word(form=DURATION),
        },
        rules={**one_of("for", "until"), **needs(past="until")},
        about="Stay `for` a time or `until` a local time. Each of the events in `reset_by` starts it anew. `jitter` "
        "spreads runs over that time, each always the same. `past`: what to do when the date to wait for is over.",
    ),
    Until: Wording(
        words={
            "time": word(form=CLOCK),
            "days": word(form=DAYS),
            "date": word(form=DATE),
            "property": word(form=TRAIT),
            "offset_days": word("offset", OFFSET),
            "latest": word(form=LONGER),
            "timezone": word(form=ZONE),
        },
        rules={
            "anyOf": [{"required": [key]} for key in ("time", "date", "property")],
            **needs(match="property", offset="property"),
        },
    ),
    WaitFor: Wording(
        words={
            "any": word(form=listed(ref("awaited"), least=1)),
            "timeout": word(form=TIMEOUT, about="When to go on without it, and by which steps."),
            "timeout_then": (),
        }
    ),
    Awaited: Wording(
        words={"id": word(form=ID), "condition": word("if")},
        rules={**one_of("event", "if"), **needs(where="event")},
    ),
    Branch: Wording(bare="cases", words={"cases": word(form=listed(ref("case"), least=1))}),
    Case: Wording(
        words={
            "condition": word("if", needed=False, about="Go this way if this holds."),
            "then": (Word(needed=False), Word(key="else", needed=False, about="The way when no other was gone.")),
        },
        rules={"oneOf": [{"required": ["if", "then"], "maxProperties": 2}, {"required": ["else"], "maxProperties": 1}]},
        about="One way of a branch: `if` with `then`, or `else`.",
    ),
    Experiment: Wording(words={"variants": word(form=listed(ref("variant"), least=1))}),
    Variant: Wording(words={"id": word(form=ID), "weight": word(form=integer(0, 10_000))}),
    Winner: Wording(
        words={
            "goal": word(form=ID),
            "after": word(form=LONGER),
            "min_samples": word(form=integer(1, 1_000_000)),
        }
    ),
    Send: Wording(
        words={
            "channels": word(form=ref("channels")),
            "expires": word(form=LONGER),
            "policy": tuple(Word(key=key, form=ref(f"policy/properties/{key}"), needed=False) for key in STEP),
        }
    ),
    Update: Wording(words={"increment": word(form=named(number(-1e9, 1e9)))}, rules={"minProperties": 1}),
    Emit: Wording(),
    Call: Wording(
        words={"arguments": word("with"), "save_as": word(form=ID), "timeout": word(form=LONGER)},
    ),
    Notify: Wording(words={"to": word(form={"anyOf": [VALUE, listed(VALUE, least=1)]})}),
    Enrol: Wording(words={"journey": word(form=ID)}),
    Collect: Wording(
        words={
            "duration": word("for", LONGER),
            "most": word("max", integer(1, 100)),
            "save_as": word(form=ID),
        }
    ),
    Goto: Wording(words={"max_visits": word(form=integer(1, 1000))}),
    Exit: Wording(words={"reason": word(form=ID)}),
}
