"""Plays the day: a standalone host with a clock sped up, and calls through its HTTP port at their time."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path

import httpx2
import msgspec

from cli.demo.shop import Call, Visitor, a_day, last_moment
from cli.demo.smtp import smtp_server
from services.standalone.app import Standalone, compose, listen, serve
from services.standalone.settings import StandaloneSettings
from services.standalone.storage.log import PARTITION
from shared.clock import DAY, Clock, system_clock
from shared.journeys.surroundings import require_folder
from shared.messages import codec
from shared.messages.journal import JournalRecord
from shared.messages.topics import JOURNAL

WRITE_KEY = "demo"
PLAYED = ("cart_abandonment", "order_confirmation")
"""The journeys of the day, by id. The other recipes have stories of weeks, and would make a day's table unreadable."""
_PATIENCE = 30.0


class Played(msgspec.Struct, frozen=True):
    """What happened: who came, how many events they sent, every decision, and who the SMTP server got mail for."""

    visitors: list[Visitor]
    events: int
    journal: list[JournalRecord]
    recipients: list[str]
    opening: int


async def play(
    folder: Path, journeys: Path, speed: float, seed: int, progress: Callable[[int, int, int], None]
) -> Played:
    """Play the day in ``folder``; ``progress`` hears the journey time, its start and its end now and then."""
    # Journey time starts at the next midnight but one, so that it lies ahead of the clock that stamped the new folder.
    opening = (system_clock() // DAY + 2) * DAY
    visitors, calls = a_day(opening, seed)
    begin, end = calls[0].at - 60_000, last_moment(opening)
    async with smtp_server() as smtp:
        settings = StandaloneSettings(
            port=0,
            durability="process",
            data=folder,
            journeys=_chosen(journeys, folder / "journeys"),
            speed=speed,
            smtp=smtp.url,
            write_keys=(WRITE_KEY,),
            start=begin,
        )
        listener = listen(settings.host, settings.port)
        host = compose(settings)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        serving = asyncio.create_task(serve(host, listener))
        ticking = asyncio.create_task(_report(host.clock, begin, end, progress))
        try:
            await _post_all(url, calls, host.clock, speed)
            await _until(host.clock, end, speed)
            await _settled(host)
            journal = _journal(host)
        finally:
            ticking.cancel()
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving
        return Played(visitors, len(calls), journal, smtp.recipients, opening)


def _chosen(journeys: Path, folder: Path) -> Path:
    """Copy ``journeys`` to ``folder`` without the journeys that are not played, and return it.

    Raises ConfigurationError when there is no such folder.
    """
    require_folder(journeys)
    shutil.copytree(journeys, folder)
    for file in folder.glob("*.yaml"):
        if file.stem not in (*PLAYED, "workspace", "catalogue"):
            file.unlink()
    return folder


async def _post_all(url: str, calls: list[Call], clock: Clock, speed: float) -> None:
    """Let every visitor make its calls, each at its time."""
    visits: dict[str, list[Call]] = {}
    for call in calls:
        visits.setdefault(call.body["userId"], []).append(call)
    async with (
        httpx2.AsyncClient(base_url=url, auth=(WRITE_KEY, ""), timeout=30) as client,
        asyncio.TaskGroup() as shop,
    ):
        for visit in visits.values():
            shop.create_task(_visit(client, visit, clock, speed))


async def _visit(client: httpx2.AsyncClient, visit: list[Call], clock: Clock, speed: float) -> None:
    for call in visit:
        await _until(clock, call.at, speed)
        answer = await client.post(f"/v1/{call.path}", json=call.body)
        answer.raise_for_status()


async def _until(clock: Clock, at: int, speed: float) -> None:
    while (left := at - clock()) > 0:
        await asyncio.sleep(left / 1000 / speed)


async def _settled(host: Standalone) -> None:
    """Wait until every message that was decided has its outcome."""
    async with asyncio.timeout(_PATIENCE):
        while host.evaluation.runner.processor.unsettled:
            await asyncio.sleep(0.05)


def _journal(host: Standalone) -> list[JournalRecord]:
    records = host.log.read(JOURNAL, PARTITION, 1, host.log.end(JOURNAL, PARTITION))
    return [codec.JOURNAL.decode(record.value) for record in records]


async def _report(clock: Clock, begin: int, end: int, progress: Callable[[int, int, int], None]) -> None:
    while True:
        progress(clock(), begin, end)
        await asyncio.sleep(0.1)
