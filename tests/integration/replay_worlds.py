"""What contacts do in the replay tests: nine journeys whose waits take seconds, and calls drawn by lot.

The quiet hours end some seconds after the test began, so that what they defer leaves while it runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from click.testing import CliRunner

from cli.main import cli
from cli.recording import read_recording
from cli.simulator.agreement import Agreement, compare
from shared.clock import SECOND, to_iso
from shared.journeys.files import load_definitions
from shared.log import LogRecord
from shared.messages import codec
from shared.messages.answer import Answer, answer_of
from shared.messages.command import CallCommand, CommandRecord
from shared.messages.coordination import Ask, Reply
from shared.messages.event import Event, Tick
from shared.messages.identity import Handover, Link
from shared.messages.journal import JournalRecord
from shared.messages.outcome import Outcome, OutcomeStatus, outcome_of
from shared.messages.topics import INCARNATION_KEY
from tests.oracle import judge
from tests.shopping import properties_by_lot, write_documents

UNREADABLE = b"\x01\x00{"
NO_CONTACT = b"\xff"

JOURNEYS = """
schema: journey/v1
id: cart
version: 1
trigger: {type: event, event: Product Added, max_age: 30m}
entry: {on_retrigger: update_context, reentry: {cooldown: 1s}}
context: {product: event.properties.name, total: event.properties.price * 1.1, patience: "duration('1s')"}
goals: [{id: recovered, event: Order Completed, window: 7d, value: event.properties.total}]
exit:
  - {reason: converted, event: Order Completed}
  - {reason: busy, if: {performed: {event: Product Viewed, count: 5, since: entry}}}
  - {reason: max_duration, after: 20s}
policy:
  topic: carts
  max_sends: 2
  frequency_cap: [{max: 1, per: 3s, when_capped: defer, max_defer: 5s}]
  quiet_hours: {from: "QUIET_FROM", to: "QUIET_TO", spread: 1s}
steps:
  - {id: settle, wait: {for: 1s, reset_by: [Product Added], jitter: 1s}}
  - id: remind
    send:
      channels: [email, sms]
      template: {email: {subject: "{{ context.product }}", text: Hello}, sms: {text: Hello}}
  - id: hear
    wait_for:
      any: [{id: viewed, event: Product Viewed, then: [{id: tag, update: {add_tags: [viewer], increment: {views: 1}}}]}]
      timeout: {after: 2s}
  - id: again
    send: {channels: [email], template: {email: {subject: "{{ context.total }}", text: "{{ context.patience }}"}}}
  - {id: tell, emit: {event: Cart Given Up, properties: {total: {expr: context.total}, at: {expr: now}}}}
---
schema: journey/v1
id: given_up
version: 1
trigger: {type: event, event: Cart Given Up}
entry: {reentry: {mode: always}}
policy: {purpose: transactional}
steps:
  - id: lot
    experiment: {salt: s, variants: [{id: a, weight: 1}, {id: b, weight: 1, then: [{id: pause, wait: {for: 1s}}]}]}
  - {id: note, update: {set: {given_up: {expr: event.properties.total}}, increment: {times: 0.1}}}
  - {id: text, send: {channels: [sms], template: {sms: {text: "{{ contact.given_up }}"}}}}
---
schema: journey/v1
id: order
version: 1
trigger: {type: event, event: Order Completed}
entry: {key: event.properties.order_id}
policy: {purpose: transactional}
steps:
  - {id: confirm, send: {channels: [email], template: {email: {subject: Thanks, text: "{{ event.properties.total }}"}}}}
  - id: big
    branch: [{if: event.properties.total > 60, then: [{id: vip, update: {set: {vip: true}, subscribe: [news]}}]}]
---
schema: journey/v1
id: unbought
version: 1
trigger: {type: absence, after: {event: Product Viewed}, missing: {event: Order Completed}, within: 2s, match: [name]}
policy: {topic: carts, frequency_cap: [{max: 1, per: 10s}]}
steps:
  - {id: ask, send: {channels: [email], template: {email: {subject: "{{ event.properties.name }}?", text: Hello}}}}
---
schema: journey/v1
id: keen
version: 1
trigger: {type: threshold, aggregate: count, event: Product Viewed, is: ">= 3", within: 10s}
policy: {topic: news}
steps:
  - {id: pause, wait: {for: 1s}}
  - {id: offer, send: {channels: [email], template: {email: {subject: Offer, text: Hello}}}}
---
schema: journey/v1
id: invited
version: 1
trigger: {type: event, event: Product Viewed}
entry: {rate: {max: 20, per: 1s}, limit: 60, reentry: {mode: never}}
policy: {purpose: transactional}
steps:
  - {id: invite, send: {channels: [email], template: {email: {subject: Come, text: Hello}}}}
---
schema: journey/v1
id: trial
version: 1
trigger: {type: event, event: Product Viewed}
entry: {reentry: {mode: never}}
goals: [{id: bought, event: Message Sent, window: 1d}]
policy: {purpose: transactional}
steps:
  - id: subject
    experiment:
      salt: subject
      winner: {goal: bought, after: 3s, min_samples: 3}
      variants:
        - {id: short, weight: 1, then: [{id: say, send: {channels: [email], template: {email: {subject: A, text: B}}}}]}
        - {id: long, weight: 1, then: [{id: tell, send: {channels: [email], template: {email: {subject: C, text: D}}}}]}
  - {id: rest, wait: {for: 5s}}
---
schema: journey/v1
id: buyer
version: 1
trigger: {type: audience, audience: buyers}
entry: {reentry: {mode: always}}
exit: [{reason: gone, audience_left: buyers}]
policy: {purpose: transactional}
steps:
  - {id: coupon, call: {connector: coupons, with: {who: {expr: contact.id}}, save_as: coupon, timeout: 3s}}
  - id: say
    send: {channels: [email], template: {email: {subject: "{{ context.coupon.code | default: 'none' }}", text: Hello}}}
  - {id: gather, collect: {event: Product Viewed, by: event.properties.name, for: 2s, save_as: views}}
  - {id: staff, notify: {channel: email, to: [ops@example.jp], template: {email: {subject: Seen, text: Hello}}}}
  - {id: rest, wait: {for: 5s}}
---
schema: journey/v1
id: after_buyer
version: 1
trigger: {type: journey, journey: buyer, outcome: gone}
entry: {reentry: {mode: always}}
policy: {purpose: transactional}
steps:
  - {id: mark, update: {set: {left: true}}}
"""
AUDIENCE = """
schema: audience/v1
id: buyers
where: {performed: {event: Order Completed, within: 4s}}
"""


def write_journeys(folder: Path, now: int, quiet: int) -> Path:
    """Write the journeys into ``folder``/journeys; their quiet hours end ``quiet`` seconds after ``now``."""
    begin, end = (to_iso(now + seconds * SECOND)[11:19] for seconds in (-3600, quiet))
    text = JOURNEYS.replace("QUIET_FROM", begin).replace("QUIET_TO", end)
    journeys = write_documents(folder / "journeys", text)
    (journeys / "audiences").mkdir()
    (journeys / "audiences/buyers.yaml").write_text(AUDIENCE)
    return journeys


def first_calls(contact: str, random: Random, now: int) -> Iterator[dict[str, Any]]:
    """Yield what ``contact`` does at first: say who it is, perhaps consent, fill, view, buy; some late, some twice.

    Some begin as visitors and log in on the way.
    """
    # The quiet hours are over for those who are far away; and some have a zone that is none.
    traits = {"timezone": random.choice(["Asia/Tokyo", "America/New_York", "UTC", "Nowhere/At_All"])}
    traits |= random.choice(
        [{"email": f"{contact}@example.jp"}, {"email": f"{contact}@example.jp", "phone": "+81"}, {}]
    )
    calls: list[dict[str, Any]] = [{"type": "identify", "traits": traits}]
    topics = [topic for topic in ("carts", "news") if random.random() < 0.8]
    calls += [{"type": "consent", "topic": topic, "status": "granted"} for topic in topics]
    calls += [_track(random, now) for _ in range(random.randint(1, 5))]
    login = random.choice([0, 0, 0, random.randint(1, len(calls))])
    for number, call in enumerate(calls):
        who = {"anonymousId": f"v-{contact}"} if number < login else {"userId": contact}
        done = {**call, **who, "messageId": f"{contact}-{number}"}
        yield from [done] * random.choice((1,) * 9 + (2,))
    if login:
        yield {"type": "identify", "userId": contact, "anonymousId": f"v-{contact}", "messageId": f"{contact}-login"}


def later_call(contact: str, random: Random, now: int) -> dict[str, Any]:
    """Return what ``contact`` does some seconds after its first calls: go on, buy, or revoke its consent."""
    revoked = {"type": "consent", "topic": "carts", "status": "revoked"}
    bought = {"type": "track", "event": "Order Completed", "properties": {"total": 12, "order_id": "late"}}
    call = random.choice([_track(random, now), _track(random, now), bought, bought, revoked])
    return {**call, "userId": contact, "messageId": f"{contact}-at-{now}"}


def _track(random: Random, now: int) -> dict[str, Any]:
    done = {
        "type": "track",
        "event": random.choice(["Product Added", "Product Added", "Product Viewed", "Order Completed"]),
        "properties": {**properties_by_lot(random), "price": random.choice([0.1, 3, 19.99, "?"])},
    }
    if random.random() < 0.15:
        done["timestamp"] = to_iso(now - random.randint(1, 40) * 60 * SECOND)
    return done


def outcome_by_lot(command: CommandRecord, random: Random, now: int) -> Outcome | Answer:
    """Return what a dispatcher might report of ``command``."""
    if isinstance(command, CallCommand):
        error = random.choice([None, None, "refused"])
        return answer_of(command, now, data=None if error else {"code": "A1", "rate": 0.1}, error=error)
    status: OutcomeStatus = random.choice(["sent", "sent", "sent", "sent", "failed", "ambiguous", "skipped"])
    reason = {"failed": "provider_rejected", "skipped": "expired"}.get(status)
    return outcome_of(command, status, now, reason=reason)


def record(folder: Path, *options: str, env: Mapping[str, str] | None = None) -> Path:
    """Record the log with the command that users have, and return the file."""
    file = folder / "recorded.ndjson"
    result = CliRunner().invoke(
        cli, ["log", "record", "--force", "--out", str(file), *options], env=env, catch_exceptions=False
    )
    assert 0 == result.exit_code, result.output
    return file


def agreement_of(file: Path, journeys: Path) -> Agreement:
    """Return how the recording agrees with its replay."""
    with file.open("rb") as lines:
        return compare(load_definitions(journeys), read_recording(file.name, lines))


def assert_agreed(file: Path, journeys: Path, *, seen: int) -> Agreement:
    """Every decision of a system at rest is the replay's and the oracle's, byte for byte, over ``seen`` partitions.

    The oracle shares no code with the hosts but the core.
    """
    found = agreement_of(file, journeys)
    assert ([], [], 0) == (found.differences, found.beginnings_missing, found.open)
    with file.open("rb") as lines:
        everything = list(read_recording(file.name, lines))
    logs = [
        [it.record for it in everything if it.topic == "events" and it.partition == number] for number in range(seen)
    ]
    recorded = [it.record for it in everything if it.topic == "journal" and it.record.key != INCARNATION_KEY]
    assert {it.partition for it in everything} == set(range(seen))
    defined = load_definitions(journeys)
    verdicts = [judge(defined.journeys, _readable(log), audiences=defined.audiences) for log in logs]
    expected = {codec.encode(it) for verdict in verdicts for it in verdict.journal}
    assert expected == {it.value for it in recorded}
    assert len(expected) == found.decisions
    assert_everything_happened(logs, [codec.JOURNAL.decode(it.value) for it in recorded])
    return found


def assert_everything_happened(logs: Sequence[Sequence[LogRecord]], journal: Sequence[JournalRecord]) -> None:
    """The replay was worth it: ticks in each partition, outcomes, and every kind of decision."""
    for log in logs:
        kinds = {type(codec.EVENTS.decode(it.value)) for it in _readable(log)[1:]}
        assert {Event, Outcome, Tick} <= kinds
    assert {Link, Handover, Ask, Reply} <= {
        type(codec.EVENTS.decode(it.value)) for log in logs for it in _readable(log)[1:]
    }
    assert_runs_are_whole(journal)
    with_reason = ("not_entered", "skip", "deferred", "exited")
    decisions = {(it.decision, it.reason if it.decision in with_reason else None) for it in journal}
    wanted: set[tuple[str, str | None]] = {
        (kind, None) for kind in ("entered", "send", "sent", "update", "emit", "converted", "winner")
    }
    wanted |= {("call", None), ("answered", None), ("notify", None), ("exited", "gone"), ("not_entered", "limit")}
    wanted |= {("deferred", "quiet_hours"), ("deferred", "capped"), ("skip", "no_consent")}
    wanted |= {("skip", "unreachable"), ("exited", "converted"), ("exited", "completed")}
    assert set() == wanted - decisions


def assert_runs_are_whole(journal: Sequence[JournalRecord]) -> None:
    """Each run is entered once and ended at most once, in whichever row it lives; some went over to another row."""
    once = {it.id: it for it in journal}.values()  # a crash writes some again
    entered = Counter(it.run for it in once if it.decision == "entered")
    exited = Counter(it.run for it in once if it.decision == "exited")
    assert set(entered.values()) == set(exited.values()) == {1}
    assert exited.keys() <= entered.keys()
    visitors = {it.run for it in journal if it.decision == "entered" and it.contact.startswith("a:")}
    assert visitors & {it.run for it in journal if it.decision == "exited" and it.contact.startswith("u:")}


def _readable(log: Iterable[LogRecord]) -> list[LogRecord]:
    """Return ``log`` without what goes to ``events.dlq``, which the oracle does not know."""
    return [it for it in log if it.value != UNREADABLE and it.key != NO_CONTACT]
