"""What two contacts that turn out to be one know together, field by field."""

from __future__ import annotations

from typing import Any

import msgspec

from services.evaluator.core.catalog import Catalog, build_catalog
from services.evaluator.core.draft import Draft
from services.evaluator.core.merging import merge
from services.evaluator.core.recent import events_of, recent_of
from services.evaluator.core.state import Consent, ContactState, Message, Passage, Sample, Total, Watch
from tests.builders import a_journey

DISTINCT = """
schema: journey/v1
id: seen
version: 1
trigger: {type: event, event: Product Viewed}
entry:
  where: {aggregate: {event: Product Viewed, fn: distinct, field: event.properties.sku, within: 7d, is: ">= 3"}}
policy: {purpose: transactional}
steps: [{id: rest, wait: {for: 1d}}]
"""


def merged(mine: dict[str, Any], theirs: dict[str, Any], catalog: Catalog | None = None) -> ContactState:
    state = msgspec.structs.replace(ContactState("u:c1"), **mine)
    draft = Draft(catalog or build_catalog([]), state, now=100, log_time=100, cause="handover")
    merge(draft, msgspec.structs.replace(ContactState("a:v"), **theirs))
    return draft.finish().state


def test_the_users_own_traits_stay() -> None:
    assert {"a": 1, "b": 2} == merged({"traits": {"a": 1}}, {"traits": {"a": 9, "b": 2}}).traits


def test_of_consent_the_newest_statement_counts() -> None:
    mine = {"news": Consent(granted=True, at=5), "sale": Consent(granted=True, at=5)}
    theirs = {"news": Consent(granted=False, at=6), "sale": Consent(granted=False, at=4)}
    found = merged({"consent": mine}, {"consent": theirs}).consent
    assert {"news": False, "sale": True} == {topic: statement.granted for topic, statement in found.items()}


def test_times_stand_in_their_order() -> None:
    found = merged(
        {"history": {"X": (1, 5)}, "lately": recent_of([("A", 2)])},
        {"history": {"X": (3,)}, "lately": recent_of([("B", 1)])},
    )
    assert {"X": (1, 3, 5)} == found.history
    assert [("B", 1), ("A", 2)] == [*events_of(found.lately)]


def test_messages_of_both_stand_in_their_order_and_the_last_are_kept() -> None:
    mine = tuple(Message(f"m{number}", "trip", "mail", "sent", 2 * number) for number in range(15))
    theirs = tuple(Message(f"t{number}", "trip", "mail", "sent", 2 * number + 1) for number in range(15))
    found = merged({"messages": mine}, {"messages": theirs}).messages
    assert list(range(10, 30)) == [message.at for message in found]


def test_totals_are_of_both() -> None:
    mine = Total(count=1, sum=5, min=5, max=5, last=5, last_at=10)
    theirs = Total(count=2, sum=4, min=1, max=3, last=3, last_at=20)
    found = merged({"totals": {"k": mine}}, {"totals": {"k": theirs}}).totals
    assert {"k": Total(count=3, sum=9, min=1, max=5, last=3, last_at=20)} == found


def test_what_is_told_apart_counts_once() -> None:
    """Two views of one product by the visitor and the user are one distinct product; of other measures both count."""
    catalog = build_catalog([a_journey(DISTINCT)])
    [[slot]] = catalog.history.values()
    mine, theirs = {slot.key: (Sample(1, 7.0),), "other": (Sample(1, 7.0),)}, {slot.key: (Sample(2, 7.0),)}
    found = merged({"measures": mine}, {"measures": {**theirs, "other": (Sample(2, 7.0),)}}, catalog).measures
    assert {slot.key: (Sample(2, 7.0),), "other": (Sample(1, 7.0), Sample(2, 7.0))} == found


def test_a_journey_is_closed_as_long_as_the_longer_says() -> None:
    mine, theirs = {"a": Passage(1, 50), "b": Passage(1, None)}, {"a": Passage(2, 60), "b": Passage(2, 70)}
    assert {"a": Passage(2, 60), "b": Passage(1, None)} == merged({"passages": mine}, {"passages": theirs}).passages


def test_of_two_watches_the_later_stays() -> None:
    early, late = Watch("w", "j", 10, 0, {}), Watch("w", "j", 20, 0, {})
    assert {"w": late} == merged({"watches": {"w": early}}, {"watches": {"w": late}}).watches
    assert {"w": late} == merged({"watches": {"w": late}}, {"watches": {"w": early}}).watches


def test_rows_are_the_same_bytes_in_every_process() -> None:
    """What is merged stands in the order of the rows, and not of a set of texts, which no two processes share."""
    mine, theirs = [f"m{n}" for n in range(9)], [f"t{n}" for n in range(9)]
    samples = (Sample(1, 1.0),)
    found = merged(
        {"history": dict.fromkeys(mine, (1,)), "measures": dict.fromkeys(mine, samples)},
        {"history": dict.fromkeys(theirs, (2,)), "measures": dict.fromkeys(theirs, samples)},
    )
    assert [mine + theirs, mine + theirs] == [list(found.history), list(found.measures)]
    occurred = merged({"occurred": dict.fromkeys(mine, ("1",))}, {"occurred": dict.fromkeys(theirs, ("2",))}).occurred
    assert theirs + mine == list(occurred)
