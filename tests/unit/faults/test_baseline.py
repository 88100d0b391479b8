"""What the baseline's agents lost and doubled is counted right."""

from __future__ import annotations

from tests.faults.baseline import Loss, loss_of

ACTS = [("m1", "c1"), ("m2", "c1"), ("m3", "c2")]


def test_one_number_for_each_event_is_right() -> None:
    commands = [("m1", "c1", 1), ("m2", "c1", 2), ("m3", "c2", 1), ("m3", "c2", 1)]
    assert Loss(events=3, lost=0, doubled=0, repeated=1, contacts_wrong=0) == loss_of(ACTS, commands)


def test_an_event_counted_again_and_one_never_counted_are_found() -> None:
    commands = [("m1", "c1", 1), ("m2", "c1", 2), ("m1", "c1", 3)]
    assert Loss(events=3, lost=1, doubled=1, repeated=0, contacts_wrong=2) == loss_of(ACTS, commands)
