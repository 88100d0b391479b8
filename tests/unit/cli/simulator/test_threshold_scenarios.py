"""`kikkake journeys test` on journeys that a threshold starts: an offer, lifetime spend, falling usage."""

from __future__ import annotations

from pathlib import Path

from cli.simulator.suite import find_files, run_suite

JOURNEY = """
schema: journey/v1
id: told
version: 1
trigger: TRIGGER
entry: ENTRY
policy: {topic: offers}
steps:
  - id: offer
    send: {channels: [email], template: {email: {subject: "About {{ event.properties.name }}", text: Hello}}}
"""
SUITE = """
schema: journey-test/v1
journey: told@1
start: "2026-03-02T10:00:00+09:00"
contact:
  traits: {email: a@example.jp, timezone: Asia/Tokyo}
  consent: {offers: granted}
scenarios:
"""
REPEAT_VIEW_OFFER = (
    """{type: threshold, aggregate: count, event: Product Viewed, within: 7d, is: ">= 3",
  group_by: event.properties.product_id}""",
    "{key: event.properties.product_id, reentry: {mode: per_key}}",
    """
  - name: the third view of one product within seven days
    events:
      - {at: +0m, event: Product Viewed, properties: {product_id: p1, name: Kettle}}
      - {at: +1d, event: Product Viewed, properties: {product_id: p2, name: Teapot}}
      - {at: +2d, event: Product Viewed, properties: {product_id: p1, name: Kettle}}
      - {at: +6d, event: Product Viewed, properties: {product_id: p1, name: Kettle}}
    expect:
      - {at: +6d, send: offer, render: {contains: About Kettle}}
      - {count: {send: any}, equals: 1}

  - name: the first is exactly seven days old
    events:
      - {at: +0m, event: Product Viewed, properties: {product_id: p1, name: Kettle}}
      - {at: +2d, event: Product Viewed, properties: {product_id: p1, name: Kettle}}
      - {at: +7d, event: Product Viewed, properties: {product_id: p1, name: Kettle}}
    expect:
      - {never: {send: any}}

  - name: once per product
    events:
      - {at: +0m, event: Product Viewed, properties: {product_id: p1, name: Kettle}}
      - {at: +1m, event: Product Viewed, properties: {product_id: p1, name: Kettle}}
      - {at: +2m, event: Product Viewed, properties: {product_id: p1, name: Kettle}}
      - {at: +20d, event: Product Viewed, properties: {product_id: p1, name: Kettle}}
      - {at: +20d1m, event: Product Viewed, properties: {product_id: p1, name: Kettle}}
      - {at: +20d2m, event: Product Viewed, properties: {product_id: p1, name: Kettle}}
      - {at: +20d3m, event: Product Viewed, properties: {product_id: p2, name: Teapot}}
      - {at: +20d4m, event: Product Viewed, properties: {product_id: p2, name: Teapot}}
      - {at: +20d5m, event: Product Viewed, properties: {product_id: p2, name: Teapot}}
    expect:
      - {at: +2m, send: offer, render: {contains: About Kettle}}
      - {not_entered: cooldown, at: +20d2m}
      - {at: +20d5m, send: offer, render: {contains: About Teapot}}
      - {count: {send: any}, equals: 2}
""",
)
VIP = (
    '{type: threshold, aggregate: sum, event: Order Completed, field: event.properties.total, is: ">= 100000"}',
    "{}",
    """
  - name: lifetime spend crosses 100,000 once
    until: +900d
    events:
      - {at: +0m, event: Order Completed, properties: {total: 60000, name: Sofa}}
      - {at: +300d, event: Order Completed, properties: {total: 40000, name: Table}}
      - {at: +600d, event: Order Completed, properties: {total: 90000, name: Bed}}
    expect:
      - {at: +300d, send: offer, render: {contains: About Table}}
      - {count: {send: any}, equals: 1}

  - name: almost
    events:
      - {at: +0m, event: Order Completed, properties: {total: 99999, name: Sofa}}
    expect:
      - {never: {send: any}}
""",
)
USAGE_DECLINE = (
    '{type: threshold, aggregate: rate, event: Feature Used, within: 7d, baseline: 28d, is: "< 0.5"}',
    "{}",
    """
  - name: usage falls, and nobody does anything
    until: +60d
    events:
EVERY_DAY
    expect:
      - {at: +33d, send: offer, render: {contains: About Export}}
      - {count: {send: any}, equals: 1}

  - name: usage goes on
    until: +33d1h
    events:
EVERY_DAY
      - {at: +32d, event: Feature Used, properties: {name: Export}}
    expect:
      - {never: {send: any}}

  - name: too little is known yet
    until: +27d
    events:
      - {at: +0m, event: Feature Used, properties: {name: Export}}
      - {at: +1d, event: Feature Used, properties: {name: Export}}
    expect:
      - {never: {send: any}}
""".replace(
        "EVERY_DAY",
        "\n".join(f"      - {{at: +{day}d, event: Feature Used, properties: {{name: Export}}}}" for day in range(29)),
    ),
)


def run(tmp_path: Path, scenario: tuple[str, str, str]) -> tuple[list[str], int]:
    trigger, entry, scenarios = scenario
    (tmp_path / "told.yaml").write_text(JOURNEY.replace("TRIGGER", trigger).replace("ENTRY", entry))
    (tmp_path / "told.test.yaml").write_text(SUITE + scenarios)
    report = run_suite(find_files([tmp_path]))
    return list(report.lines), report.scenarios


def test_repeat_view_offer(tmp_path: Path) -> None:
    assert ([], 3) == run(tmp_path, REPEAT_VIEW_OFFER)


def test_vip(tmp_path: Path) -> None:
    assert ([], 2) == run(tmp_path, VIP)


def test_usage_decline(tmp_path: Path) -> None:
    """Once a day until day 28: on day 33 that is 2 in the last week, by 23 in 28 days, 5.75 a week."""
    assert ([], 3) == run(tmp_path, USAGE_DECLINE)
