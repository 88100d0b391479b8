"""The SDKs of browsers, on a page of another origin: what a visit says arrives once, whole, and at its time."""

from __future__ import annotations

import pytest

from shared.clock import HOUR, SECOND, system_clock
from shared.messages.event import Event
from tests.e2e.host import KEY, Host
from tests.sdks.browser import PAGES, Visitor
from tests.sdks.faults import FaultyProxy

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("page", PAGES)
def test_a_visit_arrives_once_with_its_person_time_and_data(page: str, visitor: Visitor, host: Host) -> None:
    """A visitor whose clock is an hour ahead looks around, signs in, fills a cart and leaves."""
    user = f"browser {page}"
    mine = {"visit": user}

    def is_mine(event: Event) -> bool:
        return event.user_id == user or event.properties.get("visit") == user

    before = system_clock()
    visitor.open(page, url=host.url, key=KEY, ahead=HOUR)
    visitor.play([["page", "Kettles"], ["track", "Product Viewed", {"product_id": "p1", **mine}]])
    visitor.play([["identify", user, {"email": "aki@example.jp"}], ["track", "Product Added", {"price": 9.5, **mine}]])
    host.until(is_mine, 3)
    visitor.leave([["track", "Shop Left", mine]])
    events = host.until(is_mine, 4)
    after = system_clock()
    # Requests of one page overtake each other, so the log's order is not that of the calls.
    assert ["Identified", "Product Added", "Product Viewed", "Shop Left"] == sorted(event.name for event in events)
    identified, added, viewed, left = sorted(events, key=lambda event: event.name)
    assert [None, user, user, user] == [event.user_id for event in (viewed, identified, added, left)]
    assert 1 == len({event.anonymous_id for event in events} - {None}), "one visitor, before and after the login"
    assert viewed.anonymous_id is not None
    assert "aki@example.jp" == identified.traits["email"]
    assert 9.5 == added.properties["price"]
    for event in events:
        assert before - SECOND <= event.timestamp <= after + SECOND
    assert [added.message_id] == host.entered(f"u:{user}")


# How each library sends what is said last: one call at a time, in a batch, or as a beacon.
LAST_WORDS = (
    ("segment", False, "/v1/t"),
    ("segment", True, "/v1/b"),
    ("rudder", False, "/v1/track"),
    ("rudder", True, "/beacon/v1/batch"),
    ("posthog", False, "/e/"),
    ("jitsu", False, "/api/s/track"),
)


@pytest.mark.parametrize(("page", "batching", "way"), LAST_WORDS)
def test_what_is_said_as_the_tab_closes_arrives(
    page: str, batching: bool, way: str, visitor: Visitor, host: Host, proxy: FaultyProxy
) -> None:
    """Also where the library gathers events into batches, or hands the last ones to the browser as a beacon."""
    user = f"closed {page} {batching}"
    visitor.open(page, url=proxy.url, key=KEY, batching=batching)
    visitor.play([["identify", user, {}], ["track", "Product Viewed", {}]])
    if not batching:
        host.until(lambda event: event.user_id == user, 2)
    visitor.close([["track", "Product Added", {}]])
    events = host.until(lambda event: event.user_id == user, 3)
    assert ["Identified", "Product Added", "Product Viewed"] == sorted(event.name for event in events)
    assert 1 == len(host.entered(f"u:{user}"))
    assert way == proxy.seen[-1].path.partition("?")[0]
