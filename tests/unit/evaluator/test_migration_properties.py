"""Whatever two versions of a journey are and whatever happens: a migration loses no timer, no message and no run."""

from __future__ import annotations

from typing import Literal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.clock import DAY, HOUR, MINUTE
from shared.journeys.model import Journey, all_steps
from shared.journeys.promises import InFlight, Migration
from tests.builders import an_event, at
from tests.unit.evaluator.random_journeys import random_journeys
from tests.unit.evaluator.test_migration import World

GAPS = st.sampled_from([1, 5 * MINUTE, HOUR, 5 * HOUR, DAY])
HAPPENED = st.lists(st.tuples(GAPS, st.sampled_from(["Go", "X", "Y", "Looked"])), min_size=1, max_size=10)
TIMERS: st.SearchStrategy[Literal["keep", "recompute"]] = st.sampled_from(["keep", "recompute"])


@settings(max_examples=150, deadline=None, derandomize=True)
@given(random_journeys(), random_journeys(), st.data(), HAPPENED, st.booleans())
def test_a_migration_conserves_timers_runs_and_ids(
    old: Journey, new: Journey, data: st.DataObject, happened: list[tuple[int, str]], keep_old: bool
) -> None:
    """The world checks after each occurrence that timers armed are those fired, cancelled and pending."""
    names, former = [step.id for step in all_steps(new.steps)], [step.id for step in all_steps(old.steps)]
    renamed = data.draw(st.dictionaries(st.sampled_from(former), st.sampled_from(names), max_size=3))
    rule = Migration(source=1, map=renamed, timers=data.draw(TIMERS))
    new = msgspec.structs.replace(new, version=2, in_flight=InFlight(migrate=(rule,)))
    world = World(old)
    now, half = at("10:00"), len(happened) // 2
    for number, (gap, name) in enumerate(happened):
        if number == half:
            world.adopt(*([old, new] if keep_old else [new]))
        now += gap
        world.happens(an_event(name, now, message_id=f"m{number}", n=number))
    world.run_to(now + 30 * DAY)

    ids = [command.command_id for command in world.commands]
    assert len(ids) == len(set(ids))
    entered = {record.run for record in world.journal if record.decision == "entered"}
    exited = [record.run for record in world.journal if record.decision == "exited"]
    assert len(exited) == len(set(exited))
    assert entered == {*exited, *(run.run_id for run in world.state.runs)}
    assert "error" not in {record.reason for record in world.journal}
    if not keep_old:
        assert {2} >= {run.version for run in world.state.runs}
