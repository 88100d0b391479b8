"""The SDKs of servers, pointed at Kikkake: what they are told arrives once, whole, and at its time."""

from __future__ import annotations

import pytest

from shared.clock import HOUR, SECOND, system_clock
from tests.e2e.host import Host
from tests.sdks.sending import KETTLE, ORDER, SERVER_SDKS, TRAITS, a_day, send

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("sdk", SERVER_SDKS)
def test_every_call_arrives_once_with_its_person_time_and_data(sdk: str, packages: None, host: Host) -> None:
    """All that changes for a site is the host name and the write key."""
    user = f"server {sdk}"
    before = system_clock()
    send(sdk, host.url, a_day(user, before))
    events = host.until(lambda event: event.user_id == user, 4)
    after = system_clock()
    assert ["Identified", "Page Viewed", "Product Added", "Order Completed"] == [event.name for event in events]
    identified, viewed, added, ordered = events
    assert TRAITS == {name: identified.traits[name] for name in TRAITS}
    assert "/kettles" == viewed.properties["path"]
    assert KETTLE == {name: added.properties[name] for name in KETTLE}
    assert ORDER == {name: ordered.properties[name] for name in ORDER}
    for event in (identified, viewed, added):
        assert before - SECOND <= event.timestamp <= after + SECOND
    assert abs(ordered.timestamp - (before - 2 * HOUR)) < SECOND
    assert 4 == len({event.message_id for event in events})
    assert [added.message_id] == host.entered(f"u:{user}")
