"""The index of due timers: in order, small, never wrong about what it was told last."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.evaluator import timers
from services.evaluator.core.state import NEVER
from services.evaluator.timers import DueIndex
from shared.clock import DAY, HOUR, MINUTE, SECOND


class Told:
    """An index, and what it was told last of each contact."""

    adds = False
    """Whether a contact's first timer is added, as a restart does, and not set."""

    def __init__(self, **due: int) -> None:
        self.index = DueIndex()
        self.last: dict[str, int] = {}
        for contact, at in due.items():
            self.set(contact, at)

    def set(self, contact: str, due: int) -> None:
        was = self.last.get(contact, NEVER)
        if self.adds and was == NEVER != due:
            self.index.add(contact, due)
        else:
            self.index.set(contact, due, was)
        self.last[contact] = due

    def fire(self, before: int, limit: int = 99) -> list[str]:
        """Fire up to ``limit`` contacts, none of which sets another timer."""
        found: list[str] = []
        while len(found) < limit and (contact := self.index.first(before)) is not None:
            found.append(contact)
            self.set(contact, NEVER)
        return found


def test_an_empty_index_has_nothing_due() -> None:
    index = DueIndex()
    assert (0, NEVER, None) == (len(index), index.next_due(), index.first(NEVER))


def test_the_earliest_come_first() -> None:
    told = Told(c=30, a=10, b=20, d=40)
    assert ["a", "b"] == told.fire(40, 2)
    assert ["c"] == told.fire(40, 2)
    assert (1, 40) == (len(told.index), told.index.next_due())


def test_it_stays_first_until_another_time_is_set() -> None:
    told = Told(a=10, b=20)
    assert ("a", "a") == (told.index.first(30), told.index.first(30))
    told.set("a", 25)
    assert ("b", 2) == (told.index.first(30), len(told.index))


def test_a_timer_due_at_that_very_time_is_not_due_before_it() -> None:
    told = Told(a=10)
    assert (None, "a") == (told.index.first(10), told.index.first(11))


def test_at_one_time_contacts_come_in_their_order() -> None:
    assert ["a", "b", "c"] == Told(c=10, a=10, b=10).fire(11)


def test_the_last_due_time_counts() -> None:
    told = Told(a=10, b=20)
    told.set("a", 30)
    assert 20 == told.index.next_due()
    told.set("a", 10)
    assert ["a", "b"] == told.fire(100)


def test_a_contact_without_a_timer_is_gone() -> None:
    told = Told(a=10)
    told.set("a", NEVER)
    told.set("never", NEVER)
    assert (0, NEVER) == (len(told.index), told.index.next_due())
    told.set("a", 10)
    assert ["a"] == told.fire(11)
    assert [] == told.fire(11)


def entries(index: DueIndex) -> int:
    """Count what the index holds, stale entries included."""

    def held(buckets: timers._Buckets) -> int:
        return sum(
            len(it.contacts) + len(it.gone) if isinstance(it, timers._Bucket) else held(it) for it in buckets.values()
        )

    return len(index._near) + len(index._near_gone) + held(index._hours)


@pytest.mark.parametrize("first", [0, 90 * DAY], ids=["near", "far"])
def test_resets_leave_little_more_behind_than_there_are_contacts(first: int) -> None:
    """A wait that is reset by each view leaves an entry at each, and those are far from being due."""
    told = Told(**{f"c{number}": first + number for number in range(100)})
    told.index.next_due()
    for number in range(10_000):
        told.set(f"c{number % 7}", first + 1_000 + number)
    assert (100, first + 7) == (len(told.index), told.index.next_due())
    assert entries(told.index) <= 264


def test_no_step_sorts_more_than_a_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are due in one hour, minute or second."""
    monkeypatch.setattr(timers, "SPLIT", 8)
    told = Told()
    for number in range(2_000):
        told.set(f"c{number:04}", DAY + number * 7 % SECOND if number % 2 else DAY + number * 997 % HOUR)
    nearest = 0
    while told.fire(NEVER, 1):
        nearest = max(nearest, len(told.index._near))
    assert nearest <= 9


def test_earlier_ones_that_come_while_only_far_ones_are_known_lie_in_buckets_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timers, "SPLIT", 8)
    told = Told(far=30 * DAY)
    assert 30 * DAY == told.index.next_due()
    for number in range(100):
        told.set(f"c{number:02}", number * HOUR)
    assert len(told.index._near) <= 18
    assert [f"c{number:02}" for number in range(100)] == told.fire(29 * DAY, 200)
    assert ["far"] == told.fire(NEVER)


def test_one_added_behind_what_is_near_already_does_not_wait_for_its_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last of the hour's minutes is near, and a later one of that hour has made a bucket of it again."""
    monkeypatch.setattr(timers, "SPLIT", 2)
    told = Told(a=0, b=MINUTE, c=2 * MINUTE)
    assert ["a", "b"] == told.fire(2 * MINUTE)
    assert 2 * MINUTE == told.index.next_due()
    told.adds = True
    told.set("d", 30 * MINUTE)
    told.set("e", MINUTE)
    assert ["e", "c", "d"] == told.fire(HOUR)


TIMES = st.one_of(
    st.sampled_from([0, 1, 2, NEVER]),
    st.builds(
        lambda unit, n, ms: unit * n + ms,
        st.sampled_from([SECOND, MINUTE, HOUR, DAY]),
        st.integers(0, 3),
        st.integers(0, 2),
    ),
)


@settings(max_examples=800, deadline=None, derandomize=True)
@given(
    st.lists(
        st.one_of(st.tuples(st.sampled_from("abcdefghijkl"), TIMES), st.tuples(TIMES, st.integers(0, 3))), max_size=60
    ),
    st.booleans(),
)
def test_it_agrees_with_a_plain_dict(actions: list[tuple[str | int, int]], adds: bool) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(timers, "SPLIT", 2)
        patched.setattr(timers, "_SLACK", 2)
        told = Told()
        told.adds = adds
        for what, number in actions:
            if isinstance(what, str):
                told.set(what, number)
            else:
                due = sorted((at, contact) for contact, at in told.last.items() if at < what)[:number]
                assert [contact for _, contact in due] == told.fire(what, number)
            armed = [at for at in told.last.values() if at != NEVER]
            assert (len(armed), min(armed, default=NEVER)) == (len(told.index), told.index.next_due())
