"""Whatever the batches, the backlog and the crashes: a log decides the same as the core does alone, in sequence."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.evaluator import builder as builder_module
from services.evaluator.meta import decode_meta
from shared.journeys.sending import Cap, Policy
from shared.log import LogRecord
from shared.messages import codec
from shared.messages.command import Cancel, SendCommand
from shared.messages.event import Event
from shared.messages.journal import JournalRecord
from shared.messages.outcome import Outcome
from shared.messages.topics import EVENTS
from tests.oracle import Verdict, judge
from tests.unit.evaluator.histories import CONTACTS, JOURNEYS, LAST, LONGEST, MAX_SENDS, POLICIES, STEPS, ZONES, Step
from tests.unit.evaluator.replays import Host, by_id, decoded, played

PROFILE = settings(
    max_examples=1000,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


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
    entered: dict[str, int] = {}
    sends: dict[str, int] = {}
    returned = {
        it.command_id for it in verdict.journal if it.decision in ("skip", "failed") and it.command_id is not None
    }
    for record in verdict.journal:
        run = record.run or ""
        if record.decision == "entered":
            entered[run] = record.at
        if record.decision == "exited":
            ended.add(run)
            assert record.at - entered[run] <= LONGEST.get(record.journey, LAST)
        if is_send(record):
            assert run not in ended
            sends[run] = sends.get(run, 0) + (record.command_id not in returned)
            most = MAX_SENDS[record.journey]
            assert most is None or sends[run] <= most
    for contact in CONTACTS:
        within_caps([record for record in verdict.journal if record.contact == contact])
        assert not [it for it in verdict.journal if it.contact == contact and is_send(it) and is_quiet(it)]
    for command in verdict.commands:
        consents = consents_at(host.log, command, verdict.places[command.command_id])
        assert command.purpose == "transactional" or True in consents


def within_caps(journal: list[JournalRecord]) -> None:
    """Check that each send found room for itself: of all marketing messages decided before and not given back."""
    counted: dict[str, JournalRecord] = {}
    for record in journal:
        if record.decision in ("skip", "failed") and record.command_id is not None:
            counted.pop(record.command_id, None)
        if is_send(record) and policy_of(record).purpose == "marketing":
            for cap in (cap for cap in policy_of(record).caps if concerns(cap, record)):
                same = (other for other in counted.values() if concerns(cap, other))
                assert cap.max > sum(1 for other in same if record.at - cap.per < other.at <= record.at)
            counted[record.command_id or ""] = record


def policy_of(record: JournalRecord) -> Policy:
    return POLICIES[record.journey, record.step or ""]


def concerns(cap: Cap, sent: JournalRecord) -> bool:
    """Tell whether ``cap``, which here is one over all journeys, counts a message."""
    return cap.channel in (None, sent.channel) and cap.topic in (None, policy_of(sent).topic)


def is_quiet(record: JournalRecord) -> bool:
    """Tell whether the contact's clock shows a quiet hour of the step; here they are all over night."""
    hour = datetime.fromtimestamp(record.at / 1000, ZoneInfo(ZONES[record.contact])).hour
    quiet = policy_of(record).quiet_hours
    return quiet is not None and (hour >= int(quiet.start[:2]) or hour < int(quiet.end[:2]))


def consents_at(log: list[LogRecord], command: SendCommand, place: int) -> set[bool | None]:
    """Return the contact's newest word on the command's topic and channel, before and behind the ``place``."""
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
            concerned = message.properties.get("channel") in (None, command.channels[0])
            if (
                concerned
                and message.properties["topic"] == command.topic
                and (told_at, not granted) >= (said_at, not said)
            ):
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
