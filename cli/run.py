"""``kikkake run``: one service on Kafka and Redis, as its image runs it."""

from __future__ import annotations

import runpy

import click


@click.command()
@click.argument("service", type=click.Choice(["ingest", "evaluator", "dispatcher"]))
def run(service: str) -> None:
    """Run SERVICE with the settings of the environment (KIKKAKE_*)."""
    runpy.run_module(f"services.{service}", run_name="__main__")
