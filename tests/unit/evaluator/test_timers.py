"""The index of due timers: in order, bounded, never wrong about what it was told last."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from services.evaluator.core.state import NEVER
from services.evaluator.timers import DueIndex


def an_index(**due: int) -> DueIndex:
    index = DueIndex()
    for contact, at in due.items():
        index.set(contact, at)
    return index


def test_an_empty_index_has_nothing_due() -> None:
    index = DueIndex()
    assert (0, NEVER, []) == (len(index), index.next_due(), index.due(NEVER, 10))


def test_the_earliest_come_first_and_no_more_than_asked_for() -> None:
    index = an_index(c=30, a=10, b=20, d=40)
    assert ["a", "b"] == index.due(40, 2)
    assert ["c"] == index.due(40, 2)
    assert (1, 40) == (len(index), index.next_due())


def test_a_timer_due_at_that_very_time_is_not_due_before_it() -> None:
    index = an_index(a=10)
    assert [] == index.due(10, 1)
    assert ["a"] == index.due(11, 1)


def test_at_one_time_contacts_come_in_their_order() -> None:
    assert ["a", "b", "c"] == an_index(c=10, a=10, b=10).due(11, 3)


def test_the_last_due_time_counts() -> None:
    index = an_index(a=10, b=20)
    index.set("a", 30)
    assert 20 == index.next_due()
    index.set("a", 10)
    assert ["a", "b"] == index.due(100, 9)


def test_a_contact_without_a_timer_is_gone() -> None:
    index = an_index(a=10)
    index.set("a", NEVER)
    index.set("never", NEVER)
    assert (0, NEVER) == (len(index), index.next_due())
    index.set("a", 10)
    assert ["a"] == index.due(11, 9)
    assert [] == index.due(11, 9)


def test_resets_leave_no_more_behind_than_there_are_contacts() -> None:
    """A wait that is reset by each view leaves an entry at each, and those are far from being due."""
    index = an_index(**{f"c{number}": number for number in range(100)})
    for number in range(10_000):
        index.set(f"c{number % 7}", 1_000 + number)
    assert (100, 7) == (len(index), index.next_due())
    assert len(index._heap) <= 264


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from("abcd"), st.sampled_from([0, 1, 2, 3, 4, NEVER])),
            st.tuples(st.integers(0, 5), st.integers(1, 3)),
        ),
        max_size=40,
    )
)
def test_it_agrees_with_a_plain_dict(actions: list[tuple[str | int, int]]) -> None:
    index, plain = DueIndex(), dict[str, int]()
    for what, number in actions:
        if isinstance(what, str):
            index.set(what, number)
            plain[what] = number
        else:
            due = sorted((at, contact) for contact, at in plain.items() if at < what)[:number]
            assert [contact for _, contact in due] == index.due(what, number)
            for _, contact in due:
                del plain[contact]
        plain = {contact: at for contact, at in plain.items() if at != NEVER}
        assert (len(plain), min(plain.values(), default=NEVER)) == (len(index), index.next_due())
