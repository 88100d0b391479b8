"""What older releases wrote, as this one has it."""

from __future__ import annotations

import msgspec

from services.evaluator.core.advance import advance
from services.evaluator.core.applied_ids import each_id
from services.evaluator.core.catalog import build_catalog
from services.evaluator.core.occurrence import EventArrived
from services.evaluator.core.older import upgraded
from services.evaluator.core.recent import events_of
from services.evaluator.core.state import ContactState, Linked
from shared.messages.identity import Handover
from tests.builders import at

OLDER = ContactState("a:v", seen={7: 70, 5: 50}, recent=(("Browsed", 1), ("Bought", 2)), traits={"plan": "pro"})


def test_ids_and_last_events_take_their_new_places_and_nothing_else_changes() -> None:
    state = upgraded(OLDER)
    assert [(7, 70), (5, 50)] == [*each_id(state.ids)]
    assert [("Browsed", 1), ("Bought", 2)] == [*events_of(state.lately)]
    assert OLDER == msgspec.structs.replace(
        state, seen=OLDER.seen, recent=OLDER.recent, ids=b"", lately=upgraded(ContactState("a:v")).lately
    )


def test_a_state_of_this_release_stays_as_it_is() -> None:
    state = upgraded(OLDER)
    assert state is upgraded(state)


def test_a_handover_by_an_older_release_brings_the_last_events() -> None:
    """Two releases run side by side while one replaces the other."""
    user = ContactState("u:c1", links={"a:v": Linked(tries=1)})
    answer = Handover(
        message_id="h", contact="u:c1", anonymous="a:v", at=at("10:00"), state=msgspec.msgpack.encode(OLDER)
    )
    state = advance(build_catalog([]), user, EventArrived(answer, at("10:00"))).state
    assert [("Browsed", 1), ("Bought", 2)] == [*events_of(state.lately)]
    assert {"plan": "pro"} == state.traits
