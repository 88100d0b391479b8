"""What makes each SDK send again, and that neither its repeats nor its silence lose or double anything."""

from __future__ import annotations

import pytest

from shared.clock import system_clock
from shared.messages.event import Event
from tests.e2e.host import KEY, Host
from tests.e2e.processes import wait_until
from tests.sdks.browser import PAGES, Visitor
from tests.sdks.faults import Fault, FaultyProxy
from tests.sdks.sending import KETTLE, SERVER_SDKS, a_day, send

pytestmark = pytest.mark.integration

# The answers after which every SDK sends again, as often as the ingest gives them.
TRANSIENT: tuple[Fault, ...] = (429, 500, 503, "cut")
# The answers that end it: the SDK drops what it sent and goes on.
FINAL = (400, 401, 413)


def test_what_was_accepted_and_not_answered_is_decided_once(packages: None, host: Host, proxy: FaultyProxy) -> None:
    """The connection breaks after the ingest accepted: the SDK repeats, the log has it twice, the engine once."""
    user = "cut off"
    before = host.counters().duplicate
    proxy.fail("cut")
    send("segment python", proxy.url, a_day(user, system_clock()))
    events = host.until(lambda event: event.user_id == user, 4)
    assert 8 == len(events)
    assert [event.message_id for event in events[:4]] == [event.message_id for event in events[4:]]
    assert [events[2].message_id] == host.entered(f"u:{user}")
    assert 4 == host.counters().duplicate - before


@pytest.mark.long
@pytest.mark.parametrize("fault", TRANSIENT)
@pytest.mark.parametrize("sdk", SERVER_SDKS)
def test_a_server_sends_again(sdk: str, fault: Fault, packages: None, host: Host, proxy: FaultyProxy) -> None:
    """After two such answers in a row everything is there, and the engine decides over each event once."""
    user = f"{sdk} {fault}"
    before = host.counters().duplicate
    proxy.fail(fault, fault, retry_after=1)
    send(sdk, proxy.url, a_day(user, system_clock()))
    events = host.until(lambda event: event.user_id == user, 4)
    assert [fault, fault, 200] == [seen.answer for seen in proxy.seen][:3]
    assert 4 == len({event.message_id for event in events})
    [added] = {event.message_id for event in events if event.name == "Product Added"}
    assert [added] == host.entered(f"u:{user}")
    assert len(events) - 4 == host.counters().duplicate - before
    assert (len(events) > 4) == (fault == "cut")


@pytest.mark.long
@pytest.mark.parametrize("status", FINAL)
@pytest.mark.parametrize("sdk", SERVER_SDKS)
def test_a_server_drops_what_is_refused(sdk: str, status: int, packages: None, host: Host, proxy: FaultyProxy) -> None:
    """No storm of repeats: what was refused once is not sent again, and what comes after it is."""
    user = f"{sdk} {status}"
    calls = a_day(user, system_clock())
    proxy.fail(status)
    send(sdk, proxy.url, calls[2:3])
    assert [status] == [seen.answer for seen in proxy.seen]
    send(sdk, proxy.url, calls[3:])
    [ordered] = host.until(lambda event: event.user_id == user, 1)
    assert "Order Completed" == ordered.name


# What two browser libraries drop all the same. What was cut off of Jitsu's, Chromium itself repeats, but not always.
DROPPED = (("jitsu", 429), ("jitsu", 500), ("jitsu", 503), ("posthog", 429))
REPEATED = [(page, fault) for page in PAGES for fault in TRANSIENT if page != "jitsu" and (page, fault) not in DROPPED]


@pytest.mark.long
@pytest.mark.parametrize(("page", "fault"), REPEATED)
def test_a_page_sends_again(page: str, fault: Fault, visitor: Visitor, host: Host, proxy: FaultyProxy) -> None:
    """As a server does, from a page of another origin."""
    user = f"{page} {fault}"

    def is_it(event: Event) -> bool:
        return event.user_id == user and event.name == "Product Added"

    before = host.counters().duplicate
    visitor.open(page, url=proxy.url, key=KEY)
    visitor.play([["identify", user, {}]])
    host.until(lambda event: event.user_id == user, 1)
    proxy.fail(fault, fault, retry_after=1)
    visitor.play([["track", "Product Added", KETTLE]])
    copies = 3 if fault == "cut" else 1
    wait_until(lambda: len(host.events(is_it)) >= copies, "it is there", 60, lambda: str(proxy.seen))
    events = host.events(is_it)
    assert [fault, fault, 200] == [seen.answer for seen in proxy.seen]
    [added] = {event.message_id for event in events}
    assert [added] == host.entered(f"u:{user}")
    assert copies == len(events)
    assert copies - 1 == host.counters().duplicate - before


@pytest.mark.long
@pytest.mark.parametrize(("page", "status"), [*[(page, status) for page in PAGES for status in FINAL], *DROPPED])
def test_a_page_drops_what_is_refused(page: str, status: int, visitor: Visitor, host: Host, proxy: FaultyProxy) -> None:
    """What comes after it arrives, and leaving the page brings nothing back."""
    user = f"{page} {status}"
    visitor.open(page, url=proxy.url, key=KEY)
    visitor.play([["identify", user, {}]])
    host.until(lambda event: event.user_id == user, 1)
    proxy.fail(status)
    visitor.play([["track", "Product Added", KETTLE]])
    wait_until(lambda: proxy.seen, "it was sent")
    visitor.leave([["track", "Shop Left", {}]])
    events = host.until(lambda event: event.user_id == user, 2)
    assert ["Identified", "Shop Left"] == [event.name for event in events]
    assert [status, 200] == [seen.answer for seen in proxy.seen]
