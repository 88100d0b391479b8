"""Ingest's settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, IPvAnyNetwork, SecretStr, field_validator
from pydantic_settings import NoDecode

from services.ingest.client_address import AddressPolicy, ForwardedHeader
from services.ingest.limits import HIGHEST
from services.ingest.origins import origins_of
from shared.link_settings import LinkSettings
from shared.settings import KafkaSettings

SHORTEST_TOKEN = 16


class IngestSettings(KafkaSettings, LinkSettings):
    """Environment variables ``KIKKAKE_*``."""

    host: str = Field(default="127.0.0.1", description="address to serve on")
    port: int = Field(default=8000, description="port to serve on")
    write_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="write keys to accept, separated by commas; these or `KIKKAKE_KEYS_FILE`, or both, are needed",
    )
    keys_file: Path | None = Field(
        default=None, description="the file of [sources, their keys and limits](keys.md), read again when it changes"
    )
    key_rate: float = Field(
        default=10_000, gt=0, description="events a second of each of `KIKKAKE_WRITE_KEYS`, twice as many at once"
    )
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="origins whose pages may send, separated by commas; none: those of any site"
    )
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = Field(
        default=(),
        description="networks of your proxies, separated by commas: the client's address is asked of these only",
    )
    forwarded_header: ForwardedHeader = Field(
        default="x-forwarded-for", description="where those proxies write it: x-forwarded-for or forwarded"
    )
    client_ip: AddressPolicy = Field(
        default="truncate",
        description="what is kept of it: truncate (24 bits of IPv4, 48 of IPv6), keep or drop",
    )
    admin_token: SecretStr | None = Field(
        default=None, min_length=SHORTEST_TOKEN, description="who has it may enrol contacts and read them"
    )
    read_tokens: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(), description="who has one of them may read contacts and nothing else; separated by commas"
    )
    reads_per_second: int = Field(default=200, ge=1, description="contacts that may be read in a second, by process")
    internal_token: SecretStr | None = Field(
        default=None,
        min_length=SHORTEST_TOKEN,
        description="what ingest and the evaluators know each other by; without one contacts cannot be read",
    )
    evaluators: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("127.0.0.1:9100",),
        description="host:port of the evaluators, separated by commas; a host may stand for several",
    )
    webhooks: Path | None = Field(default=None, description="the file of [webhooks](webhooks.md) that are taken")
    journeys: Path = Field(default=Path("journeys"), description="folder of journey files")
    max_in_flight_bytes: int = Field(
        default=32 * 1024 * 1024,
        # Below it the largest body that a source may have, which counts as received and as decoded, never got in.
        ge=2 * HIGHEST.body_bytes,
        description="bytes of requests at once; above it: 503. Not less than the default",
    )
    max_requests: int = Field(default=2_000, ge=1, description="requests at once; above it: 503")
    stall_timeout: float = Field(
        default=2.0, gt=0, description="seconds without an answer from Kafka until new requests get a 503 at once"
    )
    publish_timeout: float = Field(default=5.0, gt=0, description="seconds until an unacknowledged event gets a 503")
    shutdown_seconds: int = Field(default=10, ge=0, description="how long open requests may take at shutdown")
    shutdown_delay: int = Field(
        default=0, ge=0, description="seconds for which /readyz says no before connections are refused at shutdown"
    )

    @property
    def standards(self) -> Path | None:
        """The folder whose workspace and catalogue events are held to; None: nobody named one, and there is none."""
        return self.journeys if "journeys" in self.model_fields_set or self.journeys.is_dir() else None

    @field_validator("write_keys", "read_tokens", "evaluators", "allowed_origins", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("read_tokens")
    @classmethod
    def _long_enough(cls, tokens: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(token.get_secret_value()) < SHORTEST_TOKEN for token in tokens):
            raise ValueError(f"a token has at least {SHORTEST_TOKEN} characters")
        return tokens

    @field_validator("evaluators")
    @classmethod
    def _has_ports(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        if not all(address.rpartition(":")[0] and address.rpartition(":")[2].isdigit() for address in addresses):
            raise ValueError("each evaluator is host:port")
        return addresses

    @field_validator("allowed_origins")
    @classmethod
    def _check_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return origins_of(value).patterns
