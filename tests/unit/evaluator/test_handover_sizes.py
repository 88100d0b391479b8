"""A visitor that is handed over to a user whose row has no room for it."""

from __future__ import annotations

import msgspec

from shared.messages.identity import Handover
from tests.builders import an_event, at, consented, identified
from tests.unit.evaluator.hosts import Host, conserved, letters, told
from tests.unit.evaluator.test_sizes import keyed


def test_a_visitor_that_is_too_much_for_a_full_row_hands_over_what_stops_messages_and_its_runs_end() -> None:
    """Put aside whole, the runs would vanish unseen and a consent withdrawn on the way be forgotten."""
    host = Host(keyed(10))
    visitor = Host(keyed(10))
    visitor.take(consented(at("10:00"), "cart_reminders", "revoked"), at("10:00"), "a:d1")
    for number in range(2):
        viewed = an_event("Product Viewed", at("11:00"), message_id=f"v{number}", id=f"p{number}")
        visitor.take(viewed, at("11:00"), "a:d1")
    state = visitor.row("a:d1").state
    assert 2 == len(state.runs)
    state = msgspec.structs.replace(state, traits={"notes": "x" * 400_000})
    host.take(identified(at("12:00"), bio="x" * 250_000), at("12:00"))
    seen = msgspec.structs.replace(an_event("Ping", at("12:01")), user_id="c1", anonymous_id="d1")
    host.take(seen, at("12:01"))
    answer = Handover(
        message_id="h", contact="u:c1", anonymous="a:d1", at=at("12:02"), state=msgspec.msgpack.encode(state)
    )
    epoch = host.take(answer, at("12:02"))
    assert [("exited", "merge_overflow")] * 2 == told(epoch)
    assert ["BadMessageError"] == [letter.reason for letter in letters(epoch)]
    row = host.row()
    assert ((), True) == (row.state.runs, row.state.links["a:d1"].answered)
    assert state.consent == row.state.consent
    assert "x" * 250_000 == row.state.traits["bio"]
    conserved(host)
