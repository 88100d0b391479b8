"""R8, R13: clocks that jump, nights that have another hour, and thousands of timers due in the same millisecond."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

from shared.clock import HOUR, SECOND, from_iso, system_clock
from shared.messages import codec
from shared.messages.event import Event
from shared.messages.journal import JournalRecord
from shared.messages.topics import JOURNAL
from tests.faults.judge import Findings, total
from tests.faults.result import Result
from tests.faults.setting import Setting
from tests.faults.stamper import Stamper
from tests.faults.workload import JOURNEYS, Crowd, output_of
from tests.faults.world import World, world

_MORNING = """---
schema: journey/v1
id: morning
version: 1
trigger: {type: event, event: Evening}
policy: {purpose: transactional}
steps:
  - {id: night, wait: {until: {time: "09:00"}}}
  - {id: remind, send: {channels: [email], template: {email: {subject: Good morning, text: Hello}}}}
"""
_NIGHTS = (
    # When the contact is there in the evening, its zone, and when it is nine there next.
    ("2027-03-13T22:00:00Z", "America/New_York", "2027-03-14T13:00:00Z"),  # the hour from 2 to 3 is missing
    ("2027-03-27T20:00:00Z", "Europe/Berlin", "2027-03-28T07:00:00Z"),
    ("2027-10-30T20:00:00Z", "Europe/Berlin", "2027-10-31T08:00:00Z"),  # that from 2 to 3 comes twice
    ("2027-11-06T22:00:00Z", "America/New_York", "2027-11-07T14:00:00Z"),
    ("2028-02-28T20:00:00Z", "Asia/Tokyo", "2028-02-29T00:00:00Z"),  # nine on the leap day
    ("2028-02-29T20:00:00Z", "UTC", "2028-03-01T09:00:00Z"),
)
_RATE = 500
_STEPS = (0, HOUR, 0, -HOUR, 0)


async def r8(setting: Setting) -> Result:
    """The broker's clock jumps an hour ahead, back, behind and right again; then six nights; then a worker's is off.

    Here the harness stamps the records of ``events`` itself, as a broker would whose clock does that.
    """
    phases = setting.pick(25, 1_000)
    async with world(setting.kafka.bootstrap, setting.random, journeys=JOURNEYS + _MORNING, own_time=True) as made:
        await made.worker("a").ready()
        async with Stamper(made.settings) as stamper:
            crowd = Crowd(setting.random, 500)
            for number in range(phases):
                acts = crowd.acts(100, system_clock())
                made.note_accepted(acts)
                await stamper.write([output_of(act) for act in acts], system_clock() + _STEPS[number % len(_STEPS)])
                await asyncio.sleep(0.2)
            for number, (evening, zone, morning) in enumerate(_NIGHTS):
                await _spend_night(stamper, f"night{number}", from_iso(evening), zone, from_iso(morning))
            await made.at_rest()
        skewed = await asyncio.gather(*[_on_a_skewed_machine(setting, offset) for offset in (-HOUR, HOUR)])
        sent = {it.contact: it.at for it in await _journal(made) if it.decision == "send" and it.journey == "morning"}
        mornings = {f"u:night{number}": from_iso(morning) for number, (_, _, morning) in enumerate(_NIGHTS)}
        result = Result(
            row="R8",
            findings=total([await made.judge(), *skewed]),
            figures={"steps": phases, "nights": len(_NIGHTS), "log_time_back": _backward(made)},
        )
        result.require("log_time_back", 0)
        result.expect(sent == mornings, f"not at nine in the morning: {sent}, but {mornings}")
        return result


async def _on_a_skewed_machine(setting: Setting, offset: int) -> Findings:
    """Let a worker whose own clock is off by ``offset`` come to rest on a log where nothing else happens."""
    async with world(setting.kafka.bootstrap, setting.random) as made:
        await made.worker("skewed", program=("tests.faults.skewed_worker", str(offset))).ready()
        await made.feed(Crowd(setting.random, 100), _RATE, at_least=300)
        # Its last timers are due in 10 s (max_duration), and no record comes but what it writes itself.
        await made.at_rest(90)
        return await made.judge()


async def _spend_night(stamper: Stamper, contact: str, evening: int, zone: str, morning: int) -> None:
    said: dict[str, Any] = {"user_id": contact, "timestamp": evening, "received_at": evening}
    traits = {"email": f"{contact}@example.jp", "timezone": zone}
    events = [
        Event(message_id=f"{contact}-is", type="identify", name="Identified", traits=traits, **said),
        Event(message_id=f"{contact}-came", type="track", name="Evening", **said),
    ]
    await stamper.write([output_of(event) for event in events], evening)
    # The last instant at which nothing may happen yet, and the first at which it must have.
    await stamper.tick(morning)
    await stamper.tick(morning + 1)


def _backward(made: World) -> int:
    """Count the epochs whose log time is before that of the epoch before."""
    return sum(
        after.log_time < before.log_time
        for epochs in made.changelog.epochs.values()
        for before, after in pairwise(epochs)
    )


async def _journal(made: World) -> list[JournalRecord]:
    parts = [await made.read(JOURNAL, number) for number in range(made.settings.partitions)]
    return [codec.JOURNAL.decode(record.value) for part in parts for record in part if record.offset > 0]


_HERD = """
schema: journey/v1
id: herd
version: 1
trigger: {type: event, event: Product Added}
policy: {purpose: transactional}
steps:
  - {id: pause, wait: {for: WAITs}}
  - {id: remind, send: {channels: [email], template: {email: {subject: Hello, text: Hello}}}}
"""


async def r13(setting: Setting) -> Result:
    """Every contact's timer is due in the same millisecond; the evaluator is killed while they fire."""
    herd, wait = setting.pick(10_000, 1_000_000), setting.pick(20, 600)
    async with world(setting.kafka.bootstrap, setting.random, journeys=_HERD.replace("WAIT", str(wait))) as made:
        worker = made.worker("a")
        await worker.ready()
        begin = system_clock()
        crowd = Crowd(setting.random, herd)
        for first in range(0, herd, 500):
            await made.happen([event for number in range(first, first + 500) for event in crowd.herd(number, begin)])
        due = begin + wait * SECOND
        early = system_clock() < due
        fired = 0
        async with asyncio.timeout(2 * wait + 60):
            while fired < herd // 3:
                await asyncio.sleep(0.02)
                fired = sum(epochs[-1].timers_fired for epochs in made.changelog.epochs.values() if epochs)
        worker.kill()
        await made.at_rest(600)
        last = max(
            next(saved.at for saved in epochs if saved.timers_fired == epochs[-1].timers_fired)
            for epochs in made.changelog.epochs.values()
        )
        result = Result(
            row="R13",
            findings=await made.judge(),
            figures={
                "timers": sum(epochs[-1].timers_fired for epochs in made.changelog.epochs.values()),
                "drained_s": (last - due) / SECOND,
                "timers_per_s": herd * SECOND / (last - due),
            },
        )
        result.expect(early, "they came due before all were armed: nothing was tried")
        result.expect(result.figures["timers"] == herd, "each timer fires once")
        return result
