"""An anonymous contact becomes a user's: what is handed over, to whom, and what happens on the way."""

from __future__ import annotations

from typing import Any

import msgspec

from services.evaluator.core.advance import advance, next_timer
from services.evaluator.core.catalog import Catalog, build_catalog
from services.evaluator.core.effects import Advance, Posted
from services.evaluator.core.links import EVENTS_AT_MOST
from services.evaluator.core.merging import KEPT_APART
from services.evaluator.core.occurrence import EventArrived
from services.evaluator.core.state import ContactState
from shared.clock import DAY, MINUTE
from shared.journeys.model import Journey
from shared.messages.event import Event
from shared.messages.identity import Handover, Link
from tests.builders import CART, a_journey, an_event, an_outcome, at, consented, identified


class World:
    """Rows by key; what they say to each other waits in ``mail`` until it is delivered."""

    def __init__(self, *journeys: Journey) -> None:
        self.catalog: Catalog = build_catalog(journeys or [a_journey()])
        self.rows: dict[str, ContactState] = {}
        self.mail: list[tuple[str, Posted]] = []
        self.commands: list[Any] = []
        self.cancels: list[Any] = []
        self.told: list[tuple[str, str, str | None, int]] = []
        self.runs: dict[str, set[str | None]] = {}

    def row(self, key: str) -> ContactState:
        return self.rows.get(key) or ContactState(key)

    def apply(self, key: str, record: Any, when: int) -> Advance:
        self.run_to(key, when)
        result = advance(self.catalog, self.row(key), EventArrived(record, when))
        self._take(key, result)
        self.run_to(key, when)
        return result

    def run_to(self, key: str, when: int) -> None:
        while (due := next_timer(self.row(key), when)) is not None:
            self._take(key, advance(self.catalog, self.row(key), due))

    def deliver(self, when: int, *, most: int = 1_000) -> None:
        while self.mail and most:
            key, record = self.mail.pop(0)
            self.apply(key, record, when)
            most -= 1

    def _take(self, key: str, result: Advance) -> None:
        self.rows[key] = result.state
        self.mail += result.posted
        self.commands += result.commands
        self.cancels += result.cancels
        for record in result.journal:
            self.told.append((key, record.decision, record.reason or record.step, record.at))
            self.runs.setdefault(record.decision, set()).add(record.run)


def by(event: Event, user: str | None, anonymous: str | None) -> Event:
    return msgspec.structs.replace(event, user_id=user, anonymous_id=anonymous)


def anonymous_cart(world: World, clock: str = "10:00") -> None:
    """A visitor with an address leaves a cart: the reminder is due 45 minutes later."""
    world.apply("a:v", by(identified(at("09:00"), email="a@example.jp", colour="red"), None, "v"), at("09:00"))
    world.apply("a:v", by(consented(at("09:00"), "cart_reminders"), None, "v"), at("09:00"))
    world.apply("a:v", by(an_event("Product Added", at(clock), name="Kettle"), None, "v"), at(clock))


def login(world: World, clock: str = "10:10", user: str = "c1", **traits: Any) -> None:
    world.apply(f"u:{user}", by(identified(at(clock), **traits), user, "v"), at(clock))


def test_the_anonymous_cart_goes_on_as_the_same_run() -> None:
    world = World()
    anonymous_cart(world)
    login(world, name="Aya", colour="blue")
    world.deliver(at("10:10"))
    world.run_to("a:v", at("11:00"))
    world.run_to("u:c1", at("11:00"))
    assert [("a:v", "entered", None, at("10:00")), ("u:c1", "send", "remind_1", at("10:45"))] == world.told
    assert world.runs["entered"] == world.runs["send"]
    assert {"email": "a@example.jp", "colour": "blue", "name": "Aya"} == world.rows["u:c1"].traits
    assert ((), {}, {}) == (world.rows["a:v"].runs, world.rows["a:v"].traits, world.rows["a:v"].watches)


def test_a_purchase_on_the_way_exits_the_run_before_its_timers() -> None:
    """The handover is late: the purchase was applied to the user, and the reminder's time has passed."""
    world = World()
    anonymous_cart(world)
    login(world)
    world.deliver(at("10:11"), most=1)
    world.apply("u:c1", by(an_event("Order Completed", at("10:20"), total=5), "c1", "v"), at("10:20"))
    world.deliver(at("12:00"))
    world.run_to("u:c1", at("20:00", day=3))
    assert [("a:v", "entered", None, at("10:00")), ("u:c1", "exited", "converted", at("10:20"))] == world.told
    assert [] == world.commands


def test_a_run_of_a_version_that_the_users_partition_does_not_know_yet_waits_until_it_does() -> None:
    """Its order has yet to be read there, or its file to come: the purchase made meanwhile exits it all the same."""
    for buys in (False, True):
        world = World()
        known = world.catalog
        anonymous_cart(world)
        login(world)
        world.deliver(at("10:11"), most=1)
        world.catalog = build_catalog([])
        world.deliver(at("10:11"))
        login(world, "10:12")
        if buys:
            world.apply("u:c1", by(an_event("Order Completed", at("10:12"), total=5), "c1", "v"), at("10:12"))
        world.deliver(at("10:12"))
        assert () == world.rows["u:c1"].runs
        world.catalog = known
        world.run_to("u:c1", at("11:00"))
        ended = ("exited", "converted", at("10:12")) if buys else ("send", "remind_1", at("10:45"))
        assert [("a:v", "entered", None, at("10:00")), ("u:c1", *ended)] == world.told
        assert world.rows["u:c1"].links["a:v"].handover is None


def test_a_run_of_a_version_that_nobody_knows_is_not_waited_for_for_ever() -> None:
    """The rest of what is known of the visitor comes with it, an hour late."""
    world = World()
    anonymous_cart(world)
    login(world)
    world.deliver(at("10:11"), most=1)
    world.catalog = build_catalog([])
    world.deliver(at("10:11"))
    world.run_to("u:c1", at("10:30"))
    assert {} == world.rows["u:c1"].traits
    world.run_to("u:c1", at("12:00"))
    assert "red" == world.rows["u:c1"].traits["colour"]
    assert ("u:c1", "exited", "journey_stopped") in [told[:3] for told in world.told]


def test_timers_that_came_due_on_the_way_fire_at_their_time() -> None:
    world = World()
    anonymous_cart(world)
    login(world)
    world.deliver(at("10:11"), most=1)
    world.deliver(at("12:00"))
    assert ("u:c1", "send", "remind_1", at("10:45")) == world.told[-1]


def test_it_is_handed_over_once_to_the_first_user() -> None:
    """The attacker's link: whoever names the id later gets nothing, and what is done later is a fresh profile's."""
    world = World()
    anonymous_cart(world)
    login(world)
    world.deliver(at("10:10"))
    world.apply("a:v", by(identified(at("10:11"), email="b@example.jp"), None, "v"), at("10:11"))
    login(world, "10:12", user="mallory")
    world.deliver(at("10:12"))
    assert {} == world.rows["u:mallory"].traits
    assert () == world.rows["u:mallory"].runs
    assert {"email": "b@example.jp"} == world.rows["a:v"].traits
    assert "u:c1" == getattr(world.rows["a:v"].forward, "to", None)


def test_an_anonymous_id_that_is_somebodys_user_id_reaches_nothing_of_theirs() -> None:
    world = World()
    world.apply("u:victim", identified(at("09:00"), email="v@example.jp"), at("09:00"))
    before = world.rows["u:victim"]
    world.apply("u:mallory", by(identified(at("10:00")), "mallory", "victim"), at("10:00"))
    world.deliver(at("10:00"))
    assert before is world.rows["u:victim"]
    assert {} == world.rows["u:mallory"].traits


def test_a_link_to_a_user_is_answered_with_nothing() -> None:
    """Nobody writes such a record but who can write to our topics; even then nothing moves."""
    world = World()
    world.apply("u:victim", identified(at("09:00"), email="v@example.jp"), at("09:00"))
    world.apply("u:victim", Link(message_id="x", contact="u:victim", user="u:mallory", at=at("10:00")), at("10:00"))
    [(key, answer)] = world.mail
    assert ("u:mallory", None) == (key, getattr(answer, "state", ""))
    assert {"email": "v@example.jp"} == world.rows["u:victim"].traits


def test_an_alias_names_an_anonymous_contact_and_never_another_user() -> None:
    world = World()
    anonymous_cart(world)
    world.apply("u:old", identified(at("09:00"), vip=True), at("09:00"))
    for previous in ("v", "old"):
        alias = an_event("Alias", at("10:10"), message_id=f"alias-{previous}")
        alias = msgspec.structs.replace(alias, type="alias", previous_id=previous)
        world.apply("u:c1", alias, at("10:10"))
    world.deliver(at("10:10"))
    assert {"email": "a@example.jp", "colour": "red"} == world.rows["u:c1"].traits
    assert {"vip": True} == world.rows["u:old"].traits


def test_an_outcome_that_names_an_old_run_is_forwarded() -> None:
    """The mail left before the login: its outcome settles it in both rows, and it counts for the user's run."""
    world = World()
    anonymous_cart(world)
    world.run_to("a:v", at("10:50"))
    [command] = world.commands
    login(world, "10:51")
    world.deliver(at("10:51"))
    assert [1, 1] == [len(world.rows[key].pending) for key in ("a:v", "u:c1")]
    outcome = an_outcome(command, "sent", at("10:52"))
    world.apply("a:v", outcome, at("10:52"))
    world.deliver(at("10:52"))
    assert [0, 0] == [len(world.rows[key].pending) for key in ("a:v", "u:c1")]
    assert ("u:c1", "sent", "remind_1", at("10:52")) == world.told[-1]
    assert ["remind_1"] == [touch.step for touch in world.rows["u:c1"].touches]


def test_a_message_event_that_names_an_old_run_is_forwarded_and_no_other() -> None:
    world = World()
    anonymous_cart(world)
    [run] = world.rows["a:v"].runs
    login(world)
    world.deliver(at("10:10"))
    opened = by(an_event("Message Opened", at("10:20"), run_id=run.run_id, message_id="o"), None, "v")
    world.apply("a:v", opened, at("10:20"))
    assert ["u:c1"] == [key for key, _ in world.mail]
    world.mail.clear()
    world.apply("a:v", by(an_event("Message Opened", at("10:21"), run_id="other"), None, "v"), at("10:21"))
    assert [] == world.mail


def test_a_cancel_goes_where_its_command_was_published() -> None:
    world = World()
    anonymous_cart(world)
    world.run_to("a:v", at("10:50"))
    login(world, "10:51")
    world.deliver(at("10:51"))
    world.apply("u:c1", by(an_event("Order Completed", at("10:55")), "c1", "v"), at("10:55"))
    assert ["a:v"] == [cancel.contact for cancel in world.cancels]


def test_of_two_runs_of_one_journey_the_older_stays() -> None:
    """The anonymous run is of 10:00, the user's own of 10:05: the later one ends as ``merged``."""
    world = World()
    anonymous_cart(world)
    world.apply("u:c1", by(an_event("Product Added", at("10:05"), name="Pot"), "c1", None), at("10:05"))
    login(world)
    world.deliver(at("10:10"))
    assert ("u:c1", "exited", "merged", at("10:10")) == world.told[-1]
    [run] = world.rows["u:c1"].runs
    assert (at("10:00"), "Kettle") == (run.entered_at, run.context["product"])


def test_sends_of_both_count_for_caps() -> None:
    capped = CART.replace("max_sends: 2}", "frequency_cap: [{max: 1, per: 1d}]}").replace(
        "wait: {for: 24h}", "wait: {for: 1h}"
    )
    world = World(a_journey(capped))
    anonymous_cart(world)
    world.run_to("a:v", at("10:50"))
    login(world, "10:51")
    world.deliver(at("10:51"))
    world.run_to("u:c1", at("13:00"))
    assert ("u:c1", "skip", "capped", at("11:45")) == world.told[-1]


def test_past_the_bound_marketing_runs_end() -> None:
    world = World()
    anonymous_cart(world)
    login(world)
    for number in range(EVENTS_AT_MOST + 1):
        event = an_event("Page Viewed", at("10:11") + number, message_id=f"view{number}")
        world.apply("u:c1", by(event, "c1", "v"), at("10:11") + number)
    world.deliver(at("10:12"))
    assert ("u:c1", "exited", "merge_overflow", at("10:12")) == world.told[-1]
    assert () == world.rows["u:c1"].runs


def test_consent_withdrawn_on_the_way_ends_the_run() -> None:
    world = World()
    anonymous_cart(world)
    login(world)
    world.apply("u:c1", by(consented(at("10:20"), "cart_reminders", "revoked"), "c1", "v"), at("10:20"))
    world.deliver(at("10:30"))
    assert ("u:c1", "exited", "consent_revoked") == world.told[-1][:3]


def test_a_link_is_repeated_until_it_is_answered() -> None:
    """After one minute, then two, four, at most a day; the first answer ends it, and the others say nothing."""
    world = World()
    anonymous_cart(world)
    login(world)
    asked = [at("10:10")]
    for _ in range(14):
        asked.append(world.row("u:c1").next_due)
        world.run_to("u:c1", asked[-1] + 1)
    assert [MINUTE, 2 * MINUTE, 4 * MINUTE] == [asked[n + 1] - asked[n] for n in range(3)]
    assert DAY == asked[-1] - asked[-2]
    links = [record for _, record in world.mail if isinstance(record, Link)]
    assert len(links) == len({link.message_id for link in links}) == 15
    world.deliver(asked[-1])
    assert 1 == len(world.rows["u:c1"].runs) + len([it for it in world.told if it[1] == "exited"])
    assert not any(watch.key.startswith("link:") for watch in world.rows["u:c1"].watches.values())


def test_an_answer_that_comes_twice_changes_nothing() -> None:
    world = World()
    anonymous_cart(world)
    login(world)
    [(key, link)] = world.mail
    world.mail.clear()
    world.apply(key, link, at("10:10"))
    [(_, answer)] = world.mail
    assert isinstance(answer, Handover)
    world.deliver(at("10:11"))
    once = world.rows["u:c1"]
    other = msgspec.structs.replace(answer, message_id="again")
    world.apply("u:c1", other, at("10:12"))
    assert once.runs == world.rows["u:c1"].runs
    assert once.traits == world.rows["u:c1"].traits


def test_contact_merged_is_told_where_somebody_listens() -> None:
    greeting = CART.replace("id: cart", "id: greeting").replace(
        "event: Product Added, max_age: 30m", "event: Contact Merged"
    )
    for journeys, expected in (((a_journey(), a_journey(greeting)), ["Contact Merged"]), ((a_journey(),), [])):
        world = World(*journeys)
        anonymous_cart(world)
        login(world)
        world.deliver(at("10:10"), most=1)
        [(key, answer)] = world.mail
        result = advance(world.catalog, world.row(key), EventArrived(answer, at("10:10")))
        assert expected == [getattr(event, "name", None) for event in result.events]
        assert all(getattr(event, "properties", None) == {"anonymous_id": "v"} for event in result.events)


def test_every_field_is_merged_or_kept_apart() -> None:
    """A field that is new in the row is thought of here: it says something of the contact, or of the row."""
    merged = {
        "traits", "consent", "history", "runs", "pending", "touches", "passages", "lately", "ended", "sent", "been",
        "watches", "samples", "measures", "totals", "active_at", "occurred", "audiences",
        "entries", "messages", "suppressed",
    }  # fmt: skip
    assert set(ContactState.__struct_fields__) == merged | KEPT_APART
