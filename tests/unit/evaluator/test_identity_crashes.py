"""Two partitions, two workers, a link between them: whatever dies between which steps, nothing is lost or doubled."""

from __future__ import annotations

from collections import Counter

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.evaluator.epoch import Epoch
from services.evaluator.rows import decode_row
from shared.clock import HOUR
from shared.log import Output
from shared.messages import codec
from shared.messages.event import Event, Tick
from shared.messages.journal import JournalRecord
from shared.messages.topics import COMMANDS, EVENTS, JOURNAL
from tests.builders import a_journey, an_event, at, consented, identified
from tests.unit.evaluator.hosts import Host, conserved

VISITOR, USER = "a:v", "u:c1"
STORY = (
    (VISITOR, identified(at("09:00"), email="a@example.jp")),
    (VISITOR, consented(at("09:00"), "cart_reminders")),
    (VISITOR, an_event("Product Added", at("10:00"), name="Kettle")),
    (USER, identified(at("10:10"), name="Aya")),
    (VISITOR, an_event("Product Added", at("10:20"), name="Pot")),
    (USER, an_event("Order Completed", at("10:50"), total=5)),
    (USER, an_event("Product Viewed", at("11:00"))),
)
"""The user is named first at 10:10; the purchase comes five minutes after the reminder may have left."""


class Worker:
    """One partition. What it saved and has not published yet is published when it starts again, as often as it dies."""

    def __init__(self) -> None:
        self.host = Host(a_journey())
        self.cursor = 0
        self.outbox: list[Output] = []

    def work(self, most: int) -> Epoch | None:
        records = self.host.log[self.cursor : self.cursor + most]
        if not records and not self.host.processor.has_due:
            return None
        processor = self.host.processor
        return processor.process(records, caught_up=True) if records else processor.fire(10, caught_up=True)

    def save(self, epoch: Epoch) -> None:
        self.host.store.keep(epoch)
        self.cursor += epoch.consumed
        self.outbox += epoch.outputs

    def die(self) -> None:
        self.host.processor = self.host.started()
        self.cursor = self.host.processor.meta.next_offset


class World:
    def __init__(self) -> None:
        self.workers = (Worker(), Worker())
        self.story = list(STORY)
        self.clock = at("08:00")
        self.journal: dict[str, bytes] = {}
        self.commands: Counter[bytes] = Counter()

    def tell(self) -> None:
        """Let the next thing of the story happen."""
        if self.story:
            key, event = self.story.pop(0)
            self.clock = max(self.clock, event.timestamp)
            user, anonymous = ("c1", "v") if key == USER else (None, "v")
            named = msgspec.structs.replace(event, user_id=user, anonymous_id=anonymous)
            self.append(key.encode(), codec.encode(named))

    def append(self, key: bytes, value: bytes) -> None:
        worker = self.workers[0 if key == VISITOR.encode() else 1]
        worker.host.append(value, self.clock, key.decode())

    def publish(self, number: int, *, again: bool) -> None:
        """Publish the outbox of a worker; ``again``: it dies before it knows, and does so once more."""
        worker = self.workers[number]
        for output in worker.outbox:
            value = output.value or b""
            if output.topic == EVENTS:
                self.append(output.key or b"", value)
            elif output.topic == JOURNAL:
                identity = codec.JOURNAL.decode(value).id
                assert value == self.journal.setdefault(identity, value), "one id, two decisions"
            elif output.topic == COMMANDS:
                self.commands[value] += 1
        if not again:
            worker.outbox = []

    def drain(self) -> None:
        """Let everything come to its end, twelve days on."""
        while self.story:
            self.tell()
        self.settle()
        while self.clock < at("00:00", day=12):
            self.clock += HOUR
            for worker in self.workers:
                worker.host.append(Tick(partition=0), self.clock, None)
            self.settle()

    def settle(self) -> None:
        busy = True
        while busy:
            busy = False
            for number, worker in enumerate(self.workers):
                if (epoch := worker.work(100)) is not None:
                    worker.save(epoch)
                    busy = True
                busy = busy or bool(worker.outbox)
                self.publish(number, again=False)


STEPS = st.lists(
    st.sampled_from(
        [
            *("tell", "work 0", "work 1", "publish 0", "publish 1"),
            *("lose 0", "lose 1", "die 0", "die 1", "again 0", "again 1"),
        ]
    ),
    max_size=40,
)


@settings(deadline=None)
@given(STEPS)
def test_a_crash_between_any_two_steps(steps: list[str]) -> None:
    world = World()
    for step in steps:
        name, _, number = step.partition(" ")
        which = int(number or 0)
        worker = world.workers[which]
        match name:
            case "tell":
                world.tell()
            case "work" | "lose":
                epoch = worker.work(2)
                if epoch is not None and name == "work":
                    worker.save(epoch)
                elif epoch is not None:
                    worker.die()  # before anything was saved
            case "publish" | "again":
                world.publish(which, again=name == "again")
            case _:
                worker.die()
    world.drain()
    _judge(world)


def _judge(world: World) -> None:
    for worker in world.workers:
        conserved(worker.host)
    journal = [codec.JOURNAL.decode(value) for value in world.journal.values()]
    entered = Counter(record.run for record in journal if record.decision == "entered")
    exited = Counter(record.run for record in journal if record.decision == "exited")
    # Each run is entered once and ended once, in whichever row; nothing runs on in the other.
    assert set(entered.values()) <= {1}
    assert entered == exited
    rows = [decode_row(value).state for worker in world.workers for value in worker.host.store.rows.values()]
    assert not any(row.runs for row in rows)
    commands = [codec.COMMANDS.decode(value) for value in world.commands]
    assert len({command.command_id for command in commands}) == len(commands), "one id, two commands"
    assert all(command.step == "remind_1" for command in commands if command.run_id in _first(journal))
    user = next(row for row in rows if row.contact == USER)
    assert {"email": "a@example.jp", "name": "Aya"} == user.traits
    assert not any(watch.key.startswith("link:") for watch in user.watches.values())


def _first(journal: list[JournalRecord]) -> set[str | None]:
    """Return the runs that the purchase must have ended: those of the visitor's first cart."""
    return {it.run for it in journal if it.decision == "entered" and it.cause == _cart().message_id}


def _cart() -> Event:
    return STORY[2][1]
