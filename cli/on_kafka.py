"""What the commands for a system on Kafka need before they begin; without it, one clear text."""

from __future__ import annotations

import logging

from shared.errors import ConfigurationError
from shared.log import LogUnavailableError
from shared.settings import KafkaSettings


async def reach(task: str, otherwise: str, *, create: bool = False) -> KafkaSettings:
    """Return the settings once their Kafka answered and has our topics; ``create`` makes those that are missing.

    Raises ConfigurationError when it cannot be reached, has no topics of ours, or the packages for it are missing.
    ``task`` and ``otherwise`` are for that: what the command does, and what to do without Kafka.
    """
    try:
        from shared.kafka.admin import ensure_topics, require_topics  # noqa: PLC0415 - optional: the packages of Kafka
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{error.name} is not installed: install kikkake[evaluator] to {task}; {otherwise}"
        ) from error
    # Its own words about a broker that does not answer would stand before ours.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    settings = KafkaSettings()
    try:
        await (ensure_topics if create else require_topics)(settings)
    except LogUnavailableError as error:
        raise ConfigurationError(f"cannot {task}: {error}; {otherwise}") from error
    return settings
