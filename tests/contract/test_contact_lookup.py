"""The contract of ``GET /v1/contacts/{id}`` on every host: what a contact's row says is what is answered.

Two hosts find a contact differently: standalone reads its file, ingest on Kafka asks the evaluators over HTTP.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple

import httpx2
import msgspec
import pytest
from starlette.applications import Starlette

from services.evaluator.core.recent import recent_of
from services.evaluator.core.state import Consent, ContactState, Forward, Message, Run, Timer
from services.evaluator.epoch import Epoch
from services.evaluator.meta import Meta
from services.evaluator.queries import Held, query_routes
from services.evaluator.rows import Row, encode_row
from services.ingest.contacts import Find
from services.ingest.evaluators import Evaluators
from services.standalone.evaluation import SqliteEpochs
from services.standalone.lookup import ContactLookup
from tests.contract.stores import Opened, OpenStore, Store, disk_changelog, memory_changelog, sqlite

PARTITION = 0
TOKEN = "internal-token-of-the-services"


class Host(NamedTuple):
    """A store and how its host finds a contact in it."""

    store: Store
    find: Find


def standalone(request: pytest.FixtureRequest) -> AbstractAsyncContextManager[Host]:
    return hosted(sqlite(request), lambda opened: ContactLookup(_sqlite_contacts(opened), lambda: True).find)


def kafka(request: pytest.FixtureRequest) -> AbstractAsyncContextManager[Host]:
    return hosted(memory_changelog(request), asked_over_http)


def kafka_disk(request: pytest.FixtureRequest) -> AbstractAsyncContextManager[Host]:
    return hosted(disk_changelog(request), asked_over_http)


def _sqlite_contacts(opened: Opened) -> Any:
    assert isinstance(opened.store, SqliteEpochs)
    return opened.store._contacts


def asked_over_http(opened: Opened) -> Find:
    app = Starlette(routes=query_routes(lambda _: Held(PARTITION, opened.store, caught_up=True), TOKEN))
    return Evaluators(["127.0.0.1:9100"], TOKEN, 1, transport=httpx2.ASGITransport(app)).find


@asynccontextmanager
async def hosted(open_store: OpenStore, finder: Callable[[Opened], Find]) -> AsyncIterator[Host]:
    async with open_store() as opened:
        yield Host(opened.store, finder(opened))


@pytest.fixture(params=[standalone, kafka, kafka_disk], ids=lambda host: host.__name__)
async def host(request: pytest.FixtureRequest) -> AsyncIterator[Host]:
    async with request.param(request) as opened:
        yield opened


def an_epoch(number: int, *states: ContactState) -> Epoch:
    rows = {state.contact: encode_row(Row(state, offset=number)) for state in states}
    meta = Meta(incarnation="log", next_offset=number * 10, log_time=number * 1_000, epoch=number)
    return Epoch(rows, (), meta, 1)


async def told(host: Host, contact: str) -> Any:
    """Return the answer as data, None for a contact that nobody knows."""
    found = await host.find(contact)
    return None if found is None else msgspec.json.decode(found)


FULL = ContactState(
    contact="u:a/b@shop.example",
    traits={"email": "aki@shop.example", "tags": ["a", "b"], "vip": True, "name": "亜紀"},
    consent={"news": Consent(granted=True, at=5)},
    lately=recent_of([("Product Added", 10)]),
    runs=(Run("r1", "cart", 2, "", "m1", 10, "settle", 10, {"settle": 1}, {}, {}, (Timer(50, "step", "settle"),)),),
    messages=(Message("c1", "welcome", "greet", "sent", 7, "email"),),
    anonymous_id="v1",
)


async def test_everything_that_is_known_is_told_as_of_the_epoch(host: Host) -> None:
    await host.store.save(an_epoch(3, FULL))
    expected = {
        "id": "a/b@shop.example",
        "identifiers": {"user_id": "a/b@shop.example", "anonymous_ids": ["v1"]},
        "traits": {"email": "aki@shop.example", "tags": ["a", "b"], "vip": True, "name": "亜紀"},
        "consent": {"news": {"status": "granted", "at": 5}},
        "recent_events": [{"event": "Product Added", "at": 10}],
        "journeys": [
            {
                "journey": "cart",
                "version": 2,
                "run_id": "r1",
                "step": "settle",
                "entered_at": 10,
                "next_timer_at": 50,
            }
        ],
        "messages": [
            {
                "command_id": "c1",
                "journey": "welcome",
                "step": "greet",
                "channel": "email",
                "status": "sent",
                "reason": None,
                "at": 7,
            }
        ],
        "as_of": {"partition": PARTITION, "offset": 30, "log_time": 3_000, "caught_up": True},
        "suppressed": [],
    }
    assert expected == await told(host, FULL.contact)


async def test_nobody_knows_a_contact_without_a_row(host: Host) -> None:
    assert await told(host, "u:c1") is None
    await host.store.save(an_epoch(1, ContactState("u:c1")))
    assert "c1" == (await told(host, "u:c1"))["id"]
    assert await told(host, "a:c1") is None, "an anonymous id that is somebody's userId reaches nothing of theirs"


async def test_what_an_epoch_changed_is_told_with_its_position(host: Host) -> None:
    await host.store.save(an_epoch(1, ContactState("u:c1", traits={"a": 1})))
    await host.store.save(an_epoch(2, ContactState("u:c2")))
    await host.store.save(an_epoch(3, ContactState("u:c1", traits={"a": 2})))
    found = await told(host, "u:c1")
    assert ({"a": 2}, 30) == (found["traits"], found["as_of"]["offset"])


async def test_a_visitor_who_turned_out_to_be_a_user_is_answered_with_the_user(host: Host) -> None:
    merged = ContactState("a:v1", forward=Forward("u:c1"))
    await host.store.save(an_epoch(1, merged, ContactState("u:c1", traits={"a": 1})))
    assert ("c1", {"a": 1}) == ((found := await told(host, "a:v1"))["id"], found["traits"])


async def test_whoever_uses_the_device_later_is_another_visitor(host: Host) -> None:
    """Two people may share a browser: the second is not shown what is known of the first."""
    later = ContactState("a:v1", forward=Forward("u:c1"), lately=recent_of([("Page Viewed", 9)]))
    await host.store.save(an_epoch(1, later, ContactState("u:c1", traits={"a": 1})))
    found = await told(host, "a:v1")
    assert ({"user_id": None, "anonymous_ids": ["v1"]}, {}) == (found["identifiers"], found["traits"])


async def test_a_visitor_whose_user_is_gone_is_nobody(host: Host) -> None:
    await host.store.save(an_epoch(1, ContactState("a:v1", forward=Forward("u:c1"))))
    assert await told(host, "a:v1") is None
