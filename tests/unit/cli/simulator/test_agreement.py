"""Whatever a recording has other than its replay is found; what a live system may leave open is no difference."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from cli.recording import RecordedTopic
from cli.simulator.agreement import Agreement, compare
from cli.simulator.engine import simulate
from shared.journeys.model import Definitions
from shared.log import LogRecord
from shared.messages import codec
from shared.messages.command import Mark, SendCommand
from shared.messages.outcome import Outcome, outcome_of
from tests.builders import a_journey, at
from tests.unit.cli.simulator.recordings import a_log, a_recording, lines_of
from tests.unit.cli.simulator.worlds import PATIENT, did, known, written

EMITTING = PATIENT.replace("  - {id: rest,", "  - {id: cry, emit: {event: Cried}}\n  - {id: rest,")
JOURNEYS = [a_journey(EMITTING)]
Topics = dict[RecordedTopic, list[LogRecord]]


def recorded() -> Topics:
    """Return one run that sends, emits and rests, and one whose message is called back before it has an outcome."""
    first = simulate(JOURNEYS, [*known(), did("Began", "09:00")], until=at("09:50"))
    second = simulate(JOURNEYS, [*known("c2"), did("Began", "10:00", contact="c2")], until=at("10:50"))
    unsettled = [it for it in written(second) if not isinstance(codec.EVENTS.decode(it.value), Outcome)]
    ended = LogRecord(0, at("10:51"), b"u:c2", codec.encode(did("Ended", "10:51", contact="c2").event))
    later = sorted([*written(first), *unsettled], key=lambda it: it.timestamp)
    return a_recording(JOURNEYS, a_log([*later, ended]))


DEFINED = Definitions(journeys=tuple(JOURNEYS))


def found_in(topics: Topics) -> Agreement:
    return compare(DEFINED, lines_of(topics))


def index_of(topics: Topics, topic: RecordedTopic, text: bytes) -> int:
    [found] = [place for place, it in enumerate(topics[topic]) if text in (it.value or b"")]
    return found


def changed(topics: Topics, topic: RecordedTopic, text: bytes, old: bytes, new: bytes) -> None:
    """Write ``new`` in place of ``old`` into the one record of ``topic`` that holds ``text``."""
    place = index_of(topics, topic, text)
    record = topics[topic][place]
    assert old in (record.value or b"")
    topics[topic][place] = msgspec.structs.replace(record, value=(record.value or b"").replace(old, new))


def without(topics: Topics, topic: RecordedTopic, *texts: bytes) -> None:
    for text in texts:
        del topics[topic][index_of(topics, topic, text)]


def repeated(topics: Topics) -> None:
    topics["journal"].append(topics["journal"][index_of(topics, "journal", SECOND)])
    topics["commands"].append(topics["commands"][1])
    topics["cancels"].append(topics["cancels"][1])
    topics["events"].append(topics["events"][index_of(topics, "events", CRIED)])


SECOND = b'"contact":"u:c1","seq":2'
LAST = b'"contact":"u:c2","seq":4'
CRIED = b'"Cried","timestamp":%d' % at("09:45")
COMMAND = b'"contact":"u:c1"'


def test_a_system_at_rest_agrees() -> None:
    found = found_in(recorded())
    assert ([], []) == (found.differences, found.beginnings_missing)
    assert (13, 8, 2, 1, 2) == (found.events, found.decisions, found.commands, found.cancels, found.emitted)
    assert (0, 0, 0, 0) == (found.repeated, found.withdrawn, found.open, found.put_aside)


def test_what_a_crash_wrote_again_is_the_same_bytes() -> None:
    topics = recorded()
    repeated(topics)
    found = found_in(topics)
    assert ([], 4) == (found.differences, found.repeated)


def test_marks_decide_nothing() -> None:
    topics = recorded()
    mark = Mark(partition=0, log_time=0, caught_up=True, written_at=0)
    topics["cancels"].append(LogRecord(0, 0, None, codec.encode(mark)))
    assert [] == found_in(topics).differences


def repeated_other(topics: Topics) -> None:
    repeated(topics)
    last = topics["journal"][-1]
    topics["journal"][-1] = msgspec.structs.replace(last, value=(last.value or b"").replace(b"tell", b"till"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda it: changed(it, "journal", SECOND, b"tell", b"till"), "line 4: recorded other than decided"),
        (lambda it: changed(it, "commands", COMMAND, b"Hi", b"Ho"), "line 12: recorded other than decided"),
        (lambda it: changed(it, "cancels", b"exited", b"exited", b"over"), "line 15: recorded other than decided"),
        (lambda it: changed(it, "events", CRIED, b'"c1"', b'"c9"'), "line 23: another event was emitted"),
        (
            lambda it: changed(it, "journal", SECOND, b'"id":"', b'"id":"x'),
            "line 4: this record of journal is not dec",
        ),
        (lambda it: changed(it, "journal", SECOND, b':"journal"', b':"diary"'), "line 4: journal cannot be read: "),
        (lambda it: without(it, "journal", SECOND), "line 4: decision 3 of u:c1 follows on 1"),
        (lambda it: without(it, "journal", SECOND), "partition 0: decided and not recorded in journal"),
        (lambda it: without(it, "commands", COMMAND), "partition 0: decided and not recorded in commands"),
        (repeated_other, "line 11: other bytes under the id of line 4"),
    ],
)
def test_a_difference_is_named(change: Callable[[Topics], None], said: str) -> None:
    topics = recorded()
    change(topics)
    assert [said] == [text[: len(said)] for text in map(str, found_in(topics).differences) if said in text]


def test_what_was_yet_to_be_written_is_open() -> None:
    """The recording ends in the middle of work: after the exit was applied, before anything of it was written."""
    topics = recorded()
    without(topics, "journal", LAST)
    without(topics, "cancels", b"exited")
    found = found_in(topics)
    assert ([], 2) == (found.differences, found.open)


def test_a_command_without_an_outcome_may_be_held_back_still() -> None:
    topics = recorded()
    without(topics, "commands", b'"contact":"u:c2"')
    without(topics, "cancels", b"exited")
    found = found_in(topics)
    assert ([], 2) == (found.differences, found.open)


def test_a_command_that_was_withdrawn_says_so_in_the_events() -> None:
    """It was held back while the evaluator was behind, and its run ended meanwhile."""
    log = recorded()["events"]
    [command] = [it for it in a_recording(JOURNEYS, log)["commands"] if b'"contact":"u:c2"' in (it.value or b"")]
    withdrawn = codec.COMMANDS.decode(command.value)
    assert isinstance(withdrawn, SendCommand)
    outcome = outcome_of(withdrawn, "skipped", at("10:51"), reason="exited")
    log.append(LogRecord(len(log), at("10:51"), b"u:c2", codec.encode(outcome)))
    topics = a_recording(JOURNEYS, log)
    without(topics, "commands", b'"contact":"u:c2"')
    without(topics, "cancels", b"exited")
    found = found_in(topics)
    assert ([], 2, 0) == (found.differences, found.withdrawn, found.open)


def test_what_was_kept_too_short_is_named_and_not_missed() -> None:
    topics = recorded()
    del topics["commands"][:2]
    found = found_in(topics)
    assert ([], ["commands/0"]) == (found.differences, found.beginnings_missing)


def test_partitions_are_compared_each_for_itself() -> None:
    both = [line for partition in (0, 1) for line in lines_of(recorded(), partition)]
    assert ([], 16) == (compare(DEFINED, both).differences, compare(DEFINED, both).decisions)
