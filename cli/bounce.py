"""``kikkake bounce``: hands a mail that came back on to ingest, as the last command of a mail server's pipe."""

from __future__ import annotations

import os
import sys

import click

from shared.errors import ConfigurationError
from shared.version import USER_AGENT

MOST = 256 * 1024
"""Bytes of a mail that are handed on: what a report says stands before the message that it brings back."""
TEMPORARY = 75
"""The exit code by which a mail server knows that it is to try again (EX_TEMPFAIL)."""
SECRET = "KIKKAKE_BOUNCE_SECRET"  # noqa: S105 - the name of a variable


@click.command()
@click.argument("url")
def bounce(url: str) -> None:
    """Read a mail from standard input and post it to URL, such as http://127.0.0.1:8000/v1/webhooks/bounces.

    The secret of that source is the environment variable KIKKAKE_BOUNCE_SECRET. Exit code 75 asks the mail server to
    try again.
    """
    import httpx2  # noqa: PLC0415 - only this command needs it

    secret = os.environ.get(SECRET, "")
    if not secret:
        raise ConfigurationError(f"{SECRET} is not set: it is the secret of the source in webhooks.yaml")
    headers = {"authorization": f"Bearer {secret}", "content-type": "message/rfc822", "user-agent": USER_AGENT}
    try:
        answer = httpx2.post(url, content=sys.stdin.buffer.read(MOST), headers=headers, timeout=30.0)
    except httpx2.HTTPError as error:
        click.echo(f"kikkake: {url} does not answer: {type(error).__name__}", err=True)
        sys.exit(TEMPORARY)
    if answer.status_code != 200:
        click.echo(f"kikkake: {url} answers {answer.status_code}", err=True)
        # A wrong secret or address is mended by a person; until then no mail is lost.
        sys.exit(TEMPORARY)
