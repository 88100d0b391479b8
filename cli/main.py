"""The ``kikkake`` command."""

from __future__ import annotations

import click

from cli.bounce import bounce
from cli.dead_letters import dead_letters
from cli.demo.command import demo
from cli.dev import dev
from cli.flow import flow
from cli.importing.command import import_
from cli.journeys import journeys
from cli.lint import lint
from cli.log import log
from cli.published import drain, list_journeys, publish, stop
from cli.run import run
from cli.templates.command import templates
from shared.entry import run_main
from shared.version import VERSION


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION)
def cli() -> None:
    """Real-time trigger marketing: decided at the event, exact timers, every decision made once."""


cli.add_command(bounce)
cli.add_command(dead_letters)
cli.add_command(demo)
cli.add_command(dev)
cli.add_command(import_)
cli.add_command(journeys)
journeys.add_command(flow)
journeys.add_command(lint)
for order in (publish, drain, stop, list_journeys):
    journeys.add_command(order)
cli.add_command(log)
cli.add_command(run)
cli.add_command(templates)


def main() -> None:
    """Run the command; an error of ours is one clear text and exit code 1, never a traceback."""
    run_main(cli)
