"""A sample shop's day as HTTP calls: who visits, when, and what they do. Pure: the seed decides."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from shared.clock import DAY, HOUR, MINUTE, to_iso

PRODUCTS = (
    ("Iron kettle", 7800),
    ("Sencha, 100 g", 1400),
    ("Tea whisk", 2600),
    ("Hagi cup", 4200),
    ("Linen apron", 5400),
    ("Cast-iron pan", 9800),
    ("Cypress tub", 3300),
    ("Rice cooker pot", 12400),
)
NAMES = ("Aki", "Haru", "Ken", "Mei", "Nao", "Ren", "Rin", "Sora", "Yui", "Yuki", "Emma", "Leo", "Mia", "Noah", "Zoe")
OPENS, CLOSES = 8 * HOUR, 21 * HOUR


class Call(msgspec.Struct, frozen=True):
    """One request at journey time ``at``: ``POST /v1/<path>`` with ``body``."""

    at: int
    path: str
    body: dict[str, Any]


class Visitor(msgspec.Struct, frozen=True):
    """One contact of the day. ``story`` says in a word what it is there to show."""

    user: str
    name: str
    email: str | None
    locale: str
    consent: bool
    story: str
    arrives: int


STORIES: tuple[tuple[str, int], ...] = (
    ("looks around", 60),
    ("abandons the cart", 55),
    ("buys in time", 50),
    ("buys after the reminder", 25),
    ("never consented", 14),
    ("has no address", 6),
    ("withdraws consent", 6),
    ("comes with an old event", 4),
)
"""How many visitors live which story: 220 in all, as a small shop's day has them."""


def a_day(opening: int, seed: int) -> tuple[list[Visitor], list[Call]]:
    """Return the visitors and their calls, in order of time; ``opening`` is the midnight before."""
    random = Random(seed)  # noqa: S311 - a story, not a secret
    visitors: list[Visitor] = []
    for story, count in STORIES:
        for _ in range(count):
            visitors.append(_visitor(random, len(visitors) + 1, story, opening))
    calls = [call for visitor in visitors for call in _visit(random, visitor)]
    return visitors, sorted(calls, key=lambda call: call.at)


def _visitor(random: Random, number: int, story: str, opening: int) -> Visitor:
    name = random.choice(NAMES)
    return Visitor(
        user=f"{name.lower()}{number:03}",
        name=name,
        email=None if story == "has no address" else f"{name.lower()}{number:03}@example.jp",
        locale=random.choice(("ja", "en")),
        consent=story != "never consented",
        story=story,
        arrives=opening + random.randrange(OPENS, CLOSES),
    )


def _visit(random: Random, visitor: Visitor) -> list[Call]:
    at = visitor.arrives
    traits = {"first_name": visitor.name, "email": visitor.email, "locale": visitor.locale}
    calls = [Call(at, "identify", {"userId": visitor.user, "traits": {k: v for k, v in traits.items() if v}})]
    if visitor.consent:
        calls.append(_consent(visitor, at + 1000, "granted"))
    for _ in range(random.randint(1, 5)):
        at += random.randint(20, 240) * 1000
        calls.append(_track(visitor, at, "Product Viewed", _product(random)))
    return calls + _STORIES[visitor.story](random, visitor, at)


def _abandons(random: Random, visitor: Visitor, at: int) -> list[Call]:
    calls = []
    for _ in range(random.randint(1, 2)):
        at += random.randint(30, 400) * 1000
        calls.append(_track(visitor, at, "Product Added", {"cart_id": f"k-{visitor.user}", **_product(random)}))
    return calls


def _buys(random: Random, visitor: Visitor, at: int, low: int, high: int) -> list[Call]:
    calls = _abandons(random, visitor, at)
    paid = calls[-1].at + random.randint(low, high)
    order = {"order_id": f"o-{visitor.user}", "total": calls[-1].body["properties"]["price"]}
    return [*calls, _track(visitor, paid, "Order Completed", order)]


def _withdraws(random: Random, visitor: Visitor, at: int) -> list[Call]:
    calls = _abandons(random, visitor, at)
    return [*calls, _consent(visitor, calls[-1].at + random.randint(5, 40) * MINUTE, "revoked")]


def _comes_late(random: Random, visitor: Visitor, at: int) -> list[Call]:
    """The app was offline for two hours and sends its cart event only now."""
    body = _track(visitor, at, "Product Added", {"cart_id": f"k-{visitor.user}", **_product(random)}).body
    return [Call(at, "track", {**body, "timestamp": to_iso(at - 2 * HOUR), "sentAt": to_iso(at)})]


_STORIES: dict[str, Callable[[Random, Visitor, int], list[Call]]] = {
    "looks around": lambda _random, _visitor, _at: [],
    "abandons the cart": _abandons,
    "buys in time": lambda random, visitor, at: _buys(random, visitor, at, 2 * MINUTE, 44 * MINUTE),
    "buys after the reminder": lambda random, visitor, at: _buys(random, visitor, at, 2 * HOUR, 20 * HOUR),
    "never consented": _abandons,
    "has no address": _abandons,
    "withdraws consent": _withdraws,
    "comes with an old event": _comes_late,
}


def _product(random: Random) -> dict[str, Any]:
    name, price = random.choice(PRODUCTS)
    return {"name": name, "price": price}


def _track(visitor: Visitor, at: int, event: str, properties: dict[str, Any]) -> Call:
    return Call(at, "track", {"userId": visitor.user, "event": event, "properties": properties})


def _consent(visitor: Visitor, at: int, status: str) -> Call:
    return Call(at, "consent", {"userId": visitor.user, "topic": "cart_reminders", "status": status})


def last_moment(opening: int) -> int:
    """Return when every story has ended: the second reminder of the last visitor, a day after closing."""
    return opening + CLOSES + 2 * HOUR + DAY
