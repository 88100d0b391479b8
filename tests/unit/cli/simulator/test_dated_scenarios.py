"""`kikkake journeys test` on journeys that a date, calendar or schedule starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.simulator.suite import find_files, run_suite

JOURNEY = """
schema: journey/v1
id: greeting
version: 1
trigger: {TRIGGER}
policy: {topic: greetings}
steps:
  - id: wish
    send: {channels: [email], template: {email: {subject: "On {{ trigger.occurrence }}", text: Hello}}}
"""
CALENDAR = "{schema: calendar/v1, id: shop, version: 1, occasions: {sale: [2026-03-05]}}"
SCENARIO = """
schema: journey-test/v1
journey: greeting@1
start: "2026-03-02T10:00:00+09:00"
contact:
  traits: {email: a@example.jp, birthday: 1990-03-05, timezone: Asia/Tokyo}
  consent: {greetings: granted}
scenarios:
  - name: what is known of the contact is known from before
    until: +4d
    events: EVENTS
    expect:
      - CLAIM
"""
BIRTHDAY = 'type: date, property: contact.birthday, at: "09:00"'
DAILY = 'type: schedule, cron: "0 9 * * *"'
ONCE = '{at: "2026-03-05T09:00:00+09:00", send: wish, render: {contains: "On 2026-03-05"}}'
NEVER = "{never: {send: any}}"
TOLD = "[{at: +1d, type: identify, traits: {birthday: 1990-03-05}}]"


@pytest.mark.parametrize(
    ("trigger", "events", "claim"),
    [
        (BIRTHDAY, "[]", ONCE),
        (BIRTHDAY, TOLD, ONCE),
        (BIRTHDAY, "[{at: +1d, type: identify, traits: {birthday: 1990-03-01}}]", NEVER),
        (
            f"{BIRTHDAY}, missed: {{send_within: 2d}}",
            "[{at: +1d, type: identify, traits: {birthday: 1990-03-02}}]",
            "{at: +1d, send: wish}",
        ),
        ("type: calendar, calendar: shop, occasion: sale, at: '09:00'", "[]", ONCE),
        (DAILY, "[]", "{count: {send: wish}, equals: 4}"),
        (
            f"{DAILY}, where: contact.tier == 'gold'",
            "[{at: +3d, type: identify, traits: {tier: gold}}]",
            "{count: {send: wish}, equals: 1}",
        ),
    ],
)
def test_dates_are_armed_from_the_start_of_a_scenario(tmp_path: Path, trigger: str, events: str, claim: str) -> None:
    (tmp_path / "calendars").mkdir()
    (tmp_path / "calendars" / "shop.yaml").write_text(CALENDAR)
    (tmp_path / "greeting.yaml").write_text(JOURNEY.replace("TRIGGER", trigger))
    (tmp_path / "greeting.test.yaml").write_text(SCENARIO.replace("EVENTS", events).replace("CLAIM", claim))
    report = run_suite(find_files([tmp_path]))
    assert [] == report.lines
    assert 1 == report.scenarios
