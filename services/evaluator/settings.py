"""The evaluator's settings."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from shared.settings import KafkaSettings


class EvaluatorSettings(KafkaSettings):
    """Environment variables ``KIKKAKE_*``."""

    journeys: Path = Field(default=Path("journeys"), description="folder of journey files")
    evaluator_group: str = Field(default="kikkake-evaluator", description="consumer group")
    evaluator_instance: str | None = Field(
        default=None, description="stable name of this worker: its restart within the session moves no partition"
    )
    evaluator_batch: int = Field(default=2_000, ge=1, description="records of one fetched batch")
    data: Path = Field(default=Path(".kikkake/evaluator"), description="folder that no other worker may use")
    state: Literal["disk", "memory"] = Field(
        default="disk",
        description="where contacts are kept beside Kafka: disk (a restart reads what is new) or memory",
    )
    internal_token: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="what ingest and the evaluators know each other by; without one contacts cannot be read",
    )
    standby_replicas: int = Field(
        default=0,
        ge=0,
        description="other evaluators that follow each partition, ready to take it over; the same for all of a group",
    )
    watchdog_timeout: float = Field(
        default=120.0,
        ge=5,
        description="seconds that work may wait, none of it done, until the process ends itself to be started again",
    )
