"""``kikkake demo``."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from cli.demo.play import Played, play
from cli.demo.report import mismatches, show
from shared.clock import monotonic_clock
from shared.logs import configure_logging


@click.command()
@click.option("--journeys", default="journeys", show_default=True, type=click.Path(path_type=Path))
@click.option("--speed", default=3000.0, show_default=True, type=click.FloatRange(min=1, max=5000))
@click.option("--seed", default=1, show_default=True, help="Another seed, another day.")
def demo(journeys: Path, speed: float, seed: int) -> None:
    """Play a sample shop's day and show what was sent to whom, and what was not, and why."""
    configure_logging("error", "console")
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print("[bold]きっかけ Kikkake[/] plays a shop's day: HTTP in, journeys decided, e-mail out by real SMTP.\n")
    started = monotonic_clock()
    played = _play(console, journeys, speed, seed)
    show(console, played, (monotonic_clock() - started) / 1000)
    wrong = mismatches(played)
    for line in wrong:
        console.print(f"[red]mismatch[/] {line}")
    sys.exit(1 if wrong else 0)


def _play(console: Console, journeys: Path, speed: float, seed: int) -> Played:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with tempfile.TemporaryDirectory(prefix="kikkake-demo-") as folder, Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=1.0)

        def progress(now: int, begin: int, end: int) -> None:
            clock = datetime.fromtimestamp(now / 1000, UTC).strftime("%H:%M")
            bar.update(task, completed=min(1.0, (now - begin) / (end - begin)), description=f"shop time {clock}")

        return asyncio.run(play(Path(folder), journeys, speed, seed, progress))
