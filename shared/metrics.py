"""Every metric of Kikkake, declared once: what it means, its labels, its buckets. Nothing registers at import."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# From a local decision (1 ms) to an event that waited for a backlog (10 min).
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 600)


class Metrics:
    """The metrics, as attributes, on the registry they were made with. Labels are bounded; none names a contact."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Register every metric on ``registry``, or on a new one."""
        self.registry = registry if registry is not None else CollectorRegistry()

        # Ingest
        self.events_accepted = self._counter("events_accepted", "Events acknowledged by the log and so accepted")
        self.events_rejected = self._counter("events_rejected", "Events not accepted, by reason code", "reason")
        self.source_events = self._counter(
            "source_events",
            "Events by the source of their write key, accepted or rejected; refused counts requests",
            "source",
            "outcome",
        )
        self.in_flight_bytes = self._gauge("in_flight_bytes", "Bytes of requests that wait for the log")

        self.ingest_requests = self._counter(
            "ingest_requests",
            "Requests with events: by wire format, answer and whether the client says that it sent it before",
            "format",
            "status",
            "attempt",
        )
        self.webhooks_refused = self._counter(
            "webhooks_refused",
            "Webhooks that left no event: refused, set aside, or not wanted by webhooks.yaml; source empty: unknown",
            "source",
            "reason",
        )
        self.contact_read = self._histogram("contact_read_seconds", "From a question about a contact to its answer")
        self.catalogue_doubts = self._counter(
            "catalogue_doubts",
            "Events that are not as the catalogue says, in its modes warn and reject; one that it knows by name",
            "event",
            "reason",
        )
        self.events_untracked = self._counter(
            "events_untracked", "Events without consent to tracking by their own word: dropped or anonymised", "done"
        )

        # Evaluator
        self.event_remarks = self._counter(
            "event_remarks",
            "Records of contacts that were a duplicate, a conflict, late or untracked, and messageIds forgotten early",
            "remark",
        )
        self.event_decision = self._histogram("event_decision_seconds", "From an event's append to its decisions")
        self.timer_lateness = self._histogram("timer_lateness_seconds", "From a timer's due time to its firing")
        self.exit_silence = self._histogram("exit_silence_seconds", "From an exit event to its cancels acknowledged")
        self.decisions = self._counter("decisions", "Decisions of the engine", "journey", "decision", "reason")
        self.timers_pending = self._gauge("timers_pending", "Timers armed and neither fired nor cancelled", "partition")
        self.commands_pending = self._gauge(
            "commands_pending", "Commands decided whose outcome is not known yet", "partition"
        )
        self.contacts = self._gauge("contacts", "Contacts with a row, by partition owned here", "partition")
        self.contacts_behind = self._gauge(
            "contacts_behind",
            "Contacts that have not adopted the newest journeys' dates and schedules yet",
            "partition",
        )
        self.standby_lag = self._gauge(
            "standby_lag_records",
            "Records of the changelog that a standby has not taken in yet, by partition followed here",
            "partition",
        )
        self.invalid_zones = self._counter(
            "invalid_zones", "Time zones of contacts that are none: the workspace's is taken"
        )
        self.consumer_lag = self._gauge(
            "consumer_lag_seconds",
            "Age of the oldest record not yet applied, of the partition furthest behind; 0 when caught up",
            "topic",
        )
        self.dead_letters = self._counter("dead_letters", "Records that could not be processed", "topic", "reason")
        self.conservation = self._gauge(
            "conservation",
            "Durable counters of the meta rows: what went in equals what came out plus what is pending",
            "partition",
            "kind",
        )

        # Dispatcher
        self.event_send = self._histogram("event_send_seconds", "From an event's append to the provider's acceptance")
        self.messages = self._counter("messages", "Messages by how they ended", "channel", "outcome", "reason")
        self.ambiguous_sends = self._counter(
            "ambiguous_sends", "Messages in the provider's hands at a crash: sent or not is unknown", "channel"
        )
        self.provider = self._histogram("provider_seconds", "Duration of one provider call", "channel", "provider")
        self.provider_answers = self._counter(
            "provider_answers",
            "Calls of providers by what they came to: accepted, refused, dead_address, later, unavailable,"
            " misconfigured or ambiguous",
            "channel",
            "provider",
            "answer",
        )
        self.provider_left_alone = self._gauge(
            "provider_left_alone",
            "Servers of a provider that are left alone for now: it has one, webhooks have one an address",
            "channel",
            "provider",
        )
        self.calls = self._counter("calls", "Calls of connectors by how they ended", "connector", "reason")
        self.connector = self._histogram("connector_seconds", "Duration of one call of a connector", "connector")

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"kikkake_{name}_total", meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"kikkake_{name}", meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, *labels: str, buckets: Sequence[float] = _SECONDS) -> Histogram:
        return Histogram(f"kikkake_{name}", meaning, labels, registry=self.registry, buckets=buckets)
