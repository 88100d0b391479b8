"""What happens to a user while a visitor's runs are on their way: they see it when they come, and nothing else does."""

from __future__ import annotations

from services.evaluator.core.catalog import build_catalog
from services.evaluator.core.links import EVENT_BYTES_AT_MOST, EVENTS_AT_MOST
from shared.clock import MINUTE
from shared.journeys.model import Journey
from tests.builders import a_journey, an_event, an_outcome, at, consented, identified
from tests.unit.evaluator.playing import journey
from tests.unit.evaluator.test_identity import World, anonymous_cart, by, login

UNPAID = """
schema: journey/v1
id: unpaid
version: 1
trigger: {type: absence, after: {event: Checkout Started}, missing: {event: Order Completed}, within: 30m}
policy: {topic: cart_reminders}
steps: [{id: rest, wait: {for: 1d}}]
"""
IN_LINE = journey(
    "- {id: rest, wait: {for: 1d}}",
    more="entry: {rate: {max: 1, per: 1h}}\nexit: [{reason: bought, event: Order Completed}]",
    policy="{topic: cart_reminders}",
)


def on_its_way(*journeys: Journey) -> World:
    """A visitor's cart of 10:00, and a login of 10:10 that the visitor's row has not heard of."""
    world = World(*journeys)
    anonymous_cart(world)
    login(world)
    return world


def answered(world: World, clock: str) -> None:
    world.deliver(at(clock))
    world.run_to("u:c1", at("20:00", day=3))


def decisions(world: World) -> list[tuple[str, str | None]]:
    return [(decision, reason) for key, decision, reason, _ in world.told if key == "u:c1"]


def test_the_purchase_that_names_both_ids_first_exits_the_run() -> None:
    """A guest buys: the order is the first that says who the visitor is, so it is what the cart's run has to see."""
    world = World()
    anonymous_cart(world)
    world.apply("u:c1", by(an_event("Order Completed", at("10:20"), total=5), "c1", "v"), at("10:20"))
    answered(world, "10:20")
    assert [("exited", "converted")] == decisions(world)
    assert [] == world.commands


def test_what_did_not_happen_to_the_visitor_may_have_happened_to_the_user() -> None:
    """The visitor began to check out; the user paid while the watch for it was on its way."""
    world = World(a_journey(UNPAID))
    world.apply("a:v", by(an_event("Checkout Started", at("10:00")), None, "v"), at("10:00"))
    login(world)
    world.deliver(at("10:11"), most=1)
    world.apply("u:c1", by(an_event("Order Completed", at("10:20")), "c1", "v"), at("10:20"))
    answered(world, "10:40")
    assert [] == decisions(world)


def test_a_watch_that_nothing_ended_comes_due_at_its_time() -> None:
    world = World(a_journey(UNPAID))
    world.apply("a:v", by(an_event("Checkout Started", at("10:00")), None, "v"), at("10:00"))
    login(world)
    world.deliver(at("10:11"), most=1)
    world.deliver(at("10:40"))
    assert ("u:c1", "entered", None, at("10:30")) == world.told[-1]


def test_who_stood_in_line_and_has_bought_meanwhile_leaves_it() -> None:
    world = World(IN_LINE)
    world.apply("j:trip", by(an_event("Nothing", at("09:00")), "x", None), at("09:00"))
    world.apply("a:v", by(an_event("Go", at("10:00")), None, "v"), at("10:00"))
    ask = world.mail.pop()
    login(world)
    world.apply("u:c1", by(an_event("Order Completed", at("10:20")), "c1", "v"), at("10:20"))
    answered(world, "10:30")
    world.apply(*ask, at("10:31"))
    answered(world, "10:31")
    assert [("not_entered", "exited")] == decisions(world)


def test_past_the_bound_what_the_visitor_waited_for_is_given_up() -> None:
    """Whether it has happened is not known any more: in doubt nothing is sent."""
    world = World(a_journey(UNPAID))
    world.apply("a:v", by(an_event("Checkout Started", at("10:00")), None, "v"), at("10:00"))
    login(world)
    for number in range(EVENTS_AT_MOST):
        view = an_event("Page Viewed", at("10:11") + number, message_id=f"view{number}")
        world.apply("u:c1", by(view, "c1", "v"), at("10:11") + number)
    answered(world, "10:12")
    assert [] == decisions(world)


def test_a_message_of_a_run_that_has_ended_is_called_back() -> None:
    """The run went past its last step with its message unsettled; the purchase of meanwhile still stops that."""
    rule = "exit: [{reason: bought, event: Order Completed}]"
    short = journey("- {id: mail, MAIL}", trigger="Product Added", more=rule)
    world = on_its_way(short)
    world.apply("u:c1", by(an_event("Order Completed", at("10:20")), "c1", "v"), at("10:20"))
    answered(world, "10:30")
    assert [(command.command_id, "a:v") for command in world.commands] == [
        (cancel.command_id, cancel.contact) for cancel in world.cancels
    ]


def test_consent_that_was_given_again_keeps_the_users_own_runs() -> None:
    """Withdrawn at 10:20 and given again at 10:21: the run of 10:22 has nothing to do with it, the visitor's has."""
    world = on_its_way()
    world.apply("u:c1", by(consented(at("10:20"), "cart_reminders", "revoked"), "c1", "v"), at("10:20"))
    world.apply("u:c1", by(consented(at("10:21"), "cart_reminders"), "c1", "v"), at("10:21"))
    own = journey("- {id: rest, wait: {for: 1d}}", policy="{topic: cart_reminders}")
    world.catalog = build_catalog([a_journey(), own])
    world.apply("u:c1", by(an_event("Go", at("10:22")), "c1", "v"), at("10:22"))
    world.deliver(at("10:30"))
    assert [("entered", None), ("exited", "consent_revoked")] == decisions(world)
    assert ["trip"] == [run.journey for run in world.rows["u:c1"].runs]


def test_a_purchase_is_credited_once_however_late_the_visitor_comes() -> None:
    """Two runs of the user's own had mails: the purchase was the later one's, and stays so when it is seen again."""
    goals = "goals: [{id: bought, event: Order Completed, window: 7d}]\nentry: {reentry: {mode: always}}"
    world = World(journey("- {id: mail, MAIL}\n- {id: rest, wait: {for: 9d}}", more=goals))
    world.apply("u:c1", by(identified(at("08:00"), email="a@example.jp"), "c1", None), at("08:00"))
    for clock in ("09:00", "09:10"):
        world.apply("u:c1", by(an_event("Go", at(clock)), "c1", None), at(clock))
    for command in world.commands:
        world.apply("u:c1", an_outcome(command, "sent", at("09:20")), at("09:20"))
    login(world)
    world.apply("u:c1", by(an_event("Order Completed", at("10:20")), "c1", "v"), at("10:20"))
    world.deliver(at("10:30"))
    assert 1 == [decision for decision, _ in decisions(world)].count("converted")


def test_a_run_of_a_journey_that_was_stopped_here_ends_when_it_comes() -> None:
    """The visitor's partition had not read the order yet; the user's row has, and adopts it only once."""
    world = World()
    anonymous_cart(world)
    login(world)
    link = world.mail.pop()
    world.apply(*link, at("10:11"))
    answer, world.mail = world.mail, []
    world.catalog = build_catalog([a_journey()], closed=["cart"], stopped={"cart": at("10:12")})
    for key, record in answer:
        world.apply(key, record, at("10:13"))
    world.run_to("u:c1", at("20:00"))
    assert [("exited", "journey_stopped")] == decisions(world)


def test_what_is_kept_for_several_visitors_has_one_bound() -> None:
    """The user's row must stay writable: eight devices at once keep no more than one would."""
    world = World()
    for device in range(8):
        clock = at("10:00") + device * MINUTE
        seen = identified(clock)
        world.apply("u:c1", by(seen, "c1", f"v{device}"), clock)
    for number in range(4):
        when = at("11:00") + number
        view = an_event("Page Viewed", when, message_id=f"view{number}", text="x" * 4_000)
        world.apply("u:c1", by(view, "c1", "v0"), when)
    links = world.rows["u:c1"].links.values()
    assert sum(link.size for link in links) <= EVENT_BYTES_AT_MOST < 8 * 4 * 4_000
    assert any(link.overflowed for link in links)
