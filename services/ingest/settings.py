"""Ingest's settings."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from shared.settings import KafkaSettings


class IngestSettings(KafkaSettings):
    """Environment variables ``KIKKAKE_*``."""

    host: str = Field(default="127.0.0.1", description="address to serve on")
    port: int = Field(default=8000, description="port to serve on")
    write_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), validate_default=True, min_length=1, description="write keys to accept, separated by commas"
    )
    admin_token: SecretStr | None = Field(
        default=None, min_length=16, description="who has it may enrol contacts; without one nobody may"
    )
    max_in_flight_bytes: int = Field(
        default=32 * 1024 * 1024, ge=1024 * 1024, description="bytes that may wait for Kafka; above it: 503"
    )
    publish_timeout: float = Field(default=5.0, gt=0, description="seconds until an unacknowledged event gets a 503")
    shutdown_seconds: int = Field(default=10, ge=0, description="how long open requests may take at shutdown")

    @field_validator("write_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(key.strip() for key in value.split(",") if key.strip())
        return value
