"""What publishing a folder writes, and what it refuses."""

from __future__ import annotations

import msgspec
import pytest

from shared.errors import ConfigurationError
from shared.journeys.model import Audience, AudienceTrigger, Definitions, Journey
from shared.journeys.predicate import Expression, InAudience
from shared.journeys.published import Live, Published, named_audiences, ordered
from shared.messages import codec
from shared.messages.event import Marker
from shared.messages.journeys import Definition, JourneyRecord, Order
from tests.builders import CART, a_journey

VIP = Audience(id="vip", where=Expression("contact.spent > 100"))
BIG = Audience(id="big", where=InAudience("vip"))


def defined(*journeys: Journey, audiences: tuple[Audience, ...] = ()) -> Definitions:
    return Definitions(journeys=journeys, audiences=audiences)


def version(number: int, text: str = CART) -> Journey:
    return a_journey(text.replace("version: 1", f"version: {number}"))


def published(*records: JourneyRecord) -> Published:
    known = Published()
    for number, record in enumerate(records):
        known.take(number, codec.JOURNEYS.decode(codec.encode(record)))
    return known


def told(records: list[JourneyRecord]) -> list[str]:
    return [f"{record.key} {record.order}" if isinstance(record, Order) else record.key for record in records]


def test_a_definition_comes_before_the_order_that_needs_it() -> None:
    records = Published().publication(defined(version(1), version(2)), at=5, by="aya")
    assert ["def:cart@1", "def:cart@2", "state:cart publish"] == told(records)
    assert isinstance(records[-1], Order)
    assert (2, 5, "aya") == (records[-1].version, records[-1].at, records[-1].by)


def test_a_journey_reads_back_as_it_was() -> None:
    known = published(*Published().publication(defined(version(1)), at=5, by=""))
    assert {("cart", 1): version(1)} == known.journeys


def test_publishing_again_does_nothing() -> None:
    known = published(*Published().publication(defined(version(1)), at=5, by=""))
    assert [] == known.publication(defined(version(1)), at=6, by="")


def test_a_drained_journey_is_published_again() -> None:
    known = published(*Published().publication(defined(version(1)), at=5, by=""))
    [drain] = known.order("cart", "drain", at=6, by="")
    known.take(9, drain)
    assert [] == known.order("cart", "drain", at=7, by="")
    assert ["state:cart publish"] == told(known.publication(defined(version(1)), at=8, by=""))


def test_a_version_is_never_published_with_other_words() -> None:
    known = published(*Published().publication(defined(version(1)), at=5, by=""))
    other = version(1, CART.replace("wait: {for: 24h}", "wait: {for: 25h}"))
    with pytest.raises(ConfigurationError, match="cart@1 was published with other words; give the changed file a new"):
        known.publication(defined(other), at=6, by="")


def test_an_audience_that_changed_makes_its_journey_another() -> None:
    """The definition holds the audiences that it names: what a version decides never changes."""
    journey = msgspec.structs.replace(version(1), triggers=(AudienceTrigger(audience="big"),))
    known = published(*Published().publication(defined(journey, audiences=(VIP, BIG)), at=5, by=""))
    assert (BIG, VIP) == known.audiences["cart", 1]
    changed = Audience(id="vip", where=Expression("contact.spent > 200"))
    with pytest.raises(ConfigurationError, match="other words"):
        known.publication(defined(journey, audiences=(changed, BIG)), at=6, by="")


def test_an_older_version_does_not_replace_the_one_that_is_live() -> None:
    known = published(*Published().publication(defined(version(2)), at=5, by=""))
    with pytest.raises(ConfigurationError, match="cart@2 is live; version 1 is older: give it a higher one"):
        known.publication(defined(version(1)), at=6, by="")


def test_an_unknown_journey_is_not_stopped() -> None:
    with pytest.raises(ConfigurationError, match="there is no published journey crat; `kikkake journeys list` names"):
        Published().order("crat", "stop", at=5, by="")


def test_only_audiences_that_are_named_go_along() -> None:
    assert () == named_audiences(version(1), (VIP, BIG))


def test_markers_are_those_of_the_orders_after_a_number() -> None:
    """All of them in their order, and of one journey each that compaction has left."""
    one = Order(journey="a", version=1, order="publish", at=1)
    known = published(
        one, Order(journey="b", version=1, order="publish", at=2), msgspec.structs.replace(one, order="stop")
    )
    assert [(0, "a", "publish"), (1, "b", "publish"), (2, "a", "stop")] == [
        (it.number, it.journey, it.order) for it in known.markers(-1)
    ]
    assert [2] == [it.number for it in known.markers(1)]
    assert [] == known.markers(2)


def test_when_a_journey_was_stopped_is_not_forgotten_when_it_is_published_again() -> None:
    """A contact that was silent meanwhile still has the run that the stop ended."""
    live: dict[str, Live] = {}
    for number, (order, at) in enumerate((("publish", 10), ("stop", 20), ("publish", 30))):
        marker = Marker(number=number, order=order, journey="a", version=1 + number, at=0)  # type: ignore[arg-type]
        live = ordered(live, marker, at)
    assert {"a": Live(3, "publish", 20)} == live


def test_a_definition_of_another_release_is_an_error_of_its_own() -> None:
    with pytest.raises(ValueError, match="missing required field"):
        Published().take(0, Definition(id="a", version=1, journey={"id": "a"}, audiences=(), at=0))


def test_a_stop_that_was_overtaken_is_still_read_by_those_who_have_not() -> None:
    """A partition that was behind when a journey was stopped and published again ends the runs of before, too."""
    known = Published()
    for number, kind in enumerate(("publish", "stop", "publish")):
        known.take(number, Order(journey="cart", version=1, order=kind, at=number))  # type: ignore[arg-type]
    assert [(1, "stop"), (2, "publish")] == [(marker.number, marker.order) for marker in known.markers(0)]
