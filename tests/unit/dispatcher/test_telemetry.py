"""What the dispatcher counts of its providers."""

from __future__ import annotations

import asyncio

import pytest

from services.dispatcher.telemetry import MetricsTelemetry
from shared.metrics import Metrics


@pytest.mark.parametrize(
    ("error", "answer"), [(None, "accepted"), (asyncio.CancelledError(), "ambiguous"), (KeyError("bug"), "ambiguous")]
)
def test_a_call_is_counted_by_what_it_came_to(error: BaseException | None, answer: str) -> None:
    metrics = Metrics()
    try:
        with MetricsTelemetry(metrics).provider("email", "smtp"):
            if error is not None:
                raise error
    except (asyncio.CancelledError, KeyError):
        pass
    labels = {"channel": "email", "provider": "smtp", "answer": answer}
    assert 1 == metrics.registry.get_sample_value("kikkake_provider_answers_total", labels)
