"""A test's contact is in the holdout and the variants that the test says."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from cli.simulator.pinning import has_holdout, pinned, variants
from cli.simulator.scenario import Contact, step_ids
from shared.journeys.model import Journey, Step
from tests.builders import a_journey


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    weight: int
    then: tuple[Any, ...] = ()


class Experiment(msgspec.Struct, frozen=True, kw_only=True, tag="experiment"):
    id: str
    salt: str
    variants: tuple[Variant, ...]


class Holdout(msgspec.Struct, frozen=True):
    percent: float
    salt: str


class HoldingPolicy(msgspec.Struct, frozen=True, kw_only=True):
    holdout: Holdout | None = None


def a_test() -> Journey:
    plain = a_journey()
    inner = Experiment(id="inner", salt="s2", variants=(Variant(id="x", weight=1), Variant(id="y", weight=1)))
    outer = Experiment(
        id="outer", salt="s1", variants=(Variant(id="a", weight=50, then=(inner,)), Variant(id="b", weight=50))
    )
    return msgspec.structs.replace(
        plain, steps=(cast("Step", outer), *plain.steps), policy=cast("Any", HoldingPolicy(holdout=Holdout(5, "h")))
    )


def test_experiments_and_steps_are_found_however_deep() -> None:
    assert {"s1": ["a", "b"], "s2": ["x", "y"]} == variants(a_test())
    assert ["outer", "inner", "settle"] == step_ids(a_test())[:3]


def test_the_variant_named_takes_all() -> None:
    made: Any = pinned(a_test(), Contact(variants={"s2": "y"}))
    outer = made.steps[0]
    assert [50, 50] == [variant.weight for variant in outer.variants]
    assert [0, 100] == [variant.weight for variant in outer.variants[0].then[0].variants]
    assert made.steps[1:] == a_journey().steps


def test_the_holdout_is_everybody_or_nobody() -> None:
    assert has_holdout(a_test())
    assert not has_holdout(pinned(a_test(), Contact(holdout=False)))
    assert Holdout(100, "h") == cast("Any", pinned(a_test(), Contact(holdout=True)).policy).holdout
    assert a_test() == pinned(a_test(), Contact())


def test_a_journey_without_a_holdout_stays_as_it_is() -> None:
    assert not has_holdout(a_journey())
    assert a_journey() == pinned(a_journey(), Contact(holdout=False))


def test_a_step_with_a_policy_of_its_own_is_held_out_as_its_journey_is() -> None:
    text = """
schema: journey/v1
id: a
version: 1
trigger: {type: event, event: Go}
policy: {topic: news, holdout: {percent: 5, salt: s}}
steps:
  - id: way
    branch:
      - if: contact.vip == true
        then: [{id: mail, send: {channels: [email], quiet_hours: none, template: {email: {subject: A, text: B}}}}]
"""
    for held, expected in ((True, 100), (False, None)):
        [way] = pinned(a_journey(text), Contact(holdout=held)).steps
        [mail] = cast("Any", way).cases[0].then
        assert expected == getattr(mail.policy.holdout, "percent", None)
