"""``kikkake dev``: the whole engine in this process."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from shared.logs import configure_logging


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Port to serve on.")
@click.option("--data", default=".kikkake/data", show_default=True, type=click.Path(path_type=Path, file_okay=False))
@click.option("--journeys", default="journeys", show_default=True, type=click.Path(path_type=Path))
@click.option("--speed", default=1.0, show_default=True, type=click.FloatRange(min=0, min_open=True, max=100_000))
@click.option("--durability", default="full", show_default=True, type=click.Choice(["full", "process"]))
@click.option("--smtp", default=None, help="smtp://user:password@host:port; without it messages go to GET /v1/inbox.")
@click.option("--email-from", default="Kikkake <kikkake@localhost.localdomain>", show_default=True)
@click.option(
    "--connectors", default=None, envvar="KIKKAKE_CONNECTORS", type=click.Path(path_type=Path, dir_okay=False)
)
@click.option("--webhooks", default=None, envvar="KIKKAKE_WEBHOOKS", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--providers",
    default=None,
    envvar="KIKKAKE_PROVIDERS",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Who carries messages; channels that are not in it go to GET /v1/inbox.",
)
@click.option(
    "--public-url", default=None, envvar="KIKKAKE_PUBLIC_URL", help="Where links in messages lead to this host."
)
@click.option("--write-key", "write_keys", multiple=True, help="Accept this write key; may be repeated.")
@click.option(
    "--keys-file",
    default=None,
    envvar="KIKKAKE_KEYS_FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Sources, their keys and limits.",
)
@click.option("--admin-token", default=None, help="Use this admin token.")
@click.option("--read-token", "read_tokens", multiple=True, help="Who has it may read contacts; may be repeated.")
@click.option("--log-level", default="warning", type=click.Choice(["debug", "info", "warning", "error"]))
def dev(log_level: str, **options: Any) -> None:
    """Run everything in one process: ingest, evaluator, dispatcher; durable in --data."""
    from services.standalone.app import compose, listen, serve  # noqa: PLC0415 - only this command needs its packages
    from services.standalone.settings import StandaloneSettings  # noqa: PLC0415

    configure_logging(log_level, "console")
    # From the environment alone: arguments are seen by everybody on the machine.
    secrets = tuple(part.strip() for part in os.environ.get("KIKKAKE_LINK_SECRET", "").split(",") if part.strip())
    settings = StandaloneSettings(**options, link_secrets=secrets)

    async def live() -> None:
        listener = listen(settings.host, settings.port)
        host = compose(settings, os.environ)
        port = listener.getsockname()[1]
        click.echo(f"Kikkake serves http://{settings.host}:{port} (API: /docs, metrics: /metrics)")
        click.echo(f"journeys     {', '.join(host.journeys) or f'none: there is no *.yaml in {settings.journeys}'}")
        click.echo(f"write key    {host.credentials.write_key}")
        click.echo(f"admin token  {host.credentials.admin_token}")
        click.echo(f"messages     {_carriers(settings.smtp, settings.providers)}")
        click.echo("Stop with Ctrl-C.")
        await serve(host, listener)

    asyncio.run(live())


def _carriers(smtp: str | None, providers: Path | None) -> str:
    """Return who carries messages."""
    named = [*([str(providers)] if providers else []), *([_without_password(smtp)] if smtp else [])]
    return ", ".join(named) or "GET /v1/inbox"


def _without_password(url: str) -> str:
    """Return an SMTP URL as others may see it: this goes to terminals and into the logs of containers."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
