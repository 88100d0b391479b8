"""``kikkake dev``: the whole engine in this process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from shared.logs import configure_logging

if TYPE_CHECKING:  # only this command needs its packages
    from services.standalone.credentials import Credentials
    from services.standalone.settings import StandaloneSettings

_FIRST = '{"userId": "u1", "event": "Product Added", "properties": {"name": "Kettle"}}'


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Port to serve on.")
@click.option(
    "--data",
    default=".kikkake/data",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for everything that must last: events, decisions, keys. A new one begins empty.",
)
@click.option(
    "--journeys",
    default="journeys",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder of journeys (*.yaml). After a change start again.",
)
@click.option(
    "--speed",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True, max=100_000),
    help="How fast journey time passes: at 60 an hour takes a minute. Give it a --data folder of its own.",
)
@click.option(
    "--durability",
    default="full",
    show_default=True,
    type=click.Choice(["full", "process"]),
    help="What a 200 survives: also a power loss, or the end of the process alone (faster).",
)
@click.option("--smtp", default=None, help="smtp://user:password@host:port; without it mails go to GET /v1/inbox.")
@click.option(
    "--email-from",
    default="Kikkake <kikkake@localhost.localdomain>",
    show_default=True,
    help="Who mails by --smtp are from.",
)
@click.option(
    "--connectors",
    default=None,
    envvar="KIKKAKE_CONNECTORS",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Which HTTP APIs journeys may call (connectors.yaml).",
)
@click.option(
    "--webhooks",
    default=None,
    envvar="KIKKAKE_WEBHOOKS",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Which webhooks of other systems are taken (webhooks.yaml).",
)
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
@click.option(
    "--write-key", "write_keys", multiple=True, help="Accept this write key; may be repeated. Else one is made."
)
@click.option(
    "--keys-file",
    default=None,
    envvar="KIKKAKE_KEYS_FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Sources, their keys and limits.",
)
@click.option("--admin-token", default=None, help="Use this admin token. Else one is made.")
@click.option("--read-token", "read_tokens", multiple=True, help="Who has it may read contacts; may be repeated.")
@click.option(
    "--log-level",
    default="warning",
    show_default=True,
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="What is told on stderr beside errors.",
)
def dev(log_level: str, **options: Any) -> None:
    """Run everything in one process: ingest, evaluator, dispatcher; durable in --data.

    It prints its address, its keys and the call that sends the first event. Events go to POST /v1/track (Segment's wire
    format), messages without a provider to GET /v1/inbox, /docs has the API. Ctrl-C stops it; the same command goes on
    where it stopped.
    """
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
        for line in banner(settings, port, host.journeys, host.credentials):
            click.echo(line)
        await serve(host, listener)

    asyncio.run(live())


def banner(settings: StandaloneSettings, port: int, journeys: Sequence[str], credentials: Credentials) -> Sequence[str]:
    """Return what a developer needs to go on: addresses, keys, where messages go, and the first call."""
    host = "127.0.0.1" if settings.host == "0.0.0.0" else settings.host
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    return (
        f"Kikkake serves {url}",
        f"API          {url}/docs",
        f"metrics      {url}/metrics",
        f"journeys     {', '.join(journeys) or f'none: there is no *.yaml in {settings.journeys}'}",
        f"write key    {credentials.write_key}",
        f"admin token  {credentials.admin_token}",
        f"messages     {_carriers(settings.smtp, settings.providers, url)}",
        f"data         {settings.data}",
        "",
        "Send the first event, and see what is known of its contact:",
        f"  curl -u {credentials.write_key}: {url}/v1/track -d '{_FIRST}'",
        f"  curl -H 'Authorization: Bearer {credentials.admin_token}' {url}/v1/contacts/u1",
        "",
        "Stop with Ctrl-C.",
    )


def _carriers(smtp: str | None, providers: Path | None, url: str) -> str:
    """Return who carries messages."""
    named = [
        *([f"the channels of {providers} by their providers"] if providers else []),
        *([f"mails to {_without_password(smtp)}"] if smtp else []),
    ]
    return "; ".join([*named, f"{'all others' if named else 'all'} to {url}/v1/inbox, with the admin token"])


def _without_password(url: str) -> str:
    """Return an SMTP URL as others may see it: this goes to terminals and into the logs of containers."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
