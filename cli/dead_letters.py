"""``kikkake dead-letters``: what a running system could not process, by its admin routes: read, and sent again."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from shared.clock import to_iso
from shared.errors import ConfigurationError
from shared.version import USER_AGENT

TOPICS = ("events.dlq", "commands.dlq")
_TAKEN = ("accepted", "sent")
_OPTIONS = (
    click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="Where ingest serves."),
    click.option(
        "--admin-token",
        default=None,
        envvar="KIKKAKE_ADMIN_TOKEN",
        help="Default: that of --data. Better in the environment, for arguments are seen by everybody on the machine.",
    ),
    click.option(
        "--data",
        default=".kikkake/data",
        show_default=True,
        type=click.Path(path_type=Path, file_okay=False),
        help="Data folder of `kikkake dev`, whose admin token is taken.",
    ),
    click.option("--topic", default=TOPICS[0], show_default=True, type=click.Choice(TOPICS)),
)


def _reaching(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options by which a running system is reached."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group("dead-letters")
def dead_letters() -> None:
    """Read what could not be processed, and send it through again."""


@dead_letters.command("list")
@_reaching
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 500))
@click.option("--before", default=None, type=click.IntRange(0), help="Those below this offset: the next page.")
def list_(topic: str, limit: int, before: int | None, **where: Any) -> None:
    """Print the newest, newest first: offset, time, reason, source or place in the log, size, detail."""
    query = {"limit": limit} | ({} if before is None else {"before": before})
    found = _ask("GET", f"/v1/dead-letters/{topic}", where, query)["dead_letters"]
    for one in found:
        origin = one["record"] or one["source"] or "-"
        click.echo(
            f"{one['offset']}  {to_iso(one['at'])}  {one['reason']}  {origin}  {one['bytes']} B  {one['detail']}"
        )
    if not found:
        click.echo(f"there is none in {topic}", err=True)


@dead_letters.command()
@click.argument("offset", type=click.IntRange(0))
@_reaching
def show(offset: int, topic: str, **where: Any) -> None:
    """Print the one at OFFSET, with what was set aside: it holds personal data."""
    found = _ask("GET", f"/v1/dead-letters/{topic}/{offset}", where)
    click.echo(json.dumps({**found, "at": to_iso(found["at"])}, indent=2, ensure_ascii=False))


@dead_letters.command()
@click.argument("offsets", metavar="OFFSET...", nargs=-1, required=True, type=click.IntRange(0))
@_reaching
def replay(offsets: tuple[int, ...], topic: str, **where: Any) -> None:
    """Send those at OFFSET... through again and say what became of each; exit 1 if one was not taken."""
    well = True
    for offset in offsets:
        found = _ask("POST", f"/v1/dead-letters/{topic}/{offset}/replay", where)
        code = f" ({found['code']})" if found["code"] else ""
        click.echo(f"{offset}  {found['became']}{code}: {found['message']}")
        well = well and found["became"] in _TAKEN
    sys.exit(0 if well else 1)


def _ask(method: str, path: str, where: dict[str, Any], query: dict[str, Any] | None = None) -> Any:
    """Return the answer of the system at ``where``. Raises ConfigurationError."""
    import httpx2  # noqa: PLC0415 - only this command needs its packages

    from services.standalone.credentials import read_credentials  # noqa: PLC0415

    url, token = where["url"].rstrip("/"), where["admin_token"]
    if not token:
        known = read_credentials(where["data"])
        if known is None:
            raise ConfigurationError(
                f"no admin token: set KIKKAKE_ADMIN_TOKEN, or name the data folder of `kikkake dev` with --data "
                f"(there are no credentials in {where['data']})"
            )
        token = known.admin_token
    headers = {"authorization": f"Bearer {token}", "user-agent": USER_AGENT}
    try:
        answer = httpx2.request(method, url + path, params=query, headers=headers, timeout=30.0)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise ConfigurationError(
            f"{url} does not answer: {type(error).__name__}; is Kikkake running there? --url names another address"
        ) from error
    if answer.status_code != 200:
        raise ConfigurationError(f"{url} answers {answer.status_code}: {_told(answer.content)}")
    return answer.json()


def _told(content: bytes) -> str:
    """Return what an answer that is a refusal says."""
    try:
        said = json.loads(content)
    except ValueError:
        return "no answer of Kikkake's"
    return str(said.get("message", "no answer of Kikkake's")) if isinstance(said, dict) else "no answer of Kikkake's"
