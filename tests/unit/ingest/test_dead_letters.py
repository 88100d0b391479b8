"""Dead letters: the newest first, each whole, and what becomes of one that is sent through again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.ingest.dead_letters import DeadLetters, Replayed
from services.ingest.errors import NotFoundError
from services.ingest.screening import Screen, Screening, load_standards
from shared.log import Output
from shared.messages import codec
from shared.messages.dead_letter import DeadLetter
from shared.messages.event import Event
from shared.messages.topics import EVENTS, INCARNATION_KEY
from shared.metrics import Metrics
from tests.builders import an_event, at
from tests.fakes import MemoryLog
from tests.unit.ingest.sites import Site, a_track
from tests.unit.ingest.webhooks.posting import site_with

REFUSED = a_track(userId="null")


class World:
    """A log in memory, and what stands in it; ``evaluator`` is what a worker does while somebody waits."""

    def __init__(self, screen: Screen | None = None) -> None:
        self.log = MemoryLog()
        self.slept: list[float] = []
        self.evaluator: list[DeadLetter] = []
        self.letters = DeadLetters(self.log, self.log, screen or screen_of(None), self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        while self.evaluator:
            await self.set_aside(self.evaluator.pop())

    async def set_aside(self, letter: DeadLetter) -> None:
        await self.log.publish([Output("events.dlq", letter.key, codec.encode(letter))])

    async def take(self, site: Site) -> None:
        """Write what ``site`` set aside."""
        await self.log.publish([output for output in site.publisher.outputs if output.topic == "events.dlq"])

    async def events(self) -> list[Event]:
        found = [codec.EVENTS.decode(record.value) for record in await self.log.read(EVENTS, 0, 0, 100)]
        return [event for event in found if isinstance(event, Event)]


def screen_of(folder: Path | None) -> Screen:
    return Screening(load_standards(folder), Metrics(), lambda: "nobody")


def of_record(value: bytes | None, **changes: Any) -> DeadLetter:
    letter = DeadLetter(
        topic="events", partition=3, offset=7, reason="KeyError", detail="x", at=5, key=b"u:c1", value=value
    )
    return msgspec.structs.replace(letter, **changes)


async def test_the_newest_come_first_and_the_next_page_goes_on_below() -> None:
    world = World()
    await world.log.publish([Output("events.dlq", INCARNATION_KEY, b"id")])
    for number in range(1, 6):
        await world.set_aside(of_record(b"", at=number))
    first = await world.letters.newest("events.dlq", 2)
    assert [5, 4] == [found.offset for found in first]
    assert [3, 2] == [found.offset for found in await world.letters.newest("events.dlq", 2, before=4)]
    assert [1] == [found.offset for found in await world.letters.newest("events.dlq", 9, before=2)]
    assert [] == await world.letters.newest("commands.dlq", 9)


async def test_what_others_wrote_into_the_topic_hides_none_of_the_rest() -> None:
    world = World()
    await world.set_aside(of_record(b""))
    await world.log.publish([Output("events.dlq", b"k", b"an operator's own"), Output("events.dlq", b"k", b"")])
    await world.set_aside(of_record(b""))
    assert [3, 0] == [found.offset for found in await world.letters.newest("events.dlq", 9)]


@pytest.mark.parametrize("offset", [0, 1])
async def test_where_none_is_there_is_none(offset: int) -> None:
    world = World()
    await world.log.publish([Output("events.dlq", INCARNATION_KEY, b"id")])
    with pytest.raises(NotFoundError):
        await world.letters.one("events.dlq", offset)


async def test_a_call_that_would_be_refused_again_is_refused_and_leaves_nothing() -> None:
    world, site = World(), Site()
    site.post("/v1/batch", {"batch": [REFUSED]})
    await world.take(site)
    assert Replayed(
        "refused", "userId is a value that no contact can have", "illegal_distinct_id"
    ) == await world.letters.replay("events.dlq", 0)
    assert ([], 1) == (await world.events(), await world.log.end("events.dlq", 0))


async def test_a_call_that_is_refused_no_more_is_an_event_of_when_it_came_and_twice_is_once(tmp_path: Path) -> None:
    """The catalogue was wrong; now it knows the event."""
    (tmp_path / "catalogue.yaml").write_text("schema: catalogue/v1\nmode: reject\n")
    site = Site(standards=load_standards(tmp_path))
    site.post("/v1/track", {"userId": "u1", "event": "Kettle Boiled"})
    (tmp_path / "catalogue.yaml").write_text("schema: catalogue/v1\nmode: reject\nevents: {Kettle Boiled: }\n")
    world = World(screen_of(tmp_path))
    await world.take(site)
    site.clock.now += 3_600_000
    for _ in range(2):
        assert Replayed("accepted", "1 event") == await world.letters.replay("events.dlq", 0)
    first, second = await world.events()
    assert first == second
    assert ("Kettle Boiled", "u1", site.clock.now - 3_600_000) == (first.name, first.user_id, first.timestamp)


async def test_what_a_webhook_posted_is_for_its_sender_to_post_again() -> None:
    world = World()
    site = site_with("  form:\n    token: {query: key, secret: {env: HUSH}}\n    events: []\n")
    site.http.post("/v1/webhooks/form?key=hush", content=b'{"kind": ')
    await world.take(site)
    found = await world.letters.replay("events.dlq", 0)
    assert Replayed("kept", "webhook_form posted it in a format of its own: let it post it again") == found


async def test_a_record_goes_into_the_log_again_under_its_key() -> None:
    world = World()
    value = codec.encode(an_event("Began", at("09:00")))
    await world.set_aside(of_record(value))
    found = await world.letters.replay("events.dlq", 0)
    assert Replayed("sent", "it is in the log again, and was not set aside within 3 s") == found
    assert [(b"u:c1", value)] == [(record.key, record.value) for record in await world.log.read(EVENTS, 0, 0, 9)]
    assert 3 == round(sum(world.slept), 6)


async def test_one_that_comes_back_is_said_so() -> None:
    world = World()
    value = codec.encode(an_event("Began", at("09:00")))
    await world.set_aside(of_record(value))
    other = codec.encode(an_event("Began", at("10:00")))
    world.evaluator = [of_record(value, reason="ZeroDivisionError", detail="again"), of_record(other)]
    assert Replayed("set_aside", "again", "ZeroDivisionError") == await world.letters.replay("events.dlq", 0)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"nonsense", Replayed("refused", "schema version 110 is not known; this release reads 1", "BadMessageError")),
        (None, Replayed("kept", "nothing was kept of it but its size")),
    ],
)
async def test_what_cannot_be_a_record_is_not_put_into_the_log(value: bytes | None, expected: Replayed) -> None:
    world = World()
    await world.set_aside(of_record(value))
    assert expected == await world.letters.replay("events.dlq", 0)
    assert 0 == await world.log.end(EVENTS, 0)


async def test_a_record_without_a_key_is_nobodys_and_goes_nowhere() -> None:
    world = World()
    await world.set_aside(of_record(codec.encode(an_event("Began", at("09:00"))), key=None))
    found = await world.letters.replay("events.dlq", 0)
    assert Replayed("refused", "the record has no key, so no contact", "BadMessageError") == found
    assert 0 == await world.log.end(EVENTS, 0)


async def test_a_body_that_an_older_release_set_aside_is_said_to_be_no_call() -> None:
    world = World()
    await world.set_aside(of_record(b'{"kind": ', partition=-1, offset=-1, key=None))
    found = await world.letters.replay("events.dlq", 0)
    assert Replayed("refused", "it is no JSON, so no call", "invalid_json") == found


async def test_a_command_is_not_sent_again() -> None:
    world = World()
    await world.log.publish([Output("commands.dlq", b"u:c1", codec.encode(of_record(b"x", topic="commands")))])
    found = await world.letters.replay("commands.dlq", 0)
    assert Replayed("kept", "a command is not sent again: its journey was told how it ended") == found
