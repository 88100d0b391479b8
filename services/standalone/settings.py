"""What the standalone host can be told."""

from __future__ import annotations

from pathlib import Path

import msgspec

from services.standalone.storage.database import Durability

READS_PER_SECOND = 200
"""Contacts that may be read; what is beyond gets 429, so that events are never held up by readers."""


class StandaloneSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One process. ``write_keys`` and ``admin_token`` empty: made once and kept in the data folder.

    Who has one of ``read_tokens`` may read contacts. ``keys_file``: sources and admins beside them. ``connectors``: the
    file of those that journeys may call, ``webhooks`` of those that are taken, ``providers`` of who carries messages.
    ``public_url`` and ``link_secrets``: where links in messages lead, and what seals them.
    ``start``: where journey time begins in a new folder at a ``speed`` other than 1 (ms); None: now.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    data: Path = Path(".kikkake/data")
    journeys: Path = Path("journeys")
    speed: float = 1.0
    durability: Durability = "full"
    smtp: str | None = None
    email_from: str = "Kikkake <kikkake@localhost.localdomain>"
    write_keys: tuple[str, ...] = ()
    keys_file: Path | None = None
    admin_token: str | None = None
    read_tokens: tuple[str, ...] = ()
    connectors: Path | None = None
    webhooks: Path | None = None
    providers: Path | None = None
    start: int | None = None
    public_url: str | None = None
    link_secrets: tuple[str, ...] = ()
