"""Orders on journeys at their place in the log: a barrier between what one catalogue decides and what the next does."""

from __future__ import annotations

import msgspec
import pytest

from services.evaluator import builder
from services.evaluator.core.published import compose
from services.evaluator.epoch import Epoch
from services.evaluator.processor import PartitionProcessor
from shared.journeys.model import Audience, AudienceTrigger, Definitions, Journey
from shared.journeys.predicate import Expression
from shared.journeys.published import Live, Published, ordered
from shared.messages.event import Marker
from shared.messages.journeys import OrderKind
from shared.messages.topics import CANCELS
from tests.builders import a_journey, an_event, at, identified
from tests.unit.evaluator.hosts import Host, commands, conserved, journal, letters, sent, told

CART = """
schema: journey/v1
id: cart
version: VERSION
trigger: {type: event, event: Product Added}
policy: {purpose: transactional}
steps:
  - {id: settle, wait: {for: 45m}}
  - {id: remind, send: {channels: [email], template: {email: {subject: "vVERSION", text: Hello}}}}
  - {id: rest, wait: {for: 1d}}
"""

DAILY = """
schema: journey/v1
id: daily
version: 1
trigger: {type: schedule, cron: "0 9 * * *"}
policy: {purpose: transactional}
steps:
  - {id: rest, wait: {for: 1d}}
"""


def cart(version: int) -> Journey:
    return a_journey(CART.replace("VERSION", str(version)))


class Ordered(Host):
    """A host whose catalogue follows the orders in its log."""

    def __init__(self, *base: Journey) -> None:
        self.published = Published()
        self.base = Definitions(journeys=base)
        super().__init__(*base)

    def started(self) -> PartitionProcessor:
        return PartitionProcessor(
            partition=3,
            catalog=compose(self.base, self.published, {}),
            store=self.store,
            incarnation=self.incarnation,
            on_error=lambda action, error: self.errors.append((action, type(error).__name__)),
            catalogs=lambda live: compose(self.base, self.published, live),
        )

    def order(self, number: int, kind: OrderKind, version: int, when: int, *define: Journey) -> Epoch:
        for journey in define:
            self.published.journeys[journey.id, journey.version] = journey
        marker = Marker(number=number, order=kind, journey="cart", version=version, at=when)
        return self.take(marker, when, None)

    def known_address(self) -> None:
        for contact in ("u:c1", "u:c2", "u:c3"):
            event = msgspec.structs.replace(identified(at("08:00"), email="a@example.jp"), message_id=contact)
            self.take(event, at("08:00"), contact)

    def added(self, clock: str, contact: str) -> Epoch:
        return self.take(an_event("Product Added", at(clock), message_id=f"{contact}{clock}"), at(clock), contact)


def versions(epoch: Epoch) -> list[tuple[str, int]]:
    return [(record.decision, record.version) for record in journal(epoch)]


def test_what_is_published_takes_entries_and_runs_stay_on_their_version() -> None:
    host = Ordered()
    host.known_address()
    host.order(1, "publish", 1, at("09:00"), cart(1))
    assert [("entered", 1)] == versions(host.added("10:00", "u:c1"))
    host.order(2, "publish", 2, at("10:10"), cart(2))
    assert [("entered", 2)] == versions(host.added("10:20", "u:c2"))
    assert [("send", 1)] == versions(host.tick(at("10:50")))
    assert [("send", 2)] == versions(host.tick(at("11:10")))


def test_a_marker_is_a_barrier() -> None:
    """Timers that are due before it fire first, by the catalogue of then; what comes behind is decided by the next."""
    host = Ordered(cart(1))
    host.known_address()
    host.added("10:00", "u:c1")
    epoch = host.order(1, "stop", 1, at("10:50"))
    assert [("send", "remind")] == told(epoch)
    assert (1, {"cart": Live(1, "stop", at("10:50"))}) == (host.processor.meta.change, host.processor.meta.live)


def test_stop_ends_the_runs_of_the_silent_in_chunks_and_calls_back_their_commands() -> None:
    host = Ordered(cart(1))
    host.known_address()
    for contact in ("u:c1", "u:c2"):
        host.added("10:00", contact)
    [command, _] = commands(host.tick(at("10:50")))
    host.order(1, "stop", 1, at("10:51"))
    ended = []
    for left in (2, 1, 0):
        epoch = host.processor.sweep(1, caught_up=True)
        host.store.keep(epoch)
        ended += [(record.contact, record.reason, record.at) for record in journal(epoch)]
        assert len(journal(epoch)) == len(sent(epoch, CANCELS))
        assert left == host.processor.behind
    assert {("u:c1", "journey_stopped", at("10:51")), ("u:c2", "journey_stopped", at("10:51"))} == set(ended)
    assert [] == told(host.added("11:00", "u:c3"))
    conserved(host)
    assert command.run_id not in {run.run_id for run in host.row("u:c1").state.runs}


def test_drain_lets_nobody_in_and_runs_go_on() -> None:
    host = Ordered(cart(1))
    host.known_address()
    host.added("10:00", "u:c1")
    host.order(1, "drain", 1, at("10:10"))
    assert [] == told(host.added("10:20", "u:c2"))
    assert [("send", "remind")] == told(host.tick(at("10:50")))


def test_a_stop_reaches_who_was_silent_over_the_next_publishing() -> None:
    host = Ordered(cart(1))
    host.known_address()
    host.added("10:00", "u:c1")
    host.order(1, "stop", 1, at("10:10"))
    assert [("exited", 1)] == versions(host.order(2, "publish", 2, at("10:20"), cart(2)))
    assert [("entered", 2)] == versions(host.added("10:30", "u:c1"))


def test_a_repeat_of_an_order_is_nothing() -> None:
    host = Ordered(cart(1))
    host.order(5, "stop", 1, at("10:00"))
    host.order(5, "publish", 1, at("10:01"), cart(1))
    host.order(4, "publish", 1, at("10:02"), cart(1))
    assert {"cart": Live(1, "stop", at("10:00"))} == host.processor.meta.live


def test_after_a_restart_the_orders_still_hold() -> None:
    """What the partition has read decides, and not what was published since: its marker has yet to come."""
    host = Ordered()
    host.known_address()
    host.order(1, "publish", 1, at("09:00"), cart(1))
    host.published.journeys["cart", 2] = cart(2)
    host.processor = host.started()
    assert [("entered", 1)] == versions(host.added("10:00", "u:c1"))


def test_what_is_published_replaces_the_file_of_the_same_id() -> None:
    host = Ordered(cart(3))
    host.known_address()
    host.order(1, "publish", 2, at("09:00"), cart(2))
    assert [("entered", 2)] == versions(host.added("10:00", "u:c1"))


def test_without_orders_to_follow_a_marker_is_only_counted() -> None:
    host = Host(cart(1))
    host.take(Marker(number=1, order="stop", journey="cart", version=1, at=at("09:00")), at("09:00"), None)
    assert (-1, {}) == (host.processor.meta.change, host.processor.meta.live)
    conserved(host)


def test_a_barrier_that_takes_more_than_one_epoch_loses_no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The epoch is full after the first of three contacts: the others fire in the next, before the marker."""
    monkeypatch.setattr(builder, "EPOCH_BYTES", 1)
    host = Ordered(cart(1))
    host.known_address()
    for contact in ("u:c1", "u:c2", "u:c3"):
        host.added("10:00", contact)
    host.order(1, "drain", 1, at("10:50"))
    assert ["rest"] * 3 == [host.row(contact).state.runs[0].step for contact in ("u:c1", "u:c2", "u:c3")]
    assert at("10:45", day=1) == host.processor.next_due


def test_an_order_that_nobody_can_carry_out_is_put_aside_once() -> None:
    """It counts as read: else its number would be missed, and the order put into the log again, for ever."""
    host = Ordered(cart(1))
    broken = msgspec.structs.replace(cart(2), triggers=(None,))  # of another release
    epoch = host.order(7, "publish", 2, at("10:00"), broken)
    assert [7, {}, 1] == [host.processor.meta.change, host.processor.meta.live, len(letters(epoch))]
    host.known_address()
    assert [("entered", 1)] == versions(host.added("10:10", "u:c1"))
    conserved(host)


def test_what_happened_before_the_stop_starts_nothing_after_it() -> None:
    """The event comes late, when the journey is live again; the run would end with the next adoption."""
    host = Ordered(cart(1))
    host.known_address()
    host.order(1, "stop", 1, at("10:10"))
    host.order(2, "publish", 1, at("10:20"), cart(1))
    late = an_event("Product Added", at("10:05"), received=at("10:30"))
    assert [("not_entered", "journey_stopped")] == told(host.take(late, at("10:30")))
    assert [("entered", None)] == told(host.added("10:31", "u:c2"))


def test_of_an_audience_that_two_name_what_was_published_last_counts() -> None:
    """Also when that journey was the first to be published, and before one that takes nobody in any more."""
    old, new = (Audience(id="vip", where=Expression(f"contact.spent > {amount}")) for amount in (100, 200))
    known = Published()
    for journey, version, audience in (("a", 1, old), ("b", 1, old), ("a", 2, new)):
        named = msgspec.structs.replace(
            cart(version), id=journey, triggers=(AudienceTrigger(audience="vip", edge="entered"),)
        )
        known.journeys[journey, version], known.audiences[journey, version] = named, (audience,)
    live: dict[str, Live] = {}
    for number, (journey, version, kind) in enumerate(
        (("a", 1, "publish"), ("b", 1, "publish"), ("a", 2, "publish"), ("b", 1, "drain"))
    ):
        order = Marker(number=number, order=kind, journey=journey, version=version, at=number)  # type: ignore[arg-type]
        live = ordered(live, order, number)
        if number >= 2:
            assert (new,) == compose(Definitions(journeys=()), known, live).audiences.order


@pytest.mark.parametrize("swept", [0, 1, 3])
def test_each_catalogue_is_adopted_by_all_before_the_next_one_decides(swept: int) -> None:
    """Two changes within one sweep: what the first let happen in between happens to all."""
    daily = a_journey(DAILY)
    host = Ordered()
    host.known_address()
    host.published.journeys["daily", 1] = daily
    host.take(Marker(number=1, order="publish", journey="daily", version=1, at=0), at("08:30"), None)
    host.store.keep(host.processor.sweep(swept, caught_up=True))
    stop = Marker(number=2, order="stop", journey="daily", version=1, at=0)
    host.take(stop, at("09:30"), None)
    entered = [(it.contact, it.at) for epoch in host.store.epochs for it in journal(epoch) if it.decision == "entered"]
    assert [(contact, at("09:00")) for contact in ("u:c1", "u:c2", "u:c3")] == sorted(entered)
    assert 2 == host.processor.meta.change
    conserved(host)
