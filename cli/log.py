"""``kikkake log``: record what stands in a live system's log, and see that it is decided again the same."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO

import click

from cli.on_kafka import reach
from cli.recording import RECORDED, Recorder, read_recording
from shared.errors import ConfigurationError
from shared.journeys.files import load_definitions
from shared.messages.topics import JOURNEYS
from shared.wording import counted

_SHOWN = 20
"""Differences that are printed: one slip makes many."""


@click.group()
def log() -> None:
    """Record the log of a live system, and check that it is decided again the same."""


@log.command()
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The file to write.")
@click.option(
    "--data",
    default=None,
    type=click.Path(path_type=Path),
    help="Data folder of `kikkake dev`; without it Kafka is read, with the settings KIKKAKE_*.",
)
@click.option("--force", is_flag=True, help="Replace the file when it exists.")
def record(out: Path, data: Path | None, *, force: bool) -> None:
    """Write events, journal, commands and cancels of a live system to --out, and disturb nothing."""
    if out.exists() and not force:
        raise ConfigurationError(f"{out} exists already; name another file with --out, or replace it with --force")
    with _whole_file(out) as file:
        recorder = Recorder(file)
        if data is None:
            asyncio.run(_record_kafka(recorder))
        else:
            _record_folder(recorder, data)
    click.echo(counted(recorder.records, "record"))


@log.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--journeys", "folder", default="journeys", show_default=True, type=click.Path(path_type=Path))
def check(file: Path, folder: Path) -> None:
    """Decide the recording FILE again and compare each decision byte for byte; exit 1 if one differs."""
    from cli.simulator.agreement import compare  # noqa: PLC0415 - only this command needs its packages

    with file.open("rb") as lines:
        found = compare(load_definitions(folder), read_recording(str(file), lines))
    for partition in found.beginnings_missing:
        click.echo(f"{partition}: its beginning is gone, so what depends on it cannot be compared", err=True)
    shown = found.differences[:_SHOWN]
    recorded = _records_at(file, {difference.line for difference in shown if difference.line is not None})
    for difference in shown:
        click.echo(str(difference), err=True)
        if difference.line in recorded:
            click.echo(f"  recorded  {recorded[difference.line]}", err=True)
        if difference.decided is not None:
            click.echo(f"  decided   {difference.decided}", err=True)
    if len(found.differences) > _SHOWN:
        click.echo(f"… and {len(found.differences) - _SHOWN} more", err=True)
    if found.differences and not found.alike:
        click.echo(
            f"nothing is decided as it was recorded: perhaps these journeys ({folder}) are not those that ran;"
            " name their folder with --journeys",
            err=True,
        )
    click.echo(
        f"{counted(found.events, 'record')} of events: {counted(found.decisions, 'decision')}, "
        f"{counted(found.commands, 'command')}, {counted(found.cancels, 'cancel')}, "
        f"{counted(found.emitted, 'emitted event')} decided the same"
    )
    click.echo(
        f"{found.repeated} repeated, {found.withdrawn} withdrawn, {found.open} not recorded yet, "
        f"{found.put_aside} put aside, {counted(len(found.differences), 'difference')}"
    )
    sys.exit(1 if found.differences else 0)


def _records_at(file: Path, numbers: set[int]) -> dict[int | None, str]:
    """Return what stands in these lines of the recording; it is read again, since a comparison holds no records."""
    from cli.simulator.agreement import text_of  # noqa: PLC0415 - only this command needs its packages

    if not numbers:
        return {}
    with file.open("rb") as lines:
        records = takewhile(lambda it: it.line <= max(numbers), read_recording(str(file), lines))
        return {it.line: text_of(it.record.value) for it in records if it.line in numbers}


async def _record_kafka(recorder: Recorder) -> None:
    settings = await reach("record the log of Kafka", "the data folder of `kikkake dev` is recorded with --data")
    from shared.kafka.reader import KafkaLogReader  # noqa: PLC0415 - optional: the packages of Kafka

    reader = KafkaLogReader(settings.kafka_bootstrap, prefix=settings.topic_prefix)
    for partition in range(settings.partitions):
        for topic in RECORDED:
            if topic == JOURNEYS and partition:
                continue  # it has one partition
            async with aclosing(reader.read_all(topic, partition)) as batches:
                async for batch in batches:
                    recorder.write(topic, partition, batch)


def _record_folder(recorder: Recorder, folder: Path) -> None:
    from services.standalone.storage.snapshot import open_snapshot  # noqa: PLC0415 - only this needs its packages

    with open_snapshot(folder) as snapshot:
        for topic in RECORDED:
            recorder.write(topic, 0, snapshot.read(topic))


@contextmanager
def _whole_file(path: Path) -> Iterator[BinaryIO]:
    """Give a file that takes the name ``path`` once it is whole; what is in it is personal data."""
    part = path.with_name(f"{path.name}.part")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123 - its mode
            yield file
        part.replace(path)
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}; name another file with --out") from error
    finally:
        part.unlink(missing_ok=True)
