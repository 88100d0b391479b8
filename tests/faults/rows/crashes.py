"""R1, R3, R4: evaluators that are ended, that come and go, that are paused past their session."""

from __future__ import annotations

import asyncio
from random import Random

from shared.clock import SECOND, system_clock
from tests.faults.recovery import percentile, stalls
from tests.faults.result import Result
from tests.faults.setting import Setting
from tests.faults.site import Site
from tests.faults.workers import Worker
from tests.faults.workload import Crowd
from tests.faults.world import World, world
from tests.integration.evaluator_worker import EXIT_CODE, PLACES

_RATE = 1_500
"""Events a second; a fraction of what one evaluator takes on two cores beside a broker and the harness."""


async def r1(setting: Setting) -> Result:
    """Kill -9 of either of two evaluators, every third time inside an epoch, while events come in."""
    strikes = setting.pick(12, 75)  # at each of the two; every third is two kills
    events = setting.pick(100_000, 1_000_000)
    contacts = setting.pick(20_000, 100_000)
    async with world(setting.kafka.bootstrap, setting.random) as made:
        workers = [made.worker(name) for name in ("a", "b")]
        await asyncio.gather(*[worker.ready() for worker in workers])
        site = Site(made.env(), made.folder)
        made.processes.append(site.process)
        await site.start()

        async def strike(worker: Worker) -> None:
            for number in range(strikes):
                await _strike(made, worker, number, setting.random)
                if number % 10 == 9:
                    await site.kill()

        async def strike_both() -> None:
            async with asyncio.TaskGroup() as group:
                for worker in workers:
                    group.create_task(strike(worker))

        meanwhile = asyncio.create_task(strike_both())
        visiting = asyncio.create_task(made.visit(site, Crowd(setting.random, 1_000, "w"), meanwhile))
        await made.feed(Crowd(setting.random, contacts), _RATE, at_least=events, meanwhile=meanwhile)
        await visiting
        await made.at_rest(setting.pick(600, 3_600))
        codes = [code for worker in workers for _, code in worker.ends]
        result = Result(
            row="R1",
            findings=await made.judge(),
            figures={"kills": made.strikes, "recovery_p99_s": made.recovery_p99()},
        )
        result.require("recovery_p99_s", 5)
        result.expect(set(codes) <= {-9, EXIT_CODE}, f"an evaluator ended by itself: {sorted(set(codes))}")
        return result


async def _strike(made: World, worker: Worker, number: int, random: Random) -> None:
    """Kill ``worker`` at a moment drawn by lot, or at a place of an epoch's way; returns when it works again."""
    await worker.pending()
    if number % 3 == 2:
        place = PLACES[number // 3 % len(PLACES)]
        lives = len(worker.ends)
        made.note_strike(worker, system_clock())
        worker.die_at(place, random.randint(1, 2) if place == "claimed" else random.randint(1, 30))
        async with asyncio.timeout(300):
            while len(worker.ends) < lives + 2:
                await asyncio.sleep(0.02)
        made.note_strike(worker, worker.ends[-1][0])
    else:
        made.note_strike(worker, worker.kill())
    await asyncio.sleep(0.2)
    await worker.ready()
    await asyncio.sleep(random.random())


async def r3(setting: Setting) -> Result:
    """A member joins or leaves every five seconds: as a pod that comes up, is shut down, or is killed."""
    moves = setting.pick(4, 60)
    async with world(setting.kafka.bootstrap, setting.random) as made:
        await made.worker("a").ready()
        crowd = Crowd(setting.random, 5_000)
        begin = system_clock()

        async def come_and_go() -> None:
            for number in range(moves // 2):
                guest = made.worker(f"guest-{number}", static=False)
                await asyncio.sleep(5)
                await guest.leave()
                await asyncio.sleep(5)

        await made.feed(
            crowd, _RATE, at_least=setting.pick(10_000, 100_000), meanwhile=asyncio.create_task(come_and_go())
        )
        end = system_clock()
        await made.at_rest()
        stood = [ms for epochs in made.changelog.epochs.values() for ms in stalls(epochs, begin, end)]
        result = Result(
            row="R3",
            findings=await made.judge(),
            figures={"moves": moves, "stall_max_s": percentile(stood, 1) / SECOND},
        )
        result.require("stall_max_s", 5)
        return result


async def r4(setting: Setting) -> Result:
    """SIGSTOP for longer than the session with work in hand; another takes over; SIGCONT."""
    rounds = setting.pick(1, 10)
    async with world(setting.kafka.bootstrap, setting.random) as made:
        workers = [made.worker(name) for name in ("a", "b")]
        await asyncio.gather(*[worker.ready() for worker in workers])
        crowd = Crowd(setting.random, 2_000)

        async def pause() -> None:
            for number in range(rounds):
                await asyncio.sleep(2 * setting.random.random())
                await _pause(made, workers[number % 2])

        await made.feed(crowd, _RATE, at_least=setting.pick(10_000, 100_000), meanwhile=asyncio.create_task(pause()))
        await made.at_rest()
        result = Result(
            row="R4",
            findings=await made.judge(),
            figures={
                "pauses": rounds,
                "stale_records": made.changelog.stale,
                "recovery_p99_s": made.recovery_p99(),
            },
        )
        result.require("stale_records", 0)
        # The broker gives a member up after its session, and the others join anew.
        result.require("recovery_p99_s", made.session + 5)
        return result


async def _pause(made: World, worker: Worker) -> None:
    terms = {number: made.changelog.images[number].term for number in await worker.pending()}
    made.note_strike(worker, worker.pause())
    async with asyncio.timeout(5 * made.session):
        while any(made.changelog.images[number].term == term for number, term in terms.items()):
            await asyncio.sleep(0.05)
    await asyncio.sleep(2)
    worker.wake()
    await asyncio.sleep(1)
    await worker.ready()
