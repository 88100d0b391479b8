"""The metrics that users' dashboards and alerts name (docs: interfaces)."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from shared.metrics import Metrics

PROMISED = {
    "kikkake_events_accepted_total": (),
    "kikkake_events_rejected_total": ("reason",),
    "kikkake_event_decision_seconds": (),
    "kikkake_event_send_seconds": (),
    "kikkake_timer_lateness_seconds": (),
    "kikkake_exit_silence_seconds": (),
    "kikkake_decisions_total": ("journey", "decision", "reason"),
    "kikkake_messages_total": ("channel", "outcome", "reason"),
    "kikkake_timers_pending": ("partition",),
    "kikkake_commands_pending": ("partition",),
    "kikkake_contacts": ("partition",),
    "kikkake_consumer_lag_seconds": ("topic",),
    "kikkake_dead_letters_total": ("topic", "reason"),
    "kikkake_ambiguous_sends_total": ("channel",),
    "kikkake_provider_seconds": ("channel", "provider"),
    "kikkake_conservation": ("partition", "kind"),
}


def test_names_and_labels_are_the_promised_ones() -> None:
    found = {}
    for metric in vars(Metrics()).values():
        if isinstance(metric, CollectorRegistry):
            continue
        suffix = "_total" if metric._type == "counter" else ""
        found[metric._name + suffix] = metric._labelnames
    assert PROMISED.items() <= found.items()
    assert all(name.startswith("kikkake_") for name in found)
    assert "contact" not in {label for labels in found.values() for label in labels}


def test_two_do_not_share_a_registry() -> None:
    """Nothing is registered at import, so that tests and hosts may have as many as they like."""
    one, other = Metrics(), Metrics()
    one.events_accepted.inc()
    assert 1 == one.registry.get_sample_value("kikkake_events_accepted_total")
    assert 0 == other.registry.get_sample_value("kikkake_events_accepted_total")
    assert b"kikkake_events_accepted_total 0.0" in generate_latest(other.registry)
