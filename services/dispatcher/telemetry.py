"""What the delivery code reports about itself, and how that becomes metrics."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Protocol

from services.dispatcher.errors import (
    DeadAddressError,
    MisconfiguredError,
    RefusedError,
    TemporaryError,
    UnavailableError,
)
from services.dispatcher.lanes import Lane
from shared.messages.answer import Answer
from shared.messages.outcome import Outcome
from shared.metrics import Metrics

# The first that fits.
_ANSWERS: tuple[tuple[type[Exception], str], ...] = (
    (DeadAddressError, "dead_address"),
    (RefusedError, "refused"),
    (MisconfiguredError, "misconfigured"),
    (UnavailableError, "unavailable"),
    (TemporaryError, "later"),
)


class Telemetry(Protocol):
    """Counts and times; never a contact, an address or a text."""

    def provider(self, channel: str, provider: str) -> AbstractContextManager[object]:
        """Time one provider call."""

    def connector(self, name: str) -> AbstractContextManager[object]:
        """Time one call of a connector."""

    def accepted(self, decided_at: int, now: int) -> None:
        """A provider took a message that was decided at ``decided_at``; both journey time."""

    def ambiguous(self, channel: str) -> None:
        """Nobody knows whether a message was sent."""

    def ended(self, outcome: Outcome | Answer) -> None:
        """A command ended."""

    def dead_letter(self, topic: str, reason: str) -> None:
        """A record could not be processed."""


class Silent:
    """Reports nothing."""

    def provider(self, channel: str, provider: str) -> AbstractContextManager[object]:
        """Time nothing."""
        return contextlib.nullcontext()

    def connector(self, name: str) -> AbstractContextManager[object]:
        """Time nothing."""
        return contextlib.nullcontext()

    def accepted(self, decided_at: int, now: int) -> None:
        """Nothing."""

    def ambiguous(self, channel: str) -> None:
        """Nothing."""

    def ended(self, outcome: Outcome | Answer) -> None:
        """Nothing."""

    def dead_letter(self, topic: str, reason: str) -> None:
        """Nothing."""


class MetricsTelemetry:
    """Reports to ``shared.metrics``."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    @contextlib.contextmanager
    def provider(self, channel: str, provider: str) -> Iterator[object]:
        """Time one call in ``kikkake_provider_seconds``; ``kikkake_provider_answers_total`` counts what it came to."""
        # What is given up in the middle, at the end of a drain, was not accepted.
        answer = "ambiguous"
        try:
            with self._metrics.provider.labels(channel, provider).time():
                yield None
            answer = "accepted"
        except Exception as error:
            answer = next((name for kind, name in _ANSWERS if isinstance(error, kind)), "ambiguous")
            raise
        finally:
            self._metrics.provider_answers.labels(channel, provider, answer).inc()

    def watch(self, channels: Mapping[str, Sequence[Lane[Any]]]) -> None:
        """Show in ``kikkake_provider_left_alone`` what the breakers of ``channels`` say."""
        for channel, lanes in channels.items():
            for lane in lanes:
                gauge = self._metrics.provider_left_alone.labels(channel, lane.name)
                gauge.set_function(partial(getattr, lane, "left_alone"))

    def connector(self, name: str) -> AbstractContextManager[object]:
        """Time one call in ``kikkake_connector_seconds``."""
        return self._metrics.connector.labels(name).time()

    def accepted(self, decided_at: int, now: int) -> None:
        """Observe ``kikkake_event_send_seconds``."""
        self._metrics.event_send.observe(max(0, now - decided_at) / 1000)

    def ambiguous(self, channel: str) -> None:
        """Count ``kikkake_ambiguous_sends_total``."""
        self._metrics.ambiguous_sends.labels(channel).inc()

    def ended(self, outcome: Outcome | Answer) -> None:
        """Count ``kikkake_messages_total`` or ``kikkake_calls_total``."""
        if isinstance(outcome, Answer):
            self._metrics.calls.labels(outcome.connector, outcome.error or "").inc()
            return
        self._metrics.messages.labels(outcome.channel, outcome.status, outcome.reason or "").inc()

    def dead_letter(self, topic: str, reason: str) -> None:
        """Count ``kikkake_dead_letters_total``."""
        self._metrics.dead_letters.labels(topic, reason).inc()
