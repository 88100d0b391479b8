"""A partition's changelog under crashes, retries and a second owner: no output lost, none conflicting, rows right."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.evaluator.changelog import partition as partition_module
from services.evaluator.changelog.image import Image
from services.evaluator.changelog.partition import FencedError, PartitionChangelog, open_partition
from services.evaluator.changelog.records import (
    CLAIM,
    OUTBOX,
    SLOTS,
    Claim,
    Stamp,
    contact_record_key,
    encode_claim,
    stamp_of,
)
from services.evaluator.core.catalog import build_catalog
from services.evaluator.epoch import Epoch
from services.evaluator.meta import Meta, decode_meta
from services.evaluator.processor import PartitionProcessor
from services.evaluator.rows import decode_row
from shared.log import LogRecord, LogUnavailableError, Output
from shared.messages import codec
from shared.messages.event import Event, Tick
from tests.builders import a_journey, a_record, an_event, at, consented, identified
from tests.fakes import MemoryChangelog
from tests.oracle import judge

Step = Callable[[], Awaitable[None]]

# ---- what happens in the source -----------------------------------------------------------------------------------

JOURNEYS = (a_journey(),)


def the_events() -> list[LogRecord]:
    """Two contacts: both get a reminder, one then buys; the other gets its second and last."""
    found: list[tuple[Event | Tick, int, str | None]] = []
    for contact in ("u:1", "u:2"):
        found += [
            (identified(at("08:00"), email=f"{contact}@example.jp"), at("08:00"), contact),
            (consented(at("08:00"), "cart_reminders"), at("08:00"), contact),
            (an_event("Product Added", at("10:00"), name="Kettle"), at("10:00"), contact),
        ]
    found += [
        (Tick(partition=0), at("10:46"), None),
        (an_event("Order Completed", at("10:50"), total=5), at("10:50"), "u:1"),
        (Tick(partition=0), at("10:46", day=1), None),
        (an_event("Product Added", at("12:00", day=4), name="Teapot"), at("12:00", day=4), "u:1"),
    ]
    return [a_record(n, message, key=key, timestamp=when) for n, (message, when, key) in enumerate(found)]


EVENTS = the_events()
VERDICT = judge(JOURNEYS, EVENTS)
CATALOG = build_catalog(JOURNEYS)


# ---- the parts around the changelog -------------------------------------------------------------------------------


async def at_once() -> None:
    return None


class Topics:
    """What was published, by whomever."""

    def __init__(self) -> None:
        self.outputs: list[Output] = []

    def publisher(self, step: Step) -> Publisher:
        return Publisher(self, step)


class Publisher:
    """Publishes one record after another, so that a crash finds some of them written."""

    def __init__(self, topics: Topics, step: Step) -> None:
        self._topics = topics
        self._step = step

    async def publish(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            await self._step()
            self._topics.outputs.append(output)
        await self._step()


class Worker:
    """Opens the partition and applies the source, two records an epoch."""

    def __init__(self, owner: str, log: MemoryChangelog, topics: Topics, step: Step = at_once) -> None:
        self._owner = owner
        self._log = log.seen_by(step)
        self._publisher = topics.publisher(step)
        self.lease = True
        self.changelog: PartitionChangelog | None = None

    async def open(self) -> PartitionChangelog:
        self.changelog = await open_partition(
            0,
            owner=self._owner,
            reader=self._log,
            writer=self._log,
            publisher=self._publisher,
            may_act=lambda: self.lease,
        )
        return self.changelog

    async def run(self, changelog: PartitionChangelog | None = None, *, upto: int = len(EVENTS)) -> None:
        changelog = changelog or await self.open()
        processor = PartitionProcessor(partition=0, catalog=CATALOG, store=changelog, incarnation="source")
        while processor.meta.next_offset < upto or processor.has_due:
            begin = processor.meta.next_offset
            for epoch in (
                processor.process(EVENTS[begin : min(begin + 2, upto)], caught_up=True),
                processor.fire(1, caught_up=True),
            ):
                if not epoch.empty:
                    await changelog.save(epoch)
            await changelog.repair()

    def look(self) -> None:
        """Read the tail, as ``ChangelogTail`` does beside the work."""
        if self.changelog is not None:
            for record in list(self._log.records):
                if record.offset >= self.changelog.next_offset:
                    self.changelog.observe(record)


def the_messages(outputs: Iterable[Output], topic: str, decoder: codec.Decoder[Any], name: str) -> dict[str, Any]:
    """Return what is on ``topic`` by id; two of one id with different contents are an error."""
    found: dict[str, Any] = {}
    for output in outputs:
        if output.topic == topic:
            message = decoder.decode(output.value)
            assert message == found.setdefault(getattr(message, name), message)
    return found


def check_outputs(topics: Topics) -> None:
    """Check that nothing is missing, nothing is there that was not decided, and nothing conflicts."""
    outputs = topics.outputs
    assert {it.id: it for it in VERDICT.journal} == the_messages(outputs, "journal", codec.JOURNAL, "id")
    commands = the_messages(outputs, "commands", codec.COMMANDS, "command_id")
    assert {it.command_id: it for it in VERDICT.commands} == commands
    cancels = the_messages(outputs, "cancels", codec.CANCELS, "command_id")
    assert {it.command_id: it for it in VERDICT.cancels} == cancels


def check_rows(changelog: PartitionChangelog) -> None:
    """Check that the rows are the oracle's and that rows and cursor agree."""
    assert VERDICT.states == {contact: decode_row(value).state for contact, value in changelog.scan()}
    meta = decode_meta(changelog.load_meta() or b"")
    assert len(EVENTS) == meta.next_offset == meta.counters.records
    assert len(VERDICT.journal) == meta.counters.decisions


@pytest.fixture(autouse=True, scope="module")
def no_rest() -> Any:
    """Nobody waits before trying again."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(partition_module, "_RETRY", 0)
        yield


# ---- one owner ----------------------------------------------------------------------------------------------------


def an_epoch(number: int, **rows: bytes) -> Epoch:
    outputs = (Output("journal", b"k", str(number).encode()),)
    meta = Meta(epoch=number, next_offset=number, log_time=number)
    return Epoch({f"u:{name}": value for name, value in rows.items()}, outputs, meta, 1)


async def opened(log: MemoryChangelog, topics: Topics, owner: str = "a") -> PartitionChangelog:
    return await Worker(owner, log, topics).open()


async def test_a_new_partition_is_claimed_and_empty() -> None:
    log = MemoryChangelog()
    changelog = await opened(log, Topics())
    assert ([], None, None) == (list(changelog.scan()), changelog.load_meta(), changelog.load("u:1"))
    assert [(CLAIM, 1)] == [(record.key, stamp_of(record).term) for record in log.records]


async def test_what_was_saved_is_restored() -> None:
    log, topics = MemoryChangelog(), Topics()
    changelog = await opened(log, topics)
    await changelog.save(an_epoch(1, a=b"1", b=b"1"))
    await changelog.save(an_epoch(2, a=b"2"))
    again = await opened(log, topics, "b")
    for it in (changelog, again):
        assert [("u:a", b"2"), ("u:b", b"1")] == sorted(it.scan())
        assert (b"2", None) == (it.load("u:a"), it.load("u:never"))
    meta = decode_meta(again.load_meta() or b"")
    assert (2, 2, 1) == (meta.epoch, meta.next_offset, meta.term)


async def test_an_epoch_is_one_batch_that_carries_term_and_epoch() -> None:
    log = MemoryChangelog()
    changelog = await opened(log, Topics())
    await changelog.save(an_epoch(7, a=b"1"))
    assert [(b"c:u:a", b"o:7", b"m")] == [tuple(record.key for record in log.records[1:])]
    assert {Stamp(1, 7)} == {stamp_of(record) for record in log.records[1:]}


async def test_outputs_follow_once_the_epoch_is_durable() -> None:
    log, topics = MemoryChangelog(), Topics()
    seen: list[int] = []

    async def step() -> None:
        seen.append(len(log.records))

    worker = Worker("a", log, topics)
    worker._publisher = topics.publisher(step)
    await (await worker.open()).save(an_epoch(1, a=b"1"))
    assert [4, 4] == seen


async def test_outputs_that_may_be_missing_are_sent_again_in_order() -> None:
    log, topics = MemoryChangelog(), Topics()
    changelog = await opened(log, topics)
    for number in range(1, 20):
        await changelog.save(an_epoch(number))
    published = [output.value for output in topics.outputs]
    assert [str(number).encode() for number in range(1, 20)] == published
    again = await opened(log, topics, "b")
    # Whether the last epoch's were acknowledged stands nowhere yet; of all before it the cursor says so.
    assert [b"19"] == [output.value for output in topics.outputs[19:]]
    await again.save(an_epoch(20))
    assert 19 == decode_meta(again.load_meta() or b"").acknowledged


async def test_a_partition_that_is_given_up_leaves_nothing_to_send_again() -> None:
    log, topics = MemoryChangelog(), Topics()
    changelog = await opened(log, topics)
    await changelog.close()
    assert 1 == len(log.records)
    await changelog.save(an_epoch(1, a=b"1"))
    await changelog.close()
    await changelog.close()
    assert 5 == len(log.records)
    await opened(log, topics, "b")
    assert 1 == len(topics.outputs)


async def test_outboxes_use_sixteen_keys() -> None:
    log = MemoryChangelog()
    changelog = await opened(log, Topics())
    for number in range(1, 50):
        await changelog.save(an_epoch(number))
    assert SLOTS == len({record.key for record in log.records if (record.key or b"").startswith(OUTBOX)})


async def test_compaction_makes_no_difference() -> None:
    log, topics = MemoryChangelog(), Topics()
    await Worker("a", log, topics).run()
    whole = len(log.records)
    log.compact(lag=5)
    assert len(log.records) < whole
    check_rows(await opened(log, topics, "b"))
    check_outputs(topics)


async def test_without_the_lease_nothing_is_written_and_a_higher_claim_ends_the_wait() -> None:
    log, topics = MemoryChangelog(), Topics()
    worker = Worker("a", log, topics)
    changelog = await worker.open()
    worker.lease = False
    saving = asyncio.create_task(changelog.save(an_epoch(1, a=b"1")))
    for _ in range(10):
        await asyncio.sleep(0)
    assert 1 == len(log.records)
    await opened(log, topics, "b")
    worker.look()
    with pytest.raises(FencedError):
        await saving
    assert (2, []) == (len(log.records), topics.outputs)


async def test_an_epoch_that_was_not_written_is_not_in_the_image() -> None:
    """Else a repair, or the note at the end, would write parts of it without the rest."""
    log, topics = MemoryChangelog(), Topics()
    changelog = await opened(log, topics)
    await changelog.save(an_epoch(1, a=b"1"))
    changelog.fenced = True
    with pytest.raises(FencedError):
        await changelog.save(an_epoch(2, a=b"2"))
    assert (b"1", 1) == (changelog.load("u:a"), decode_meta(changelog.load_meta() or b"").epoch)


async def test_a_repair_and_an_epoch_never_overlap() -> None:
    """A repair that was begun before an epoch and ends after it would put an older row behind a newer one."""
    log, topics = MemoryChangelog(), Topics()
    refused = [LogUnavailableError()]
    waiting = asyncio.Event()

    async def step() -> None:
        if waiting.is_set() and refused:
            raise refused.pop()

    worker = Worker("a", log, topics, step)
    changelog = await worker.open()
    await changelog.save(an_epoch(1, a=b"old"))
    log.records.append(LogRecord(9, 0, contact_record_key("u:a"), b"stale", tuple(Stamp(0, 0).headers())))
    worker.look()
    waiting.set()
    await asyncio.gather(changelog.repair(), changelog.save(an_epoch(2, a=b"new")))
    assert b"new" == (await opened(log, topics, "b")).load("u:a")


async def test_what_is_overwritten_during_a_repair_is_repaired_again() -> None:
    log, topics = MemoryChangelog(), Topics()
    stale = [contact_record_key("u:a")]

    def overwrite() -> None:
        offset = log.records[-1].offset + 1
        log.records.append(LogRecord(offset, 0, stale[0], b"stale", tuple(Stamp(0, 0).headers())))
        worker.look()

    async def step() -> None:
        if repairing and log.records[-1].value == b"good":
            repairing.clear()
            overwrite()

    repairing: list[bool] = []
    worker = Worker("a", log, topics, step)
    changelog = await worker.open()
    await changelog.save(an_epoch(1, a=b"good"))
    overwrite()
    repairing.append(True)
    assert 1 == await changelog.repair()
    assert 1 == await changelog.repair()
    assert 0 == await changelog.repair()
    log.compact(lag=0)
    assert b"good" == (await opened(log, topics, "b")).load("u:a")


async def test_a_foreign_record_is_passed_over_and_repaired() -> None:
    """Not by the restart that it would cause again and again: by who finds it, in the tail or when restoring."""
    log, topics = MemoryChangelog(), Topics()
    worker = Worker("a", log, topics)
    changelog = await worker.open()
    await changelog.save(an_epoch(1, a=b"good"))
    log.records.append(LogRecord(9, 0, contact_record_key("u:a"), None))
    worker.look()
    assert not changelog.fenced
    assert 1 == await changelog.repair()
    log.records.append(LogRecord(11, 0, contact_record_key("u:a"), b"foreign"))
    await opened(log, topics, "b")
    log.compact(lag=0)
    assert b"good" == (await opened(log, topics, "c")).load("u:a")


async def test_a_repair_that_was_cut_off_is_made_up_for() -> None:
    log, topics = MemoryChangelog(), Topics()
    worker = Worker("a", log, topics)
    changelog = await worker.open()
    await changelog.save(an_epoch(1, a=b"good"))
    log.records.append(LogRecord(9, 0, contact_record_key("u:a"), b"stale", tuple(Stamp(0, 0).headers())))
    worker.look()
    worker.lease = False
    repairing = asyncio.create_task(changelog.repair())
    await asyncio.sleep(0)
    repairing.cancel()
    await asyncio.gather(repairing, return_exceptions=True)
    worker.lease = True
    assert 1 == await changelog.repair()


# ---- a crash between any two steps --------------------------------------------------------------------------------


class CrashError(Exception):
    """The process ends here."""


def crash_at(number: int, error: Exception) -> Step:
    left = [number]

    async def step() -> None:
        left[0] -= 1
        if left[0] == -1:
            raise error

    return step


async def crashed(worker: Worker) -> bool:
    try:
        await worker.run()
    except (CrashError, LogUnavailableError):
        return True
    return False


async def test_a_crash_between_any_two_steps_loses_nothing() -> None:
    """Of restoring, claiming, sending again, saving and publishing; the next owner may crash in its turn."""
    number = 0
    while True:
        log, topics = MemoryChangelog(), Topics()
        if not await crashed(Worker("a", log, topics, crash_at(number, CrashError()))):
            break
        for second in range(8):
            copied, outputs = MemoryChangelog(), Topics()
            copied.records += log.records
            outputs.outputs += topics.outputs
            await crashed(Worker("b", copied, outputs, crash_at(second, CrashError())))
            last = Worker("c", copied, outputs)
            await last.run()
            check_outputs(outputs)
            check_rows(await opened(copied, outputs, "d"))
        number += 1
    assert number > 30


async def test_a_log_that_does_not_answer_once_at_any_step_loses_nothing() -> None:
    """What was to be written may be there or not: it is written again."""
    for number in range(40):
        log, topics = MemoryChangelog(), Topics()
        step = crash_at(number, LogUnavailableError())
        worker = Worker("a", log, topics, step)
        if await crashed(worker):
            # Only opening gives up; its caller opens again.
            assert worker.changelog is None
            await Worker("b", log, topics, step).run()
        check_outputs(topics)
        check_rows(await opened(log, topics, "c"))


# ---- two owners ---------------------------------------------------------------------------------------------------


class Turns:
    """Lets workers go on one step at a time, in the order that the test says."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[None]] = {}

    def of(self, name: str) -> Step:
        async def step() -> None:
            self._waiting[name] = asyncio.get_running_loop().create_future()
            await self._waiting[name]

        return step

    async def play(
        self, works: dict[str, Coroutine[Any, Any, None]], order: Iterable[str], others: dict[str, Callable[[], None]]
    ) -> dict[str, BaseException | None]:
        """Run ``works`` to their ends and return what each raised; ``others`` are done when their name comes up."""
        tasks = {name: asyncio.create_task(work) for name, work in works.items()}
        for name in order:
            if name in others:
                others[name]()
            else:
                await self._go(name, tasks[name])
        while not all(task.done() for task in tasks.values()):
            for name, task in tasks.items():
                await self._go(name, task)
        return {name: task.exception() for name, task in tasks.items()}

    async def _go(self, name: str, task: asyncio.Task[None]) -> None:
        while not task.done() and name not in self._waiting:
            await asyncio.sleep(0)
        if name in self._waiting:
            self._waiting.pop(name).set_result(None)
        while not task.done() and name not in self._waiting:
            await asyncio.sleep(0)


PROFILE = settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@PROFILE
@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=40))
def test_of_workers_that_open_at_once_exactly_one_keeps_the_partition(order: list[str]) -> None:
    asyncio.run(open_at_once(order))


async def open_at_once(order: list[str]) -> None:
    log, topics, turns = MemoryChangelog(), Topics(), Turns()
    await Worker("first", log, topics).run(upto=4)
    workers = {name: Worker(name, log, topics, turns.of(name)) for name in "abc"}

    async def open_one(worker: Worker) -> None:
        await worker.open()

    raised = await turns.play({name: open_one(it) for name, it in workers.items()}, order, {})
    assert {None} == set(raised.values())
    for worker in workers.values():
        worker.look()
    kept = [name for name, it in workers.items() if it.changelog is not None and not it.changelog.fenced]
    image = Image()
    for record in log.records:
        image.apply(record)
    assert image.claim is not None
    assert [image.claim.owner] == kept
    for name, worker in workers.items():
        if name not in kept and worker.changelog is not None:
            before = len(log.records)
            with pytest.raises(FencedError):
                await worker.changelog.save(an_epoch(99, a=b"stale"))
            await worker.changelog.close()
            assert before == len(log.records)


@settings(PROFILE, max_examples=800)
@given(
    st.integers(0, len(EVENTS)),
    st.lists(st.sampled_from(["old", "old", "new", "new", "old looks", "new looks"]), min_size=20, max_size=120),
    st.one_of(st.none(), st.integers(0, 40)),
    st.integers(0, 30),
)
def test_an_old_owner_that_goes_on_beside_a_new_one_does_no_harm(
    done: int, order: list[str], crash: int | None, lag: int
) -> None:
    """Its lease failed to stop it, and it hears late of the new claim; the new owner may crash as well."""
    asyncio.run(beside(done, order, crash, lag))


async def beside(done: int, order: list[str], crash: int | None, lag: int) -> None:
    log, topics, turns = MemoryChangelog(), Topics(), Turns()
    turn, fails = turns.of("new"), crash_at(-1 if crash is None else crash, CrashError())

    async def new_step() -> None:
        await turn()
        await fails()

    await Worker("before", log, topics).run(upto=done)
    old = Worker("old", log, topics, turns.of("old"))
    opening = asyncio.create_task(old.open())
    while not opening.done():
        await turns._go("old", opening)  # type: ignore[arg-type]  # what it returns is not asked for
    new = Worker("new", log, topics, new_step)
    raised = await turns.play(
        {"old": old.run(opening.result()), "new": new.run()},
        order,
        {"old looks": old.look, "new looks": new.look},
    )
    assert isinstance(raised["old"], FencedError | None)
    assert isinstance(raised["new"], CrashError | None)
    last = Worker("last", log, topics)
    await last.run()
    assert last.changelog is not None
    last.look()
    await last.changelog.repair()
    check_outputs(topics)
    check_rows(last.changelog)
    log.compact(lag)
    check_rows(await opened(log, topics, "again"))


async def test_a_stale_writers_rows_are_repaired_by_the_tail() -> None:
    log, topics = MemoryChangelog(), Topics()
    old, new = Worker("old", log, topics), Worker("new", log, topics)
    changelog = await old.open()
    await old.run(changelog, upto=6)
    current = await new.open()
    await changelog.save(msgspec.structs.replace(an_epoch(50), rows={"u:1": b"stale", "u:never": b"stale"}, outputs=()))
    new.look()
    assert 3 == await current.repair()
    assert 0 == await current.repair()
    log.compact(lag=0)
    again = await opened(log, topics, "again")
    assert ["u:1", "u:2"] == sorted(contact for contact, _ in again.scan())
    assert 6 == decode_meta(again.load_meta() or b"").next_offset
    old.look()
    with pytest.raises(FencedError):
        await changelog.save(an_epoch(51))


async def test_a_claim_behind_ours_is_left_to_the_tail() -> None:
    """To claim above it would take the partition from its rightful owner, and back, and so on."""
    log, topics, turns = MemoryChangelog(), Topics(), Turns()
    slow = Worker("slow", log, topics, turns.of("slow"))
    opening = asyncio.create_task(slow.open())
    for _ in range(3):
        await turns._go("slow", opening)  # type: ignore[arg-type]  # what it returns is not asked for
    rightful = Worker("rightful", log, topics)
    await rightful.open()
    while not opening.done():
        await turns._go("slow", opening)  # type: ignore[arg-type]  # what it returns is not asked for
    slow.look()
    rightful.look()
    assert (True, False) == (opening.result().fenced, rightful.changelog is None or rightful.changelog.fenced)
    assert [1, 2] == [stamp_of(record).term for record in log.records]


async def test_a_claim_of_the_same_term_that_stands_before_ours_is_outbid() -> None:
    log, topics, turns = MemoryChangelog(), Topics(), Turns()
    workers = {name: Worker(name, log, topics, turns.of(name)) for name in ("a", "b")}

    async def open_one(worker: Worker) -> None:
        await worker.open()

    await turns.play({name: open_one(it) for name, it in workers.items()}, ["a", "b"] * 20, {})
    assert [1, 1, 2] == [stamp_of(record).term for record in log.records]
    for worker in workers.values():
        worker.look()
    fenced = [worker.changelog is None or worker.changelog.fenced for worker in workers.values()]
    assert [True, False] == fenced


async def test_what_a_stale_writer_left_is_repaired_when_the_partition_is_opened() -> None:
    """Its owner died before it could."""
    log, topics = MemoryChangelog(), Topics()
    stale = await opened(log, topics, "stale")
    await stale.save(an_epoch(1, a=b"good"))
    await opened(log, topics, "owner")
    await stale.save(an_epoch(2, a=b"stale"))
    await opened(log, topics, "next")
    log.compact(lag=0)
    assert b"good" == (await opened(log, topics, "again")).load("u:a")


async def test_another_claim_of_our_term_behind_ours_does_not_fence_us() -> None:
    """Its owner reads ours before its own and claims above it; only that fences us."""
    log, topics = MemoryChangelog(), Topics()
    worker = Worker("a", log, topics)
    changelog = await worker.open()
    await log.append(0, [(CLAIM, encode_claim(Claim(1, "b")))], Stamp(1, 0))
    worker.look()
    assert (False, 2) == (changelog.fenced, changelog.next_offset)
    await log.append(0, [(CLAIM, encode_claim(Claim(2, "b")))], Stamp(2, 0))
    worker.look()
    assert (True, 3) == (changelog.fenced, changelog.next_offset)
