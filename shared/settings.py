"""Settings blocks that more than one service has. Environment variables ``KIKKAKE_*``; read in ``__main__`` only."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """What every service understands."""

    model_config = SettingsConfigDict(env_prefix="KIKKAKE_", frozen=True, extra="ignore")

    log_level: str = Field(
        default="info", pattern="(?i)^(debug|info|warning|error)$", description="debug, info, warning or error"
    )
    log_format: str = Field(default="json", pattern="^(json|console)$", description="json or console")
    health_host: str = Field(default="127.0.0.1", description="address of /livez, /readyz and /metrics")
    health_port: int = Field(default=9100, description="port of /livez, /readyz and /metrics")


class KafkaSettings(ServiceSettings):
    """How to reach Kafka."""

    kafka_bootstrap: str = Field(default="127.0.0.1:9092", description="host:port, several separated by commas")
    topic_prefix: str = Field(default="kikkake.", description="prefix of every topic")
    partitions: int = Field(default=12, ge=1, description="partitions of every keyed topic; fixed once created")
    replication_factor: int = Field(default=1, ge=1, description="copies of every partition when topics are created")
    session_timeout: float = Field(
        default=10.0, ge=1, description="seconds until a silent process of a group loses its partitions"
    )
