"""The dispatcher's settings on Kafka. Environment variables ``KIKKAKE_*``; read in ``__main__`` only."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from shared.link_settings import LinkSettings
from shared.settings import KafkaSettings


class DispatcherSettings(KafkaSettings, LinkSettings):
    """How to reach Redis and the providers, and how much to do at once."""

    redis_url: str = Field(default="redis://127.0.0.1:6379/0", description="Redis, for claims")
    smtp_url: str = Field(
        default="smtp://127.0.0.1:25", description="smtp://[user:password@]host[:port][?starttls=1] or smtps://..."
    )
    smtp_connections: int = Field(
        default=16, ge=1, description="SMTP sessions at once; also bounds what a crash leaves unsure"
    )
    smtp_timeout: float = Field(default=15.0, gt=0, description="seconds for each step of an SMTP dialogue")
    smtp_reply_timeout: float = Field(default=60.0, gt=0, description="seconds for the answer to a whole message")
    email_from: str = Field(default="Kikkake <kikkake@localhost>", description="address or Name <address>")
    email_reply_to: str | None = Field(default=None, description="where answers go")
    unsubscribe_mail: str | None = Field(
        default=None,
        description="an address, named in each marketing mail, to which mails [unsubscribe](webhooks.md#mail)",
    )
    providers: Path | None = Field(
        default=None,
        description="the file of the [providers](providers.md) of each channel; e-mail not in it goes by SMTP",
    )
    connectors: Path | None = Field(
        default=None, description="the file of the [connectors](connectors.md) that journeys may call"
    )
    in_flight: int = Field(default=100, ge=1, description="messages under way per partition")
    max_held_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=0,
        description="bytes of deferred commands per partition that are kept in memory; the rest is read back when due",
    )
    max_waiting: int = Field(
        default=200_000, ge=1, description="deferred commands per partition; above it no new ones are read"
    )
    dispatcher_group: str = Field(default="kikkake-dispatcher", description="consumer group")
    dispatcher_instance: str | None = Field(
        default=None, description="stable name of this process (pod): a restart within the session moves no partition"
    )
    drain_timeout: float = Field(
        default=10.0, ge=0, description="seconds for what is under way at shutdown or rebalance"
    )
