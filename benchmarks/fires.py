"""``python -m benchmarks.fires``: timers in a real evaluator on a real Kafka, with ``--pending`` others waiting.

One process owns all four partitions. What waits is written into the changelog beforehand, due within a month; all that
fires is armed by events. A fire *moves* when it ends a wait and begins another; it *tells* when it decides a message
and ends its run. Its cost is CPU time of the evaluator alone; its lateness counts from the due time to the append of
what came of it. One line a figure.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from benchmarks.path import at, cpu_seconds
from services.evaluator.changelog.records import CLAIM, META, Claim, Stamp, contact_record_key, encode_claim
from services.evaluator.changelog.writer import ChangelogWriter
from services.evaluator.core.catalog import catalog_of
from services.evaluator.core.state import ContactState
from services.evaluator.meta import Counters, Meta, decode_meta, encode_meta
from services.evaluator.rows import Row, encode_row
from shared.clock import DAY, SECOND, system_clock
from shared.journeys.files import load_definitions
from shared.kafka.admin import ensure_topics
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.reader import KafkaLogReader
from shared.log import LogRecord, Output
from shared.messages import codec
from shared.messages.event import Event
from shared.messages.topics import CHANGELOG, EVENTS, INCARNATION_KEY, JOURNAL, TopicName
from shared.settings import KafkaSettings
from tests.builders import a_record, an_event, identified
from tests.e2e.processes import Process, service
from tests.oracle import play
from tests.servers.kafka import KafkaServer
from tests.shopping import write_documents

PREFIX = "fires."
PARTITIONS = 4
HERD_WAIT = 30 * SECOND
"""From what arms a herd to its due time: enough for all of it to be armed."""
TRICKLE = 100
TRICKLE_SECONDS = 20
EPOCH_ROWS = 1_000
JOURNEYS = """
schema: journey/v1
id: rest
version: 1
trigger: {type: event, event: Rest}
steps: [{id: wait, wait: {for: 30d, reset_by: [Rest]}}]
---
schema: journey/v1
id: move
version: 1
trigger: {type: event, event: Move}
steps: [{id: wait, wait: {for: 30s}}, {id: rest, wait: {for: 30d}}]
---
schema: journey/v1
id: tell
version: 1
trigger: {type: event, event: Tell}
policy: {purpose: transactional}
steps:
  - {id: wait, wait: {for: 30s}}
  - {id: send, send: {channels: [email], template: {email: {subject: Hello, text: "{{ event.name }}"}}}}
---
schema: journey/v1
id: soon
version: 1
trigger: {type: event, event: Soon}
policy: {purpose: transactional}
steps:
  - {id: wait, wait: {for: 1s}}
  - {id: send, send: {channels: [email], template: {email: {subject: Hello, text: "{{ event.name }}"}}}}
"""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fires", description=__doc__)
    parser.add_argument("--pending", type=int, default=1_000_000, help="timers that wait meanwhile")
    parser.add_argument("--herd", type=int, default=40_000, help="timers due in the same millisecond")
    parser.add_argument("--load", type=int, default=2_000, help="events a second beside the timers, in one of two runs")
    options = parser.parse_args()
    with KafkaServer(heap="1g", fast_start=False) as kafka, tempfile.TemporaryDirectory() as name:
        bench = Bench(kafka.bootstrap, Path(name))
        asyncio.run(bench.run(options.pending, options.herd, options.load))


class Bench:
    """One evaluator and who writes to it."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self._folder = folder
        self._journeys = write_documents(folder / "journeys", JOURNEYS)
        self._settings = KafkaSettings(kafka_bootstrap=bootstrap, topic_prefix=PREFIX, partitions=PARTITIONS)
        self._publisher = KafkaPublisher(bootstrap, prefix=PREFIX, partitions=PARTITIONS)
        self._reader = KafkaLogReader(bootstrap, prefix=PREFIX)

    async def run(self, pending: int, herd: int, load: int) -> None:
        """Measure everything."""
        await ensure_topics(self._settings)
        empty = self._evaluator("empty")
        empty.start().ready(300)
        bare = resident(empty)
        empty.end()
        await self._seed(pending)
        evaluator = self._evaluator("evaluator")
        begun = system_clock()
        evaluator.start()
        try:
            first = await self._first_fire()
            spent = f"cpu_s={cpu_seconds([evaluator]):.1f}"
            print(f"P7 start_to_first_fire_s {(first - begun) / SECOND:.1f} {spent} pending={pending}", flush=True)
            print(f"P5 process_bytes_per_pending {(resident(evaluator) - bare) / max(1, pending):.0f}", flush=True)
            await asyncio.to_thread(evaluator.ready, 300)
            for name in ("Move", "Tell"):
                print(f"P5 {name.lower()} {await self._herd(evaluator, name, herd)}", flush=True)
            for word, rate in (("idle", 0), ("loaded", load)):
                print(f"P6 {word} {await self._trickle(evaluator, word, rate)} events_per_s={rate}", flush=True)
        finally:
            evaluator.end()
            await self._publisher.stop()

    def _evaluator(self, name: str) -> Process:
        env = {
            "KIKKAKE_KAFKA_BOOTSTRAP": self._settings.kafka_bootstrap,
            "KIKKAKE_TOPIC_PREFIX": PREFIX,
            "KIKKAKE_PARTITIONS": str(PARTITIONS),
            "KIKKAKE_JOURNEYS": str(self._journeys),
            "KIKKAKE_DATA": str(self._folder / name),
            "KIKKAKE_EVALUATOR_GROUP": name,
        }
        return service("evaluator", env, self._folder)

    async def _seed(self, pending: int) -> None:
        """Write the rows of ``pending`` contacts into the changelog, and of one in each partition that is overdue."""
        definitions = load_definitions(self._journeys)
        now = system_clock()
        event = an_event("Rest", now - DAY)
        state = play(definitions.journeys, [a_record(0, event)]).states["u:c1"]
        assert state.adopted == catalog_of(definitions).number, "each contact would first have to adopt the journeys"
        writer = ChangelogWriter(self._settings.kafka_bootstrap, prefix=PREFIX, clock=system_clock)
        await writer.start()
        for partition in range(PARTITIONS):
            term = 10  # above what the empty evaluator has claimed
            await writer.take_over(partition)
            await writer.append(partition, [(CLAIM, encode_claim(Claim(term, "seed")))], Stamp(term, 0))
            numbers = iter(range(partition, pending, PARTITIONS))
            rows = self._rows(state, numbers, now)
            late = contact_record_key(f"u:late{partition}"), row_of(state, f"u:late{partition}", now)
            armed = epoch = 0
            while some := [late] * (not epoch) + list(islice(rows, EPOCH_ROWS)):
                armed, epoch = armed + len(some), epoch + 1
                meta = Meta(epoch=epoch, term=term, log_time=now - DAY, counters=Counters(timers_armed=armed))
                await writer.append(partition, [*some, (META, encode_meta(meta))], Stamp(term, epoch))
        await writer.stop()

    def _rows(self, state: ContactState, numbers: Iterator[int], now: int) -> Iterator[tuple[bytes, bytes]]:
        for number in numbers:
            contact = f"u:{number * 2_654_435_761 % 2**32:08x}-0000-4000-8000-{number:012x}"
            yield contact_record_key(contact), row_of(state, contact, now + DAY + number * 7_919 % (30 * DAY))

    async def _first_fire(self) -> int:
        """Return when the first epoch was saved in which a timer fired."""
        async with asyncio.timeout(600):
            while True:
                found = [saved for saved in await self._epochs() if saved[2]]
                if found:
                    return found[0][0]
                await asyncio.sleep(0.5)

    async def _herd(self, evaluator: Process, name: str, herd: int) -> str:
        """Let ``herd`` contacts come so that all their timers are due at once; return what came of it."""
        begun = system_clock()
        for first in range(0, herd, 500):
            contacts = [f"{name}{number}" for number in range(first, min(first + 500, herd))]
            await self._happen([event for contact in contacts for event in arrival(contact, name, begun)])
        due = begun + HERD_WAIT
        early = system_clock() < due
        ends = await self._reader.ends(CHANGELOG, PARTITIONS)
        before = await asyncio.to_thread(fired, evaluator)
        await asyncio.sleep(max(0, (due - system_clock()) / SECOND - 0.1))
        used: list[tuple[int, float]] = []
        while not used or len(used) % 20 or await asyncio.to_thread(fired, evaluator) < before + herd:
            used.append((system_clock(), cpu_seconds([evaluator])))
            await asyncio.sleep(0.1)  # the evaluator is asked every two seconds only: its answer takes CPU time
        epochs = [when for when, _, _ in await self._epochs(ends) if when > due]
        begin, end = (min(used, key=lambda sample: abs(sample[0] - when))[1] for when in (due, epochs[-1]))
        figures = f"fires_per_s={herd * SECOND / (epochs[-1] - due):.0f} fires_per_cpu_s={herd / (end - begin):.0f}"
        return f"{figures} cpu_us={1e6 * (end - begin) / herd:.0f} herd={herd} armed_in_time={early}"

    async def _trickle(self, evaluator: Process, word: str, load: int) -> str:
        """Let timers come due one after another, beside ``load`` events a second; return how late they fired."""
        ends = await self._reader.ends(JOURNAL, PARTITIONS)
        before = await asyncio.to_thread(fired, evaluator)
        begun = time.monotonic()
        step = 0.1
        for turn in range(int(TRICKLE_SECONDS / step)):
            now = system_clock()
            some = [f"{word}{turn}-{number}" for number in range(int(TRICKLE * step))]
            others = [f"other{(turn * int(load * step) + number) % 5_000}" for number in range(int(load * step))]
            events = [event for contact in some for event in arrival(contact, "Soon", now)]
            await self._happen([*events, *(acted(contact, "Rest", now) for contact in others)])
            await asyncio.sleep(max(0.0, begun + (turn + 1) * step - time.monotonic()))
        while await asyncio.to_thread(fired, evaluator) < before + TRICKLE * TRICKLE_SECONDS:
            await asyncio.sleep(0.5)
        late: list[float] = []
        async for _, record in self._records(JOURNAL, ends):
            entry = codec.JOURNAL.decode(record.value)
            if entry.decision == "send" and entry.journey == "soon":
                late.append(record.timestamp - entry.at)
        late.sort()
        return f"late_ms p50={at(late, 0.5):.0f} p99={at(late, 0.99):.0f} max={late[-1]:.0f} timers={len(late)}"

    async def _happen(self, events: Sequence[Event]) -> None:
        await self._publisher.publish([Output(EVENTS, f"u:{it.user_id}".encode(), codec.encode(it)) for it in events])

    async def _epochs(self, begins: dict[int, int] | None = None) -> list[tuple[int, int, int]]:
        """Return (time, partition, timers fired so far) of each epoch that an evaluator has saved since ``begins``."""
        if begins is None:
            begins = {number: end - 200 for number, end in (await self._reader.ends(CHANGELOG, PARTITIONS)).items()}
        found = []
        async for partition, record in self._records(CHANGELOG, begins):
            if record.key == META and record.value is not None:
                found.append((record.timestamp, partition, decode_meta(record.value).counters.timers_fired))
        return sorted(found)

    async def _records(self, topic: TopicName, begins: dict[int, int]) -> AsyncIterator[tuple[int, LogRecord]]:
        for partition, begin in begins.items():
            async for batch in self._reader.read_all(topic, partition, max(0, begin)):
                for record in batch:
                    if record.key != INCARNATION_KEY:
                        yield partition, record


def row_of(state: ContactState, contact: str, due: int) -> bytes:
    """Return the row of ``contact``, who waits until ``due`` and else is like that of ``state``."""
    [run] = state.runs
    timers = tuple(msgspec.structs.replace(timer, due=due) for timer in run.timers)
    runs = (msgspec.structs.replace(run, timers=timers),)
    return encode_row(Row(msgspec.structs.replace(state, contact=contact, runs=runs)))


def acted(contact: str, name: str, now: int) -> Event:
    """Return that ``contact`` did ``name``."""
    return msgspec.structs.replace(an_event(name, now), user_id=contact, message_id=f"{contact}-{name}-{now}")


def arrival(contact: str, name: str, now: int) -> list[Event]:
    """Return what makes ``contact`` reachable, and ``name``."""
    known = identified(now, email=f"{contact}@example.jp")
    known = msgspec.structs.replace(known, user_id=contact, message_id=f"{contact}-is")
    return [known, acted(contact, name, now)]


def fired(evaluator: Process) -> int:
    """Return how many timers have fired, as the evaluator says."""
    with urllib.request.urlopen(f"http://127.0.0.1:{evaluator.port}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    found = [line for line in lines if line.startswith("kikkake_conservation{") and 'kind="timers_fired"' in line]
    return sum(int(float(line.rpartition(" ")[2])) for line in found)


def resident(process: Process) -> int:
    """Return the bytes of memory of ``process`` that are its own."""
    fields = dict(
        line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines()
    )
    return int(fields["RssAnon"].split()[0]) * 1024


if __name__ == "__main__":
    main()
