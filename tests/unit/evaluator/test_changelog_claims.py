"""A partition's changelog under a second owner: one keeps it, what the other still writes does no harm."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.evaluator.changelog.image import Image
from services.evaluator.changelog.ports import FencedError
from services.evaluator.changelog.records import CLAIM, Claim, Stamp, contact_record_key, encode_claim, stamp_of
from services.evaluator.changelog.rows import MemoryRows
from services.evaluator.meta import decode_meta
from tests.fakes import MemoryChangelog
from tests.unit.evaluator.changelog_workers import (
    EVENTS,
    CrashError,
    Step,
    Topics,
    Worker,
    an_epoch,
    check_outputs,
    check_rows,
    crash_at,
    opened,
)

pytestmark = pytest.mark.usefixtures("no_rest")


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
    image = Image(MemoryRows(), "")
    image.apply(log.records)
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
    assert (False, 2) == (changelog.fenced, changelog.image.next_offset)
    await log.append(0, [(CLAIM, encode_claim(Claim(2, "b")))], Stamp(2, 0))
    worker.look()
    assert (True, 3) == (changelog.fenced, changelog.image.next_offset)


async def test_our_own_records_are_not_read_back_and_what_stands_between_them_is() -> None:
    log, topics = MemoryChangelog(), Topics()
    changelog = await opened(log, topics)
    for number in (1, 2):
        await changelog.save(an_epoch(number, a=b"ours"))
        assert changelog.unread(log.records[-1].offset + 1) is None
    foreign = await log.append(0, [(contact_record_key("u:a"), b"stale")], Stamp(0, 0))
    assert foreign == changelog.unread(foreign + 1), "behind our last one"
    await changelog.save(an_epoch(3, a=b"ours"))
    end = log.records[-1].offset + 1
    assert foreign == changelog.unread(end) == changelog.unread(foreign), "before our last one"
    changelog.observe(log.records[foreign])
    assert (None, {contact_record_key("u:a")}) == (changelog.unread(end), changelog.image.overwritten)


async def test_what_has_been_compacted_away_is_not_looked_for_again() -> None:
    log, topics = MemoryChangelog(), Topics()
    changelog = await opened(log, topics)
    foreign = await log.append(0, [(b"c:gone", b"stale")], Stamp(0, 0))
    await changelog.save(an_epoch(1, a=b"ours"))
    assert foreign == changelog.unread(foreign + 4)
    changelog.looked(foreign + 4)
    assert changelog.unread(foreign + 4) is None


async def test_a_batch_of_ours_on_its_way_is_not_taken_for_anothers() -> None:
    ends: list[int | None] = []
    log, topics = MemoryChangelog(), Topics()

    async def step() -> None:
        if worker.changelog is not None and log.records:
            ends.append(worker.changelog.unread(log.records[-1].offset + 1))

    worker = Worker("a", log, topics, step)
    changelog = await worker.open()
    await changelog.save(an_epoch(1, a=b"ours"))
    assert {None} == {*ends}
