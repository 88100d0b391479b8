"""``python -m services.dispatcher``: the dispatcher until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal

import uvloop

from services.dispatcher.app import run
from services.dispatcher.settings import DispatcherSettings
from shared.entry import run_main
from shared.logs import configure_logging


async def _run_until_signal(settings: DispatcherSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await run(settings, os.environ, stop)


def main() -> None:
    """Read the settings from the environment and run."""
    settings = DispatcherSettings()
    configure_logging(settings.log_level, settings.log_format)
    uvloop.run(_run_until_signal(settings))


if __name__ == "__main__":
    run_main(main)
