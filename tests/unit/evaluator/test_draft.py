"""A contact's state while something is worked out on it."""

from __future__ import annotations

from typing import Any

from services.evaluator.core.catalog import Catalog
from services.evaluator.core.draft import Draft
from services.evaluator.core.state import ContactState, Run, Timer

RUN = Run("r1", "cart", 1, "", "m1", 0, "settle", 0, {}, {}, {}, (Timer(9, "exit", "0"), Timer(5, "step", "settle")))


def a_draft(state: ContactState) -> Draft:
    return Draft(Catalog(), state, now=1, log_time=1, cause="m2")


def test_what_nothing_changes_is_finished_as_it_was_field_by_field() -> None:
    """They are given by their places, so each has a value of its own here."""
    fields: dict[str, Any] = {name: [name] for name in ContactState.__struct_fields__}
    state = ContactState(**(fields | {"runs": (RUN,)}))
    assert state == a_draft(state).finish().state


def test_a_timer_that_takes_the_place_of_another_is_armed_and_the_other_is_cancelled() -> None:
    draft = a_draft(ContactState("u:c1", runs=(RUN,)))
    draft.rearm(RUN, Timer(7, "step", "settle"))
    result = draft.finish()
    assert (Timer(9, "exit", "0"), Timer(7, "step", "settle")) == result.state.runs[0].timers
    assert (1, 0, 1) == (result.timers.armed, result.timers.fired, result.timers.cancelled)
