"""Whatever the batches, the backlog and the crashes: a log decides the same as the core does alone, in sequence."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.evaluator import builder as builder_module
from services.evaluator.core.catalog import build_catalog
from services.evaluator.core.state import ContactState
from services.evaluator.epoch import Epoch
from services.evaluator.meta import decode_meta
from services.evaluator.processor import PartitionProcessor
from services.evaluator.rows import decode_row
from shared.clock import DAY, HOUR, MINUTE
from shared.ids import outcome_id
from shared.log import LogRecord, Output
from shared.messages import codec
from shared.messages.command import Cancel, SendCommand
from shared.messages.event import Event, EventRecord, Tick
from shared.messages.journal import JournalRecord
from shared.messages.outcome import Outcome, OutcomeStatus
from shared.messages.topics import EVENTS
from tests.builders import CART, a_journey, an_event, at, consented, identified
from tests.fakes import MemoryEpochs
from tests.oracle import Verdict, judge

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
JOURNEYS = tuple(a_journey(text) for text in (CART, ONCE, RESTARTED, CONFIRMATION, GREETING, NURTURE, ECHO))
POLICIES = {journey.id: journey.policy for journey in JOURNEYS}
MAX_SENDS = {journey.id: journey.policy.max_sends for journey in JOURNEYS}
TOPICS = {journey.id: journey.policy.topic for journey in JOURNEYS if journey.policy.purpose == "marketing"}
CONTACTS = ("u:1", "a:2")
ZONES = {"u:1": "UTC", "a:2": "Asia/Tokyo"}
LAST = 60 * 24 * HOUR
"""Long after every history: by then every run is over."""

PROFILE = settings(
    max_examples=1000,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

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
    + ["Browsed", "Browsed", "identify", "granted", "revoked", "tick", "tick"]
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


# ---- the host -----------------------------------------------------------------------------------------------------


class Host:
    """Keeps a log and what was saved; a crash throws the processor away and leaves both."""

    def __init__(self) -> None:
        self.catalog = build_catalog(JOURNEYS)
        self.store = MemoryEpochs()
        self.log: list[LogRecord] = []
        self.now = at("09:00")
        self.published: list[SendCommand] = []
        self.lost: list[Output] = []
        self.restart()
        for contact in CONTACTS:
            self.append(identified(self.now, email=f"{contact}@example.jp", timezone=ZONES[contact]), contact)
            self.append(consented(self.now, "cart_reminders"), contact)
            self.append(msgspec.structs.replace(consented(self.now, "news"), message_id="news"), contact)

    def restart(self) -> None:
        self.processor = PartitionProcessor(partition=0, catalog=self.catalog, store=self.store, incarnation="log")

    def append(self, message: EventRecord | bytes, contact: str | None) -> None:
        value = message if isinstance(message, bytes) else codec.encode(message)
        key = None if contact is None else contact.encode()
        self.log.append(LogRecord(len(self.log), self.now, key, value))

    def step(self, step: Step) -> None:
        match step:
            case Happens():
                self.now += step.after
                message = step.make(self.now, step.contact)
                self.append(message, None if isinstance(message, Tick) else step.contact)
            case Reported():
                self.now += step.after
                if self.published:
                    command = self.published[-1 - step.number % len(self.published)]
                    self.append(reported(command, step.status, self.now), command.contact)
            case Offered():
                begin = max(0, self.processor.meta.next_offset - step.back)
                offered = self.log[begin : begin + step.back + step.count]
                self.keep(self.processor.process(offered, caught_up=step.caught_up), saved=step.saved)
            case Fired():
                self.keep(self.processor.fire(step.limit, caught_up=step.caught_up), saved=step.saved)
            case Released():
                self.keep(self.processor.release(step.limit), saved=step.saved)

    def keep(self, epoch: Epoch, *, saved: bool) -> None:
        if not saved:
            self.lost += epoch.outputs
            self.restart()
            return
        self.store.keep(epoch)
        for output in epoch.outputs:
            if output.topic == EVENTS:
                self.append(output.value or b"", (output.key or b"").decode())
            elif output.topic == "commands":
                self.published.append(codec.COMMANDS.decode(output.value))

    def finish(self) -> None:
        """Catch up, and let the time run on until nothing is left to happen."""
        self.now += LAST
        self.append(Tick(partition=0), None)
        while (begin := self.processor.meta.next_offset) < len(self.log) or self.processor.has_due:
            self.keep(self.processor.process(self.log[begin:], caught_up=True), saved=True)
            self.keep(self.processor.fire(2, caught_up=True), saved=True)
        while self.processor.holding:
            self.keep(self.processor.release(1), saved=True)

    def states(self) -> dict[str, ContactState]:
        return {contact: decode_row(value).state for contact, value in self.store.rows.items()}


def reported(command: SendCommand, status: OutcomeStatus, when: int) -> Outcome:
    return Outcome(
        message_id=outcome_id(command.command_id),
        contact=command.contact,
        command_id=command.command_id,
        run_id=command.run_id,
        journey=command.journey,
        version=command.version,
        step=command.step,
        channel=command.channels[0],
        status=status,
        at=when,
    )


M = TypeVar("M")


def by_id(messages: Iterable[M], name: str) -> dict[str, M]:
    """Return the messages by id; two of one id with different contents are an error."""
    found: dict[str, M] = {}
    for message in messages:
        assert message == found.setdefault(getattr(message, name), message)
    return found


def decoded(outputs: Iterable[Output], topic: str, decoder: codec.Decoder[Any]) -> list[Any]:
    return [decoder.decode(output.value) for output in outputs if output.topic == topic]


def played(steps: Iterable[Step]) -> Host:
    host = Host()
    for step in steps:
        host.step(step)
    host.finish()
    return host


# ---- the properties -----------------------------------------------------------------------------------------------


@PROFILE
@given(STEPS, st.sampled_from([builder_module.EPOCH_BYTES, 2_000, 1]))
def test_any_host_decides_what_the_sequential_oracle_decides(steps: list[Step], epoch_bytes: int) -> None:
    """The same decisions, ids, contents and states, for any batches, any backlog and any crashes.

    Also where an epoch is full at once: in the midst of the timers that go before or after a record.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(builder_module, "EPOCH_BYTES", epoch_bytes)
        host = played(steps)
    verdict = judge(JOURNEYS, host.log)
    outputs = host.store.outputs

    journal: list[JournalRecord] = decoded(outputs, "journal", codec.JOURNAL)
    assert by_id(verdict.journal, "id") == by_id(journal, "id")
    assert len(verdict.journal) == len(journal)
    for contact in CONTACTS:
        of_contact = [record for record in journal if record.contact == contact]
        assert [record for record in verdict.journal if record.contact == contact] == of_contact

    commands: list[SendCommand] = decoded(outputs, "commands", codec.COMMANDS)
    returned = decoded(outputs, EVENTS, codec.EVENTS)
    withdrawn = {it.command_id for it in returned if isinstance(it, Outcome)}
    emitted = [it for it in returned if isinstance(it, Event)]
    assert by_id(verdict.events, "message_id") == by_id(emitted, "message_id")
    assert len(verdict.events) == len(emitted)
    decided = by_id(verdict.commands, "command_id")
    assert {id_: decided[id_] for id_ in decided if id_ not in withdrawn} == by_id(commands, "command_id")
    assert len(commands) == len(decided) - len(withdrawn)

    cancels: list[Cancel] = decoded(outputs, "cancels", codec.CANCELS)
    told = {cancel.command_id for cancel in cancels}
    assert {cancel.command_id for cancel in verdict.cancels} == told | withdrawn
    assert not told & withdrawn

    assert verdict.states == host.states()
    assert [] == decoded(outputs, "events.dlq", codec.DEAD_LETTERS)
    counted(host)
    harmless(host, verdict)


def counted(host: Host) -> None:
    """Check both sums of the counters, and those against the log."""
    counters = decode_meta(host.store.meta or b"").counters
    pending = sum(state.armed_timers for state in host.states().values())
    assert counters.timers_armed == counters.timers_fired + counters.timers_cancelled + pending
    assert len(host.log) == counters.records
    assert counters.records == counters.applied + counters.repeated + counters.duplicate + counters.other
    assert counters.commands == len([it for it in decoded(host.store.outputs, "journal", codec.JOURNAL) if is_send(it)])


def is_send(record: JournalRecord) -> bool:
    return record.decision == "send"


def harmless(host: Host, verdict: Verdict) -> None:
    """Check what must never be: a send after its run's exit, above a cap, in quiet hours, or without consent."""
    ended: set[str] = set()
    sends: dict[str, int] = {}
    returned = {
        it.command_id for it in verdict.journal if it.decision in ("skip", "failed") and it.command_id is not None
    }
    for record in verdict.journal:
        run = record.run or ""
        if record.decision == "exited":
            ended.add(run)
        if is_send(record):
            assert run not in ended
            sends[run] = sends.get(run, 0) + (record.command_id not in returned)
            most = MAX_SENDS[record.journey]
            assert most is None or sends[run] <= most
    for contact in CONTACTS:
        within_caps([record for record in verdict.journal if record.contact == contact])
        assert not [it for it in verdict.journal if it.contact == contact and is_send(it) and is_quiet(it)]
    for command in verdict.commands:
        assert command.journey not in TOPICS or True in consents_at(
            host.log, command, verdict.places[command.command_id]
        )


def within_caps(journal: list[JournalRecord]) -> None:
    """Check that each send found room for itself: of all marketing messages decided before and not given back."""
    counted: dict[str, int] = {}
    for record in journal:
        if record.decision in ("skip", "failed") and record.command_id is not None:
            counted.pop(record.command_id, None)
        if is_send(record) and record.journey in TOPICS:
            for cap in POLICIES[record.journey].caps:
                assert cap.max > sum(1 for when in counted.values() if record.at - cap.per < when <= record.at)
            counted[record.command_id or ""] = record.at


def is_quiet(record: JournalRecord) -> bool:
    """Tell whether the contact's clock shows an hour from 21 to 8, in a journey that is quiet then."""
    hour = datetime.fromtimestamp(record.at / 1000, ZoneInfo(ZONES[record.contact])).hour
    return POLICIES[record.journey].quiet_hours is not None and (hour >= 21 or hour < 8)


def consents_at(log: list[LogRecord], command: SendCommand, place: int) -> set[bool | None]:
    """Return what the contact's newest word on the command's topic was before and behind the record at ``place``."""
    said: bool | None = None
    said_at = 0
    found: set[bool | None] = set()
    seen: set[str] = set()
    log_time = 0
    for number, record in enumerate(log[: place + 1]):
        log_time = max(log_time, record.timestamp)
        if number == place:
            found.add(said)
        if record.key != command.contact.encode():
            continue
        message = codec.EVENTS.decode(record.value)
        if isinstance(message, Event) and message.type == "consent" and message.message_id not in seen:
            seen.add(message.message_id)
            told_at, granted = min(message.timestamp, log_time), message.properties["status"] == "granted"
            if message.properties["topic"] == command.topic and (told_at, not granted) >= (said_at, not said):
                said_at, said = told_at, granted
    return found | {said}


@settings(PROFILE, max_examples=200)
@given(STEPS, st.integers(0, 40))
def test_replaying_any_prefix_twice_changes_nothing(steps: list[Step], length: int) -> None:
    """Neither from saved rows, where the cursor says so, nor on rows that are ahead of their cursor."""
    host = played(steps)
    rows, outputs = dict(host.store.rows), len(host.store.outputs)
    meta = decode_meta(host.store.meta or b"")

    epoch = host.processor.process(host.log[:length], caught_up=True)
    assert ({}, ()) == (epoch.rows, epoch.outputs)

    host.store.keep_meta(msgspec.structs.replace(meta, next_offset=0))
    host.restart()
    for _ in range(2):
        repeat = host.processor.process(host.log[:length], caught_up=True)
        host.store.keep(repeat)
        assert ({}, ()) == (repeat.rows, repeat.outputs)
    assert rows == host.store.rows
    assert outputs == len(host.store.outputs)


@settings(PROFILE, max_examples=200)
@given(STEPS)
def test_what_a_crash_loses_is_decided_again_with_the_same_ids(steps: list[Step]) -> None:
    """Outputs of an epoch that was not saved may have been published by a worker that was cut off: none conflicts."""
    host = played(steps)
    both = [*host.store.outputs, *host.lost]
    by_id(decoded(both, "journal", codec.JOURNAL), "id")
    by_id(decoded(both, "commands", codec.COMMANDS), "command_id")
    by_id(decoded(both, "cancels", codec.CANCELS), "command_id")
