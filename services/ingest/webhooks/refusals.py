"""Webhooks that left no event: each is counted by its source and reason, and the operator is told once in a while.

Whoever sent it is another system, which shows nobody its answers; nothing else would tell of a wrong secret.
"""

from __future__ import annotations

import structlog

from shared.clock import MINUTE, Clock
from shared.metrics import Metrics

_LOG = structlog.get_logger(__name__)

NO_RULE, UNKNOWN_TOPIC = "no_rule", "unknown_topic"
"""Reasons of what is acknowledged and dropped, since the operator's file wants nothing of it."""
_WHY = {
    NO_RULE: "no rule of the source holds for it",
    UNKNOWN_TOPIC: "a topic of Shopify that becomes no event; docs/webhooks.md names those that do",
}
_SET_ASIDE = "set aside; kikkake dead-letters list shows it"
_QUIET = 10 * MINUTE
"""Between two lines of one source and reason: anybody may post what is refused, as often as they like."""


class Refusals:
    """Counts in ``metrics``; ``ticks`` (monotonic) says when a line is due again."""

    def __init__(self, metrics: Metrics, ticks: Clock) -> None:
        self._metrics = metrics
        self._ticks = ticks
        self._told: dict[tuple[str, str], int] = {}
        self._untold: dict[tuple[str, str], int] = {}

    def note(self, source: str, reason: str, why: str = "") -> None:
        """Note that a request to ``source`` (empty: to one that is not known) left no event, for ``reason``.

        ``why`` is for people, in words of our own: nothing of the request may stand in it.
        """
        self._metrics.webhooks_refused.labels(source, reason).inc()
        of = (source, reason)
        self._untold[of] = self._untold.get(of, 0) + 1
        now = self._ticks()
        if now - self._told.get(of, now - _QUIET) < _QUIET:
            return
        self._told[of] = now
        times = self._untold.pop(of)
        _LOG.warning(
            "ingest.webhook_refused", source=source, reason=reason, why=why or _WHY.get(reason, _SET_ASIDE), times=times
        )
