"""What is proved of a journey's ways holds for every run that the engine makes of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.clock import DAY, HOUR, MINUTE
from shared.journeys.flow.proofs import Study, study, verdict
from shared.journeys.flow.structure import unreached
from shared.journeys.model import Entry, ExitAfter, Journey, Reentry
from shared.journeys.promises import NoSendAfter
from shared.lint.week import WEEK, worst_week
from shared.messages.journal import JournalRecord
from tests.builders import an_event, at
from tests.unit.evaluator.playing import happens
from tests.unit.evaluator.random_journeys import random_journeys

GAPS = st.sampled_from([0, 1, 5 * MINUTE, 40 * MINUTE, HOUR, 5 * HOUR, DAY])
HAPPENED = st.lists(st.tuples(GAPS, st.sampled_from(["Go", "X", "X", "Y"]), st.integers(0, 3)), max_size=12)
LAST = 60 * DAY


def runs_of(journey: Journey, happened: list[tuple[int, str, int]]) -> Iterator[list[JournalRecord]]:
    """Yield what is decided in each run, in order, when the contact enters at ten and the rest happens after that."""
    now, events = at("10:00"), [an_event("Go", at("10:00"), n=0)]
    for number, (gap, name, n) in enumerate(happened):
        now += gap
        events.append(an_event(name, now, message_id=f"m{number}", n=n))
    runs: dict[str, list[JournalRecord]] = defaultdict(list)
    for record in happens(journey, *events, until=now + LAST).journal:
        if record.run is not None:
            runs[record.run].append(record)
    yield from runs.values()


def sent(run: list[JournalRecord]) -> list[int]:
    return [record.at for record in run if record.decision == "send"]


@settings(max_examples=150, deadline=None)
@given(random_journeys(), HAPPENED)
def test_no_run_does_what_is_proved_to_be_impossible(journey: Journey, happened: list[tuple[int, str, int]]) -> None:
    known = study(journey)
    dead = {step for step, _ in unreached(known.flow)}
    for run in runs_of(journey, happened):
        assert known.sends is not None
        assert len(sent(run)) <= known.sends
        for earlier, later in pairwise(sent(run)):
            assert known.gap is not None
            assert known.gap.elapsed <= later - earlier
        assert not dead & {record.step for record in run}
        assert lasted(run) <= longest(known, journey)


def lasted(run: list[JournalRecord]) -> int:
    return run[-1].at - run[0].at


def longest(known: Study, journey: Journey) -> int:
    """Return the time that no run outlasts; a run that cannot be bounded is looked at for as long as the test runs."""
    assert known.longest is not None
    bounds = [LAST + 12 * DAY, *(rule.after for rule in journey.exits if isinstance(rule, ExitAfter))]
    return min([*bounds, known.longest.most] if known.longest.most is not None else bounds)


@settings(max_examples=150, deadline=None)
@given(random_journeys(), HAPPENED)
def test_where_no_send_after_an_event_is_proved_none_happens(
    journey: Journey, happened: list[tuple[int, str, int]]
) -> None:
    if verdict(study(journey), NoSendAfter("X")).status != "proved":
        return
    now, times = at("10:00"), []
    for gap, name, _ in happened:
        now += gap
        times += [now] if name == "X" else []
    for run in runs_of(journey, happened):
        since = [when for when in times if when > run[0].at]
        assert [] == [when for when in sent(run) if since and when > since[0]]


ENTRIES = st.builds(
    Entry,
    reentry=st.builds(
        Reentry,
        mode=st.sampled_from(["after_exit", "after_exit", "never"]),
        cooldown=st.sampled_from([0, HOUR, 2 * DAY]),
    ),
    on_retrigger=st.sampled_from(["ignore", "restart"]),
)
OFTEN = st.lists(
    st.tuples(GAPS, st.sampled_from(["Go", "Go", "Go", "X", "Y"]), st.integers(0, 3)), min_size=5, max_size=25
)


@settings(max_examples=150, deadline=None)
@given(random_journeys(), ENTRIES, OFTEN)
def test_no_week_has_more_messages_than_the_worst(
    journey: Journey, entry: Entry, happened: list[tuple[int, str, int]]
) -> None:
    journey = msgspec.structs.replace(journey, entry=entry)
    most = worst_week(study(journey)).most
    assume(most is not None)
    times = sorted(when for run in runs_of(journey, happened) for when in sent(run))
    weeks = [sum(start <= when < start + WEEK for when in times) for start in times]
    assert max(weeks, default=0) <= (most or 0)
