"""Dates of a visitor who turns out to be a user: what the visitor had does not come again, what it told counts."""

from __future__ import annotations

import msgspec

from shared.clock import from_iso
from shared.messages.event import Event
from tests.unit.evaluator.dated import dated, shown, told
from tests.unit.evaluator.test_identity import World, by

DAILY = 'type: schedule, cron: "0 9 * * *"'
BIRTHDAY = "type: date, property: contact.birthday"


def say(world: World, when: str, who: str, **traits: object) -> None:
    """Let the visitor ``a:v``, the user ``u:c1``, or with ``login`` the user on the visitor's device, say something."""
    user = None if who == "visitor" else "c1"
    event: Event = by(msgspec.structs.replace(told(when, **traits)), user, None if who == "user" else "v")
    at = from_iso(when)
    for key in ("a:v", "u:c1"):
        world.run_to(key, at)
    world.apply("a:v" if user is None else "u:c1", event, at)
    world.deliver(at)


def entries(world: World, until: str) -> list[tuple[str, str]]:
    for key in ("a:v", "u:c1"):
        world.run_to(key, from_iso(until))
    return [(key, shown(at)) for key, decision, _, at in world.told if decision == "entered"]


def test_a_birthday_that_the_visitor_told_is_the_users() -> None:
    world = World(dated(BIRTHDAY))
    say(world, "2026-05-01", "visitor", birthday="1990-05-17")
    say(world, "2026-05-02", "login")
    assert [("u:c1", "2026-05-17T00:00")] == entries(world, "2026-12-31")


def test_what_the_visitor_had_this_year_the_user_has_had() -> None:
    world = World(dated(BIRTHDAY))
    say(world, "2026-05-01", "visitor", birthday="1990-05-17")
    say(world, "2026-05-02", "user", birthday="1990-05-20")
    say(world, "2026-05-18", "login")
    assert [("a:v", "2026-05-17T00:00"), ("u:c1", "2027-05-20T00:00")] == entries(world, "2027-12-31")


def test_a_visitor_that_was_handed_over_waits_for_nothing_until_it_is_seen_again() -> None:
    world = World(dated(DAILY))
    say(world, "2026-05-01T08:00", "visitor")
    say(world, "2026-05-01T08:30", "login")
    assert [("u:c1", "2026-05-01T09:00")] == entries(world, "2026-05-02")
    say(world, "2026-05-02T10:00", "visitor")
    assert [("u:c1", "2026-05-02T09:00"), ("a:v", "2026-05-03T09:00"), ("u:c1", "2026-05-03T09:00")] == entries(
        world, "2026-05-04"
    )[1:]
