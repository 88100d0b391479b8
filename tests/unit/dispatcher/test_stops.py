"""Which commands a stop holds back."""

from __future__ import annotations

from services.dispatcher.core.stops import Stops
from shared.messages.journeys import Order, OrderKind
from tests.builders import at

NOON = at("12:00")


def stops(*orders: tuple[str, OrderKind, int]) -> Stops:
    made = Stops()
    for journey, kind, when in orders:
        made.take(Order(journey=journey, version=1, order=kind, at=when), when)
    return made


def test_a_stopped_journey_sends_nothing_whenever_it_was_decided() -> None:
    known = stops(("cart", "publish", NOON - 9), ("cart", "stop", NOON))
    assert known.hold("cart", NOON - 1)
    assert known.hold("cart", NOON + 1)
    assert not known.hold("birthday", NOON - 1)


def test_published_again_only_what_is_decided_since_leaves() -> None:
    known = stops(("cart", "stop", NOON), ("cart", "publish", NOON + 5))
    assert known.hold("cart", NOON)
    assert not known.hold("cart", NOON + 1)


def test_a_drained_one_sends_what_its_runs_decide() -> None:
    assert not stops(("cart", "publish", NOON - 9), ("cart", "drain", NOON)).hold("cart", NOON - 1)
