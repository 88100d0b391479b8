"""What a visitor and a user have counted each is one number once they are one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from services.evaluator.core.catalog import Catalog, build_catalog
from services.evaluator.core.draft import Draft
from services.evaluator.core.measures import SAMPLES_AT_MOST, merged_samples
from services.evaluator.core.state import ContactState, Sample, Watch
from services.evaluator.core.thresholds import merge_thresholds
from tests.builders import a_journey, an_event, at
from tests.unit.evaluator.test_identity import World, by, login

NOW = 1_000_000
JOURNEY = """
schema: journey/v1
id: told
version: 1
trigger: {type: threshold, event: Used, field: event.properties.total, TRIGGER}
policy: {purpose: transactional}
steps: [{id: rest, wait: {for: 1d}}]
"""
SPEND = 'aggregate: sum, is: ">= 100"'


def merged(trigger: str, mine: list[Sample], theirs: list[Sample]) -> tuple[ContactState, list[Watch]]:
    catalog: Catalog = build_catalog([a_journey(JOURNEY.replace("TRIGGER", trigger))])
    [prefix] = catalog.thresholds
    draft = Draft(catalog, _row("u:c1", prefix, mine), now=NOW, log_time=NOW, cause="handover")
    crossed = merge_thresholds(draft, _row("a:v", prefix, theirs))
    return draft.finish().state, crossed


def _row(contact: str, prefix: str, samples: list[Sample]) -> ContactState:
    kept: dict[str, Any] = {f"{prefix}/": tuple(samples)} if samples else {}
    return msgspec.structs.replace(ContactState(contact), samples=kept)


@pytest.mark.parametrize(
    ("trigger", "mine", "theirs", "together"),
    [
        (SPEND, [Sample(5, 40)], [Sample(9, 30)], [Sample(9, 70)]),
        (SPEND, [], [Sample(9, 30)], [Sample(9, 30)]),
        ('aggregate: count, is: ">= 9"', [Sample(9, 2)], [Sample(5, 3)], [Sample(9, 5)]),
        ('aggregate: count, within: 1d, is: ">= 9"', [Sample(9, 1)], [Sample(5, 1)], [Sample(5, 1), Sample(9, 1)]),
        ('aggregate: distinct, is: ">= 9"', [Sample(1, 7), Sample(2, 8)], [Sample(3, 7)], [Sample(2, 8), Sample(3, 7)]),
        (
            'aggregate: rate, within: 1d, is: ">= 9"',
            [Sample(4, 0), Sample(4, 1)],
            [Sample(2, 0), Sample(3, 1)],
            [Sample(2, 0), Sample(3, 1), Sample(4, 1)],
        ),
        (SPEND, [Sample(5, 40)], [Sample(NOW + 9, 30)], [Sample(NOW, 70)]),
    ],
    ids=["sum", "theirs alone", "count", "in a window", "distinct", "rate", "of a log that is ahead"],
)
def test_both_count(trigger: str, mine: list[Sample], theirs: list[Sample], together: list[Sample]) -> None:
    state, _ = merged(trigger, mine, theirs)
    assert [tuple(together)] == [*state.samples.values()]


@pytest.mark.parametrize(("mine", "theirs", "crosses"), [(40, 70, 1), (100, 1, 0), (1, 100, 0), (40, 50, 0)])
def test_what_only_both_together_meet_is_crossed_by_the_merge(mine: int, theirs: int, crosses: int) -> None:
    _, crossed = merged(SPEND, [Sample(5, mine)], [Sample(9, theirs)])
    assert crosses == len(crossed)


def test_the_next_change_is_that_of_both_together() -> None:
    state, _ = merged('aggregate: count, within: 1h, is: "< 2"', [Sample(NOW - 9, 1)], [Sample(NOW - 5, 1)])
    assert [NOW - 9 + 3_600_000] == [watch.due for watch in state.watches.values()]


def test_too_many_samples_are_joined_and_none_of_their_worth_is_lost() -> None:
    one = [Sample(number * 10, 1) for number in range(SAMPLES_AT_MOST)]
    other = [Sample(number * 10 + 1, 2) for number in range(SAMPLES_AT_MOST)]
    found = merged_samples(one, other, "sum")
    assert (SAMPLES_AT_MOST, 3 * SAMPLES_AT_MOST) == (len(found), sum(sample.value for sample in found))
    assert [Sample(1, 3), Sample(11, 3)] == [*found[:2]]


def world_of(trigger: str) -> World:
    return World(a_journey(JOURNEY.replace("TRIGGER", trigger)))


def used(world: World, key: str, clock: str, total: int = 1) -> None:
    event = an_event("Used", at(clock), message_id=f"{key} {clock}", total=total)
    who = ("c1", None) if key == "u:c1" else (None, "v")
    world.apply(key, by(event, *who), at(clock))


def entries(world: World, until: int) -> list[tuple[str, int]]:
    for key in world.rows:
        world.run_to(key, until)
    return [(key, when) for key, decision, _, when in world.told if decision == "entered"]


def test_lifetime_spend_of_visitor_and_user_is_crossed_when_they_become_one() -> None:
    world = world_of(SPEND)
    used(world, "a:v", "10:00", 60)
    used(world, "u:c1", "10:30", 60)
    login(world, "11:00")
    world.deliver(at("11:00"))
    used(world, "u:c1", "12:00", 60)
    assert [("u:c1", at("11:00"))] == entries(world, at("13:00"))


def test_a_visitor_who_has_crossed_does_not_cross_again_as_a_user() -> None:
    world = world_of(SPEND)
    used(world, "a:v", "10:00", 100)
    login(world, "11:00")
    world.deliver(at("11:00"))
    used(world, "u:c1", "12:00", 60)
    assert [("a:v", at("10:00"))] == entries(world, at("13:00"))


def test_what_both_did_falls_once_and_for_the_user() -> None:
    """Of three in an hour, two by the visitor, the second is too old at 11:10: then less than two are left."""
    world = world_of('aggregate: count, within: 1h, is: "< 2"')
    used(world, "a:v", "10:00")
    used(world, "u:c1", "10:10")
    used(world, "a:v", "10:20")
    login(world, "10:30")
    world.deliver(at("10:30"))
    assert {} == world.rows["a:v"].watches
    assert [("u:c1", at("11:10"))] == entries(world, at("23:00"))
