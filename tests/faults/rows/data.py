"""R6, R7, R9: what is said twice, late, in any order, or makes no sense."""

from __future__ import annotations

import asyncio
from random import Random

import msgspec

from shared.clock import HOUR, SECOND, system_clock
from shared.log import Output
from shared.messages import codec
from shared.messages.event import Event
from shared.messages.journal import JournalRecord
from shared.messages.topics import EVENTS, EVENTS_DLQ, JOURNAL
from tests.faults.recovery import stalls
from tests.faults.result import Result
from tests.faults.setting import Setting
from tests.faults.workload import JOURNEYS, Crowd, output_of
from tests.faults.world import World, world

_RATE = 1_000
_SHARES = (0.01, 0.1, 0.5)


async def r6(setting: Setting) -> Result:
    """Of what is published 1, 10, then 50 % comes again, at once or later; every tenth with another body."""
    each = setting.pick(3_000, 300_000)
    random = setting.random
    again = others = 0
    async with world(setting.kafka.bootstrap, random) as made:
        await made.worker("a").ready()
        crowd = Crowd(random, 1_000)
        said: list[Event] = []
        for share in _SHARES:
            for _ in range(0, each, 100):
                acts = crowd.acts(100, system_clock())
                await made.happen(acts)
                said = [*said[-2_000:], *acts]
                repeats = [event for event in random.choices(said, k=len(acts)) if random.random() < share]
                bodies = [_other(event, random) for event in repeats if random.random() < 0.1]
                await made.append([output_of(event) for event in (*repeats, *bodies)])
                again += len(repeats)
                others += len(bodies)
                await asyncio.sleep(100 / _RATE)
        await made.at_rest()
        # The judge puts a tick in the place of each repeat: whatever a repeat did would be nobody's decision.
        return Result(
            row="R6", findings=await made.judge(), figures={"duplicates": again + others, "other_bodies": others}
        )


def _other(event: Event, random: Random) -> Event:
    return msgspec.structs.replace(event, properties={"total": random.random()}, name="Order Completed", type="track")


async def r7(setting: Setting) -> Result:
    """Half of the events happened up to 24 h before they arrive, most of them some seconds, in no order."""
    events = setting.pick(10_000, 500_000)
    random = setting.random
    async with world(setting.kafka.bootstrap, random) as made:
        await made.worker("a").ready()
        crowd = Crowd(random, 400)
        late = 0
        for _ in range(0, events, 100):
            acts = [_late(event, random) for event in crowd.acts(100, system_clock())]
            late += sum(event.timestamp < event.received_at for event in acts)
            random.shuffle(acts)
            await made.happen(acts)
            await asyncio.sleep(100 / _RATE)
        await made.at_rest()
        regrets = sum(entry.decision == "regret" for entry in await _journal(made))
        result = Result(row="R7", findings=await made.judge(), figures={"late": late, "regrets": regrets})
        result.expect(regrets, "no late event was regretted, so nothing was tried")
        return result


def _late(event: Event, random: Random) -> Event:
    if random.random() < 0.5:
        return event
    ago = random.choice([10 * SECOND, 10 * SECOND, 30 * SECOND, HOUR, 24 * HOUR])
    return msgspec.structs.replace(event, timestamp=event.timestamp - int(ago * random.random()))


async def _journal(made: World) -> list[JournalRecord]:
    parts = [await made.read(JOURNAL, number) for number in range(made.settings.partitions)]
    records = [record for part in parts for record in part if record.offset > 0]
    return [codec.JOURNAL.decode(record.value) for record in records]


_ENDLESS = """---
schema: journey/v1
id: huge
version: 1
trigger: {type: event, event: Huge Order}
context: {everything: event.properties.text}
policy: {purpose: transactional}
steps:
  - {id: pause, wait: {for: 1s}}
  - id: tell
    send: {channels: [email], template: {email: {subject: Hello, text: "{{ context.everything }}"}}}
"""


async def r9(setting: Setting) -> Result:
    """Among good events: bytes that are no record, records of nobody, of unknown kinds, and rows that grow too long."""
    rounds = setting.pick(100, 10_000)
    async with world(setting.kafka.bootstrap, setting.random, journeys=JOURNEYS + _ENDLESS) as made:
        await made.worker("a").ready()
        crowd = Crowd(setting.random, 1_000)
        begin = system_clock()
        poison = 0
        for number in range(rounds):
            await made.happen(crowd.acts(100, system_clock()))
            bad = _poison(number, setting.random)
            poison += len(bad)
            await made.append(bad)
            await asyncio.sleep(100 / _RATE)
        end = system_clock()
        await made.at_rest()
        letters = [record.value for record in await made.read(EVENTS_DLQ, 0) if record.offset > 0]
        # An owner that was lost publishes again what may be missing, with the same bytes: no second letter.
        dead = len(set(letters))
        stood = [ms for epochs in made.changelog.epochs.values() for ms in stalls(epochs, begin, end)]
        result = Result(
            row="R9",
            findings=await made.judge(),
            figures={"poison": poison, "dead_letters": dead, "stall_max_s": max(stood) / SECOND},
        )
        result.expect(dead == poison, "what cannot be applied is in events.dlq, each under one name")
        result.require("stall_max_s", 1)
        return result


def _poison(number: int, random: Random) -> list[Output]:
    """Return two records that no partition can apply."""
    contact = f"u:c{random.randrange(1_000)}".encode()
    good = output_of(Event(message_id=f"p{number}", type="track", name="Kind", timestamp=1, received_at=1, user_id="x"))
    assert good.value is not None
    values = [
        b"",
        b"\x01\x00{",
        b"\x02\x00{}",
        b"\x01\x00[]",
        b"\x01\x00" + b"[" * 5_000,
        b'\x01\x00{"kind":"event","message_id":7}',
        b'\x01\x00{"kind":"nobody knows"}',
        good.value.replace(b'"timestamp":1', b'"timestamp":"soon"'),
        good.value[:-10],
    ]
    no_contact = Output(EVENTS, b"\xff\xfe", good.value, random.randrange(4))
    return [Output(EVENTS, contact, random.choice(values)), no_contact]
