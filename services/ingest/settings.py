"""Ingest's settings."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from shared.settings import KafkaSettings

SHORTEST_TOKEN = 16


class IngestSettings(KafkaSettings):
    """Environment variables ``KIKKAKE_*``."""

    host: str = Field(default="127.0.0.1", description="address to serve on")
    port: int = Field(default=8000, description="port to serve on")
    write_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), validate_default=True, min_length=1, description="write keys to accept, separated by commas"
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
    max_in_flight_bytes: int = Field(
        default=32 * 1024 * 1024, ge=1024 * 1024, description="bytes that may wait for Kafka; above it: 503"
    )
    publish_timeout: float = Field(default=5.0, gt=0, description="seconds until an unacknowledged event gets a 503")
    shutdown_seconds: int = Field(default=10, ge=0, description="how long open requests may take at shutdown")

    @field_validator("write_keys", "read_tokens", "evaluators", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(key.strip() for key in value.split(",") if key.strip())
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
