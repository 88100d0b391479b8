"""The judge: what a partition wrote under faults, against what the oracle decides over the same log. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from services.evaluator.core.duplicates import DUPLICATE_EVENT
from services.evaluator.core.state import ContactState
from services.evaluator.meta import Counters
from services.evaluator.rows import decode_row
from shared.errors import BadMessageError
from shared.journeys.model import Journey
from shared.log import LogRecord
from shared.messages import codec
from shared.messages.command import Cancel, SendCommand
from shared.messages.event import Event, Tick
from shared.messages.journal import JournalRecord
from shared.messages.outcome import Outcome
from shared.messages.topics import INCARNATION_KEY
from tests.oracle import Verdict, judge

T = TypeVar("T", bound=msgspec.Struct)
_SHOWN = 2
_TICK = codec.encode(Tick(partition=0))


class Written(msgspec.Struct, kw_only=True):
    """What one partition holds at rest: its topics, the contacts' rows, and the counters of its last epoch.

    ``accepted`` are the messageIds that whoever wrote to ``events`` was told are durable.
    """

    events: Sequence[LogRecord]
    journal: Sequence[LogRecord] = ()
    commands: Sequence[LogRecord] = ()
    cancels: Sequence[LogRecord] = ()
    rows: Mapping[str, bytes] = {}
    counters: Counters = Counters()
    accepted: frozenset[str] = frozenset()


class Findings(msgspec.Struct, kw_only=True):
    """What the judge found; all but the first five ought to be 0.

    ``repeated`` records stand in the log more than once with the same bytes, which readers drop by their id.

    - ``lost``: an accepted event that is not in the log, or a decision, command, cancel or event of our own that the
      oracle makes and nobody wrote.
    - ``doubled``: one id with two contents, or an id that the oracle does not know: a second id for one decision.
    - ``mistimed``: the right decision with another time of decision.
    - ``altered``: the right decision at the right time with other contents.
    - ``disordered``: a contact's decision or command that stands before one which was decided earlier.
    - ``wrong_rows``: a contact whose saved state is not the oracle's.
    - ``unbalanced``: a sum over the partition's counters that does not come out.
    """

    events: int = 0
    decisions: int = 0
    commands: int = 0
    repeated: int = 0
    withdrawn: int = 0
    lost: int = 0
    doubled: int = 0
    mistimed: int = 0
    altered: int = 0
    disordered: int = 0
    wrong_rows: int = 0
    unbalanced: int = 0
    examples: list[str] = []

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not any(getattr(self, name) for name in FAULTS)

    def note(self, kind: str, text: object) -> None:
        """Count one fault."""
        count = getattr(self, kind) + 1
        setattr(self, kind, count)
        if count <= _SHOWN:
            self.examples.append(f"{kind}: {text}")


FAULTS = ("lost", "doubled", "mistimed", "altered", "disordered", "wrong_rows", "unbalanced")


def total(findings: Iterable[Findings]) -> Findings:
    """Return the sums over all partitions."""
    whole = Findings()
    for found in findings:
        for name in Findings.__struct_fields__:
            setattr(whole, name, getattr(whole, name) + getattr(found, name))
    return whole


def judge_partition(journeys: Sequence[Journey], written: Written) -> Findings:
    """Return what is wrong with ``written``."""
    log = [record for record in written.events if _applicable(record)]
    verdict = judge(journeys, _without_repeats(log))
    found = Findings(events=len(written.events))
    messages = [codec.EVENTS.decode(it.value) for it in log if it.key not in (None, INCARNATION_KEY)]
    _judge_accepted(found, written, {it.message_id for it in messages if isinstance(it, Event)})
    skipped = {it.command_id for it in messages if isinstance(it, Outcome) and it.status == "skipped"}
    journal = _decoded(found, written.journal, codec.JOURNAL.decode, JournalRecord, lambda it: it.id)
    repeated = _repeats(log)
    journal = {name: it for name, it in journal.items() if not _notes_repeat(it, repeated)}
    commands = _decoded(found, written.commands, codec.COMMANDS.decode, SendCommand, lambda it: it.command_id)
    cancels = _decoded(found, written.cancels, codec.CANCELS.decode, Cancel, lambda it: it.command_id)
    found.decisions, found.commands = len(journal), len(commands)
    _compare(found, {it.id: it for it in verdict.journal}, journal, "at", frozenset())
    # What the evaluator itself ended before anybody saw it is in the log as its outcome, and nowhere else.
    withdrawn = skipped - commands.keys()
    found.withdrawn = len(withdrawn)
    _compare(found, {it.command_id: it for it in verdict.commands}, commands, "decided_at", withdrawn)
    _compare(found, {it.command_id: it for it in verdict.cancels}, cancels, "at", withdrawn)
    _judge_emitted(found, verdict, messages)
    _judge_order(found, [it.id for it in verdict.journal], journal)
    _judge_order(found, [it.command_id for it in verdict.commands], commands)
    _judge_rows(found, verdict, written)
    _judge_counters(found, verdict, written)
    return found


def _applicable(record: LogRecord) -> bool:
    """Tell whether a partition can apply ``record``; what it cannot goes to ``events.dlq``."""
    if record.key == INCARNATION_KEY:
        return True
    try:
        codec.EVENTS.decode(record.value)
        (record.key or b"").decode()
    except (BadMessageError, UnicodeDecodeError):
        return False
    return True


def _without_repeats(log: Iterable[LogRecord]) -> list[LogRecord]:
    """Return ``log`` with a tick in the place of whatever a contact's log says again: it is nothing but time."""
    seen: set[tuple[bytes, str]] = set()
    kept = []
    for record in log:
        if record.key is not None and record.key != INCARNATION_KEY:
            message: Any = codec.EVENTS.decode(record.value)
            identity = (record.key, message.message_id)
            if identity in seen:
                kept.append(msgspec.structs.replace(record, key=None, value=_TICK))
                continue
            seen.add(identity)
        kept.append(record)
    return kept


def _repeats(log: Iterable[LogRecord]) -> set[tuple[str, str]]:
    """Return the contacts and messageIds that stand in ``log`` more than once."""
    messages = [(it.key, codec.EVENTS.decode(it.value)) for it in log if it.key not in (None, INCARNATION_KEY)]
    names = [((key or b"").decode(), message.message_id) for key, message in messages if isinstance(message, Event)]
    return {name for name, count in Counter(names).items() if count > 1}


def _notes_repeat(record: JournalRecord, repeated: set[tuple[str, str]]) -> bool:
    """Tell whether ``record`` only says that a repeat started nothing. The oracle, which sees none, says it not."""
    return record.reason == DUPLICATE_EVENT and (record.contact, record.cause) in repeated


def _judge_accepted(found: Findings, written: Written, present: set[str]) -> None:
    for message_id in written.accepted - present:
        found.note("lost", f"event {message_id} was accepted")


def _decoded(
    found: Findings,
    records: Iterable[LogRecord],
    decode: Callable[[bytes | None], object],
    kind: type[T],
    identity: Callable[[T], str],
) -> dict[str, T]:
    """Return what stands in a topic by its id, in the order of first appearance."""
    values: dict[str, bytes | None] = {}
    messages: dict[str, T] = {}
    for record in records:
        if record.key == INCARNATION_KEY:
            continue
        message = decode(record.value)
        if not isinstance(message, kind):
            continue  # a mark, which carries nothing
        known = identity(message)
        if known not in messages:
            values[known], messages[known] = record.value, message
        elif values[known] == record.value:
            found.repeated += 1
        else:
            found.note("doubled", f"two contents under one id: {message} and {messages[known]}")
    return messages


def _compare(
    found: Findings, expected: Mapping[str, T], written: Mapping[str, T], time: str, excused: Iterable[str]
) -> None:
    for identity in expected.keys() - written.keys() - set(excused):
        found.note("lost", expected[identity])
    for identity, record in written.items():
        wanted: Any = expected.get(identity)
        if wanted is None:
            found.note("doubled", f"decided by nobody: {record}")
        elif getattr(wanted, time) != getattr(record, time):
            found.note("mistimed", f"{record}, decided as {wanted}")
        elif codec.encode(wanted) != codec.encode(record):
            found.note("altered", f"{record}, decided as {wanted}")


def _judge_emitted(found: Findings, verdict: Verdict, messages: Iterable[object]) -> None:
    emitted = {event.message_id: event for event in verdict.events}
    seen: set[str] = set()
    for message in messages:
        if not isinstance(message, Event):
            continue
        if (wanted := emitted.get(message.message_id)) is None:
            continue
        if codec.encode(wanted) != codec.encode(message):  # of what a date or a tuple becomes on the wire
            found.note("doubled", f"another event was emitted: {message}, decided as {wanted}")
        found.repeated += message.message_id in seen
        seen.add(message.message_id)
    for message_id in emitted.keys() - seen:
        found.note("lost", emitted[message_id])


def _judge_order(found: Findings, decided: Sequence[str], written: Mapping[str, JournalRecord | SendCommand]) -> None:
    """Each contact's records stand in the order in which they were decided.

    Commands of either purpose among themselves: marketing is held while a partition is behind, the other is not.
    """
    place = {identity: number for number, identity in enumerate(decided)}
    last: dict[tuple[str, str], int] = {}
    for identity, record in written.items():
        line = (record.contact, record.purpose if isinstance(record, SendCommand) else "")
        number = place.get(identity, -1)
        if number >= 0 and number < last.get(line, -1):
            found.note("disordered", record)
        last[line] = max(number, last.get(line, -1))


def _judge_rows(found: Findings, verdict: Verdict, written: Written) -> None:
    """Each saved state, taken from its stored form, is the oracle's after the same way there and back."""
    for contact, state in verdict.states.items():
        value = written.rows.get(contact)
        if value is None or _stored(decode_row(value).state) != _stored(state):
            found.note("wrong_rows", f"{contact} has no row" if value is None else f"{contact}: {state}")
    for contact in written.rows.keys() - verdict.states.keys():
        found.note("wrong_rows", f"{contact} did nothing and has a row")


def _stored(state: ContactState) -> ContactState:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=ContactState)


def _judge_counters(found: Findings, verdict: Verdict, written: Written) -> None:
    counters = written.counters
    ended = counters.timers_fired + counters.timers_cancelled
    done = counters.applied + counters.repeated + counters.duplicate + counters.dead_lettered + counters.other
    sums = {
        "records of the log": (len(written.events), counters.records),
        "records and what became of them": (counters.records, done),
        "timers armed, and fired or cancelled": (counters.timers_armed, ended),
        "decisions": (len(verdict.journal), counters.decisions),
        "commands": (len(verdict.commands), counters.commands),
    }
    for name, (wanted, got) in sums.items():
        if wanted != got:
            found.note("unbalanced", f"{name}: {wanted} and {got}")
