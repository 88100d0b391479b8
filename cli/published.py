"""``kikkake journeys publish``, ``drain``, ``stop`` and ``list``: orders to a running system on Kafka."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path

import click

from cli.on_kafka import reach
from shared.clock import system_clock, to_iso
from shared.journeys.files import load_definitions
from shared.journeys.published import Published
from shared.log import Output
from shared.messages import codec
from shared.messages.journeys import JourneyRecord, Order, OrderKind
from shared.messages.topics import INCARNATION_KEY, JOURNEYS
from shared.settings import KafkaSettings

Say = Callable[[Published], Sequence[JourneyRecord]]
_BY = click.option("--by", default=None, help="Who orders it; default: the user of this shell.")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@_BY
def publish(folder: Path, by: str | None) -> None:
    """Publish the journeys of FOLDER: workers take them up without a restart, runs stay on their version.

    What is live as it is stays as it is, so that this may be repeated.
    """
    defined = load_definitions(folder)
    _order(lambda known: known.publication(defined, at=system_clock(), by=by or _user()), create=True)


@click.command()
@click.argument("journey")
@_BY
def drain(journey: str, by: str | None) -> None:
    """Let nobody enter JOURNEY any more; its runs go on to their end."""
    _order(lambda known: known.order(journey, "drain", at=system_clock(), by=by or _user()))


@click.command()
@click.argument("journey")
@_BY
def stop(journey: str, by: str | None) -> None:
    """End JOURNEY: nobody enters, its runs end, and what they had decided to send is called back."""
    _order(lambda known: known.order(journey, "stop", at=system_clock(), by=by or _user()))


@click.command("list")
def list_journeys() -> None:
    """Print what is published: journey, version, state, since when and by whom."""
    known = asyncio.run(_known())
    for _, order in sorted(known.orders.values(), key=lambda one: one[1].journey):
        click.echo(_line(order))


_STATES: dict[OrderKind, str] = {"publish": "live", "drain": "draining", "stop": "stopped"}


def _line(order: Order) -> str:
    by = f" by {order.by}" if order.by else ""
    return f"{order.journey}@{order.version} {_STATES[order.order]} since {to_iso(order.at)}{by}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return ""


def _order(say: Say, *, create: bool = False) -> None:
    records = asyncio.run(_publish(say, create=create))
    orders = [record for record in records if isinstance(record, Order)]
    for order in orders:
        click.echo(_line(order))
    if not orders:
        click.echo("nothing to do: it is so already")


async def _reach(*, create: bool = False) -> KafkaSettings:
    task = "read or change what is published on Kafka"
    return await reach(task, "`kikkake dev` has the journeys of its folder and takes no orders", create=create)


async def _known() -> Published:
    return await _read(await _reach())


async def _publish(say: Say, *, create: bool) -> Sequence[JourneyRecord]:
    """Append what ``say`` makes of what is known, definitions first, and return it."""
    settings = await _reach(create=create)
    from shared.kafka.publisher import KafkaPublisher  # noqa: PLC0415 - optional: the packages of Kafka

    records = say(await _read(settings))
    publisher = KafkaPublisher(
        settings.kafka_bootstrap, prefix=settings.topic_prefix, partitions=settings.partitions, client_id="kikkake-cli"
    )
    await publisher.start()
    try:
        await publisher.publish([Output(JOURNEYS, record.key.encode(), codec.encode(record)) for record in records])
    finally:
        await publisher.stop()
    return records


async def _read(settings: KafkaSettings) -> Published:
    from shared.kafka.reader import KafkaLogReader  # noqa: PLC0415 - optional: the packages of Kafka

    known = Published()
    reader = KafkaLogReader(settings.kafka_bootstrap, prefix=settings.topic_prefix)
    async with aclosing(reader.read_all(JOURNEYS, 0)) as batches:
        async for batch in batches:
            for record in batch:
                if record.key != INCARNATION_KEY and record.value is not None:
                    known.take(record.offset, codec.JOURNEYS.decode(record.value))
    return known
