"""Parses what a send may do."""

from __future__ import annotations

from typing import Literal, cast

from shared.journeys import later
from shared.journeys.conditions import parse_channel
from shared.journeys.ids import parse_id
from shared.journeys.reader import Node
from shared.journeys.sending import Cap, Holdout, Policy, QuietHours, SendWindow, WhenClosed
from shared.journeys.times import parse_clock, parse_days, parse_zone

_CLOSED = ("defer", "skip", "exit")


def parse_policy(node: Node) -> Policy:
    """Return the policy of ``node``."""
    known = "purpose topic max_sends on_ambiguous holdout frequency_cap quiet_hours send_window".split()  # noqa: SIM905 - reads as the language page does
    fields = node.fields(known, later=later.POLICY)
    purpose = (
        fields["purpose"].choice(("marketing", "transactional"), "purpose") if "purpose" in fields else "marketing"
    )
    ambiguous = fields["on_ambiguous"].choice(("hold", "retry"), "on_ambiguous") if "on_ambiguous" in fields else None
    return Policy(
        purpose=cast("Literal['marketing', 'transactional']", purpose),
        topic=parse_id(fields["topic"]) if "topic" in fields else None,
        max_sends=fields["max_sends"].integer(1, 1000) if "max_sends" in fields else None,
        on_ambiguous=cast("Literal['hold', 'retry'] | None", ambiguous),
        holdout=_holdout(fields["holdout"]) if "holdout" in fields else None,
        caps=_caps(fields["frequency_cap"]) if "frequency_cap" in fields else (),
        quiet_hours=_quiet_hours(fields["quiet_hours"]) if "quiet_hours" in fields else None,
        send_window=_send_window(fields["send_window"]) if "send_window" in fields else None,
    )


def _holdout(node: Node) -> Holdout | None:
    fields = node.fields(("percent", "salt"), required=("percent", "salt"))
    if not {"percent", "salt"} <= fields.keys():
        return None
    return Holdout(fields["percent"].number(0, 100), fields["salt"].text())


def _caps(node: Node) -> tuple[Cap, ...]:
    if node.is_a(str) and node.value in later.CAPS:
        node.fault(f"frequency_cap `{node.value}` is not part of this release yet")
        return ()
    return node.each(_cap)


def _cap(node: Node) -> Cap | None:
    known = ("max", "per", "scope", "channel", "topic", "when_capped", "max_defer")
    fields = node.fields(known, required=("max", "per"))
    if not {"max", "per"} <= fields.keys():
        return None
    scope = fields["scope"].choice(("contact", "journey"), "scope") if "scope" in fields else "contact"
    actions = ("skip", "defer", "exit", "next_channel")
    capped = fields["when_capped"].choice(actions, "when_capped") if "when_capped" in fields else "skip"
    return Cap(
        max=fields["max"].integer(1, 1000),
        per=fields["per"].duration(least=1),
        scope=cast("Literal['contact', 'journey']", scope),
        channel=parse_channel(fields["channel"]) if "channel" in fields else None,
        topic=parse_id(fields["topic"]) if "topic" in fields else None,
        when_capped=cast("Literal['skip', 'defer', 'exit', 'next_channel']", capped),
        max_defer=fields["max_defer"].duration(least=1) if "max_defer" in fields else None,
    )


def _quiet_hours(node: Node) -> QuietHours | None:
    known = ("from", "to", "timezone", "fallback_timezone", "when_quiet", "max_defer", "spread")
    fields = node.fields(known, required=("from", "to"))
    if not {"from", "to"} <= fields.keys():
        return None
    start, end = parse_clock(fields["from"]), parse_clock(fields["to"])
    if start == end:
        node.fault(f"quiet hours from {start} to {end} never end")
    return QuietHours(
        start=start,
        end=end,
        timezone=parse_zone(fields["timezone"]) if "timezone" in fields else "contact",
        fallback_timezone=parse_zone(fields["fallback_timezone"]) if "fallback_timezone" in fields else None,
        when_quiet=_closed(fields, "when_quiet"),
        max_defer=fields["max_defer"].duration(least=1) if "max_defer" in fields else None,
        spread=fields["spread"].duration() if "spread" in fields else 0,
    )


def _send_window(node: Node) -> SendWindow | None:
    fields = node.fields(("days", "from", "to", "timezone", "when_outside", "max_defer"), required=("from", "to"))
    if not {"from", "to"} <= fields.keys():
        return None
    return SendWindow(
        start=parse_clock(fields["from"]),
        end=parse_clock(fields["to"]),
        days=parse_days(fields["days"]) if "days" in fields else (),
        timezone=parse_zone(fields["timezone"]) if "timezone" in fields else "contact",
        when_outside=_closed(fields, "when_outside"),
        max_defer=fields["max_defer"].duration(least=1) if "max_defer" in fields else None,
    )


def _closed(fields: dict[str, Node], name: str) -> WhenClosed:
    return cast("WhenClosed", fields[name].choice(_CLOSED, name) if name in fields else "defer")
