"""Journeys of every kind, and any history of what happens to their contacts and to their host."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from hypothesis import strategies as st

from shared.clock import DAY, HOUR, MINUTE
from shared.journeys.model import Send, all_steps
from shared.journeys.promises import MaxDuration
from shared.messages.event import EventRecord, Tick
from shared.messages.outcome import OutcomeStatus
from tests.builders import CART, a_journey, an_event, consented, identified

ONCE = CART.replace("id: cart\n", "id: once\n").replace("max_sends: 2", "max_sends: 1")
RESTARTED = (
    CART.replace("id: cart\n", "id: restarted\n")
    .replace("on_retrigger: update_context", "on_retrigger: restart")
    .replace("reentry: {cooldown: 3d}", "reentry: {cooldown: 10m}")
    .replace("after: 10d", "after: 30h")
)
CONFIRMATION = """
schema: journey/v1
id: confirmation
version: 1
trigger: {type: event, event: Order Completed}
policy: {purpose: transactional}
steps:
  - {id: confirm, send: {channels: [email], template: {email: {subject: "Thank you", text: "Hello"}}}}
"""
GREETING = """
schema: journey/v1
id: greeting
version: 1
trigger: {type: event, event: Product Viewed}
entry: {reentry: {cooldown: 1h}}
exit: [{reason: converted, event: Order Completed}]
policy: {topic: news, frequency_cap: [{max: 2, per: 1d}]}
steps:
  - {id: hello, send: {channels: [email], template: {email: {subject: "Hello", text: "Hello"}}}}
  - {id: linger, wait: {for: 20m}}
"""
NURTURE = """
schema: journey/v1
id: nurture
version: 1
trigger: {type: event, event: Browsed}
entry: {reentry: {mode: always}}
exit:
  - {reason: converted, event: Order Completed, where: event.properties.total > 3}
  - {reason: active, if: {performed: {event: Product Viewed, count: 4, since: entry}}}
policy:
  topic: news
  frequency_cap: [{max: 1, per: 6h, when_capped: defer, max_defer: 1d}]
  quiet_hours: {from: "21:00", to: "08:00", spread: 30m}
steps:
  - id: hear
    wait_for:
      any:
        - {id: viewed, event: Product Viewed, where: event.properties.total == 5, then: [
            {id: tell, emit: {event: Product Added, properties: {name: emitted}}}]}
        - {id: known, if: contact.seen >= 3}
      timeout: {after: 2h, then: [{id: count, update: {increment: {seen: 1}, add_tags: [quiet]}}]}
  - id: offer
    experiment:
      salt: offer_10
      variants:
        - {id: a, weight: 1, then: [
            {id: mail_a, send: {channels: [email], template: {email: {subject: "A", text: "Hello"}}}}]}
        - {id: b, weight: 1, then: [
            {id: mail_b, send: {channels: [email], expires: 9h, template: {email: {subject: "B", text: "Hello"}}}}]}
  - {id: way, branch: [{if: contact.seen > 1, then: [{id: pause, wait: {for: 3h, jitter: 20m}}]}, {else: []}]}
  - {id: breathe, wait: {for: 5m}}
  - {id: again, goto: {step: hear, max_visits: 2}}
  - {id: end, branch: [{if: contact.seen > 4, then: [{id: leave, update: {unsubscribe: [news]}}]}]}
"""
ECHO = """
schema: journey/v1
id: echo
version: 1
trigger: {type: event, event: Order Completed}
entry: {reentry: {cooldown: 1h}}
policy: {purpose: transactional}
steps:
  - {id: rest, wait: {until: {time: "18:00", latest: 5h}}}
  - {id: tell, emit: {event: Browsed}}
"""
ALARM = """
schema: journey/v1
id: alarm
version: 1
trigger: {type: event, event: Product Viewed}
entry: {reentry: {mode: always}}
goals:
  - {id: sale, event: Order Completed, attribution: any_send}
  - {id: clicked, event: Product Added, attribution: last_click}
policy: {topic: news, max_sends: 4, frequency_cap: [{max: 1, per: 3h, channel: sms, when_capped: defer, max_defer: 1d}]}
invariants: [{max_sends: 4}, {min_gap: 10m}, {max_duration: 2d}]
steps:
  - id: both
    send:
      {channels: [email, sms, push], mode: all, on_fail: exit, data: {seen: {expr: contact.seen}}, template: TEXTS}
  - {id: nap, wait: {for: 40m}}
  - id: offer
    send:
      channels: [email, sms]
      mode: preferred
      topic: cart_reminders
      on_fail: exit
      locale: {expr: event.properties.name}
      frequency_cap: [{max: 2, per: 1d, topic: cart_reminders, when_capped: next_channel}]
      quiet_hours: {from: "20:00", to: "09:00", max_defer: 12h}
      template: TEXTS
  - {id: rest, wait: {for: 3h}}
  - {id: receipt, send: {channels: [email], purpose: transactional, template: TEXTS}}
""".replace("TEXTS", "{email: {subject: A, text: B}, sms: {text: B}, push: {title: A, body: B}}")
JOURNEYS = tuple(a_journey(text) for text in (CART, ONCE, RESTARTED, CONFIRMATION, GREETING, NURTURE, ECHO, ALARM))
"""What a new word does is put to the test of every history by a journey here that uses it."""
POLICIES = {
    (journey.id, step.id): step.policy or journey.policy
    for journey in JOURNEYS
    for step in all_steps(journey.steps)
    if isinstance(step, Send)
}
"""What each send may do."""
MAX_SENDS = {journey.id: journey.policy.max_sends for journey in JOURNEYS}
LONGEST = {
    journey.id: promised.most
    for journey in JOURNEYS
    for promised in journey.invariants
    if isinstance(promised, MaxDuration)
}
CONTACTS = ("u:1", "a:2")
ZONES = {"u:1": "UTC", "a:2": "Asia/Tokyo"}
TRAITS = {
    "u:1": {"email": "1@example.jp", "phone": "+8190", "timezone": ZONES["u:1"], "preferred_channel": "sms"},
    "a:2": {"email": "2@example.jp", "phone": "+8191", "push_token": "t", "timezone": ZONES["a:2"]},
}
LAST = 60 * 24 * HOUR
"""Long after every history: by then every run is over."""

# ---- what happens -------------------------------------------------------------------------------------------------


class Happens(msgspec.Struct, frozen=True):
    """Something is appended to the log, ``after`` ms after what was appended before; a broker's clock may go back."""

    after: int
    contact: str
    make: Callable[[int, str], EventRecord]


class Reported(msgspec.Struct, frozen=True):
    """The dispatcher reports on one of the commands published so far, chosen by ``number``; perhaps again."""

    after: int
    number: int
    status: OutcomeStatus


class Offered(msgspec.Struct, frozen=True):
    """The host offers up to ``count`` records from the cursor, or from ``back`` before it; ``saved``: or it crashes."""

    count: int
    back: int
    caught_up: bool
    saved: bool


class Fired(msgspec.Struct, frozen=True):
    limit: int
    caught_up: bool
    saved: bool


class Released(msgspec.Struct, frozen=True):
    limit: int
    saved: bool


Step = Happens | Reported | Offered | Fired | Released


def of(kind: str, late: int, message_id: str) -> Callable[[int, str], EventRecord]:
    def make(now: int, _: str) -> EventRecord:
        match kind:
            case "identify":
                return identified(now, email=f"{now}@example.jp")
            case "granted" | "revoked":
                event = consented(now, "news" if late else "cart_reminders", kind)
                return msgspec.structs.replace(event, message_id=f"{event.message_id}:{late}")
            case "revoked by sms":
                event = consented(now, "news", "revoked")
                properties = {**event.properties, "channel": "sms"}
                return msgspec.structs.replace(event, message_id=f"sms@{now}", properties=properties)
            case "Message Clicked":
                event = an_event(kind, now)
                return msgspec.structs.replace(event, properties={"journey": "alarm", "step": "both"})
            case "tick":
                return Tick(partition=0)
            case _:
                # A client repeats a messageId within hours; ids are forgotten after two days, and the same one would
                # then start the same run anew.
                again = message_id and f"{message_id}-{now // DAY}"
                return an_event(kind, now - late, received=now, message_id=again, total=5, name=f"of {now}")

    return make


GAPS = st.sampled_from(
    [-10 * MINUTE, 0, 1, 5 * MINUTE, 5 * MINUTE, 20 * MINUTE, 45 * MINUTE, 45 * MINUTE + 1, 3 * HOUR, 24 * HOUR]
)
KINDS = st.sampled_from(
    ["Product Added"] * 4
    + ["Product Viewed"] * 2
    + ["Order Completed"] * 2
    + ["Browsed", "Browsed", "identify", "granted", "revoked", "revoked by sms", "Message Clicked", "tick", "tick"]
)
LATE = st.sampled_from([0, 0, 0, 10 * MINUTE, 50 * MINUTE])
MESSAGE_IDS = st.sampled_from(["", "", "", "m1", "m2"])
HAPPENS: st.SearchStrategy[Step] = st.builds(
    Happens, GAPS, st.sampled_from(CONTACTS), st.builds(of, KINDS, LATE, MESSAGE_IDS)
)
REPORTED: st.SearchStrategy[Step] = st.builds(
    Reported, GAPS, st.integers(0, 3), st.sampled_from(["sent", "skipped", "failed", "ambiguous"])
)
SAVED = st.sampled_from([True, True, True, False])
OFFERED: st.SearchStrategy[Step] = st.builds(Offered, st.integers(1, 8), st.integers(0, 4), st.booleans(), SAVED)
FIRED: st.SearchStrategy[Step] = st.builds(Fired, st.integers(1, 3), st.booleans(), SAVED)
RELEASED: st.SearchStrategy[Step] = st.builds(Released, st.integers(1, 3), SAVED)
STEPS = st.lists(
    st.one_of(HAPPENS, HAPPENS, HAPPENS, REPORTED, OFFERED, OFFERED, FIRED, RELEASED), min_size=25, max_size=60
)
