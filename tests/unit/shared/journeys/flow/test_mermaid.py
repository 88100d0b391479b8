"""A journey as a Mermaid flow chart: each verb, trigger and exit, in both languages."""

from __future__ import annotations

import pytest

from shared.journeys.calendars import parse_calendar
from shared.journeys.flow.mermaid import draw
from shared.journeys.flow.phrases import LANGUAGES, PHRASES
from shared.journeys.parse import parse_journey
from shared.journeys.workspace import Surroundings

TRIGGER = "trigger: {type: event, event: Cart Left}"
SHOP = "schema: calendar/v1\nid: shop\nversion: 1\noccasions: {sale: [2026-11-30]}\n"
AROUND = Surroundings(audiences=frozenset({"loyal"}), calendars={"shop": parse_calendar("calendars/shop.yaml", SHOP)})
MAIL = "template: {email: {subject: Hi, text: Hello}}"


def drawn(steps: str, *more: str, trigger: str = TRIGGER, language: str = "en") -> list[str]:
    head = ["schema: journey/v1", "id: shown", "version: 1", trigger, "policy: {purpose: transactional}", *more]
    found = draw(parse_journey("shown.yaml", "\n".join([*head, f"steps: [{steps}]"]), AROUND), language)  # type: ignore[arg-type]
    assert found.endswith("\n")
    return [line.strip() for line in found.splitlines()]


def test_a_journey_from_its_trigger_to_its_end() -> None:
    steps = (
        f"{{id: rest, wait: {{for: 45m, reset_by: [Cart Left]}}}}, {{id: mail, send: {{channels: [email], {MAIL}}}}}"
    )
    assert [
        "flowchart TD",
        'trigger_1(["Cart Left"])',
        "trigger_1 --> s_rest",
        's_rest{{"rest<br/>wait 45m, anew at each Cart Left"}}',
        "s_rest --> s_mail",
        's_mail[/"mail<br/>send by email"/]',
        "s_mail --> end_completed",
        'end_completed(["end: completed"])',
    ] == drawn(steps)


def test_a_branch_names_its_ways_and_they_meet_behind_it() -> None:
    lines = drawn(
        "{id: way, branch: [{if: contact.vip == true, then: [{id: tag, update: {set: {a: 1}}}]}]},"
        " {id: end, exit: {reason: done}}"
    )
    assert {
        's_way{"way<br/>which way?"}',
        's_way -->|"contact.vip == true"| s_tag',
        's_way -->|"else"| s_end',
        "s_tag --> s_end",
        's_end(["end<br/>end: done"])',
    } <= set(lines)
    assert not [line for line in lines if "completed" in line]


def test_else_is_a_way_of_its_own_where_the_file_has_one() -> None:
    lines = drawn(
        "{id: way, branch: [{if: contact.vip == true, then: [{id: a, exit: {reason: a}}]},"
        " {else: [{id: b, exit: {reason: b}}]}]}"
    )
    assert 's_way -->|"else"| s_b' in lines


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (
            (
                "{id: s, wait_for: {any: [{id: a, event: Paid, where: event.properties.total > 1},"
                " {id: b, if: {online: {within: 2m}}}], timeout: {after: 2d}}}"
            ),
            [
                's_s{{"s<br/>wait for what happens first"}}',
                's_s -->|"Paid where event.properties.total > 1"| end_completed',
                's_s -->|"on the site within 2m"| end_completed',
                's_s -->|"nothing in 2d"| end_completed',
            ],
        ),
        (
            "{id: s, experiment: {salt: x, variants: [{id: a, weight: 1}, {id: b, weight: 2}]}}",
            ['s_s{"s<br/>experiment x"}', 's_s -->|"a: 33.3%"| end_completed', 's_s -->|"b: 66.7%"| end_completed'],
        ),
        ("{id: s, collect: {event: Said, for: 4h, save_as: said}}", ['s_s{{"s<br/>collect Said for 4h"}}']),
        ("{id: s, wait: {for: P1M}}", ['s_s{{"s<br/>wait P1M"}}']),
        (
            '{id: s, wait: {until: {time: "08:00", days: [mon, fri]}}}',
            ['s_s{{"s<br/>wait until mon, fri 08:00"}}'],
        ),
        (
            "{id: s, wait: {until: {property: contact.birthday, offset: -3d}, past: exit}}",
            ['s_s{{"s<br/>wait until contact.birthday, 3 days before 00:00"}}', 's_s -->|"when it is over"| end_past'],
        ),
        ("{id: s, emit: {event: Said}}", ['s_s["s<br/>event Said"]']),
        ("{id: s, update: {add_tags: [a]}}", ['s_s["s<br/>update the contact"]']),
        (
            "{id: s, call: {connector: crm.task, on_fail: exit}}",
            ['s_s[["s<br/>call crm.task"]]', 's_s -->|"on failure"| end_call_failed'],
        ),
        (f"{{id: s, notify: {{channel: email, to: [a@example.jp], {MAIL}}}}}", ['s_s[["s<br/>tell staff by email"]]']),
        ("{id: s, enrol: {journey: other}}", ['s_s["s<br/>enrol in other"]']),
        (
            "{id: a, wait: {for: 1d}}, {id: s, goto: {step: a, max_visits: 3}}",
            ['s_s["s<br/>back to a"]', 's_s -->|"at most 3 times in all"| s_a', "s_s --> end_completed"],
        ),
    ],
)
def test_every_verb_says_what_it_does(step: str, expected: list[str]) -> None:
    assert set(expected) <= set(drawn(step))
    assert len(drawn(step)) == len(drawn(step, language="ja"))


@pytest.mark.parametrize(
    ("trigger", "said"),
    [
        ("{type: event, event: Said, where: event.properties.a == 'b'}", "Said where event.properties.a == 'b'"),
        (
            "{type: threshold, aggregate: count, event: Seen, within: 7d, is: '>= 3', group_by: event.properties.id}",
            "count of Seen >= 3 within 7d for one event.properties.id",
        ),
        (
            "{type: threshold, aggregate: sum, event: Paid, field: event.properties.total, is: '>= 100000'}",
            "sum of Paid event.properties.total >= 100000",
        ),
        ("{type: inactivity, events: [Seen, Paid], for: 30d}", "none of Seen, Paid for 30d"),
        (
            "{type: absence, after: {event: Begun}, missing: {event: Paid}, within: 30m}",
            "Begun without Paid within 30m",
        ),
        ("{type: audience, audience: loyal}", "comes into the audience loyal"),
        ("{type: audience, audience: loyal, edge: left}", "leaves the audience loyal"),
        ('{type: date, property: contact.birthday, at: "09:00"}', "birthday, on the day at 09:00"),
        ("{type: date, property: contact.birthday, offset: +3d}", "birthday, 3 days after at 00:00"),
        (
            "{type: calendar, calendar: shop, occasion: sale, offset: -2d}",
            "shop: sale, 2 days before at 00:00",
        ),
        ('{type: schedule, cron: "0 9 * * MON"}', "schedule 0 9 * * MON"),
        ("{type: api}", "enrolled by the API or another journey"),
        ("{type: journey, journey: other}", "other has ended"),
        ("{type: journey, journey: other, outcome: bought}", "other has ended as bought"),
    ],
)
def test_every_trigger_says_what_starts_a_run(trigger: str, said: str) -> None:
    lines = drawn("{id: s, wait: {for: 1d}}", trigger=f"trigger: {trigger}")
    assert f'trigger_1(["{said}"])' in lines
    assert len(lines) == len(drawn("{id: s, wait: {for: 1d}}", trigger=f"trigger: {trigger}", language="ja"))


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (
            "{all: [contact.a == 1, {any: [contact.b == 1, contact.c == 1]}]}",
            "contact.a == 1 and (contact.b == 1 or contact.c == 1)",
        ),
        ("{not: {in_audience: loyal}}", "not: in the audience loyal"),
        ("{performed: {event: Paid, count: 3, within: 30d}}", "Paid, 3 times or more within 30d"),
        ("{performed: {event: Paid, since: entry}}", "Paid since the entry"),
        (
            "{aggregate: {event: Paid, fn: max, field: event.properties.total, is: '> 1', within: 1h}}",
            "max of Paid event.properties.total > 1 within 1h",
        ),
        ("{reachable: [email, sms]}", "reachable by email, sms"),
        ("{consent: {topic: news}}", "consent to news"),
        ("1<contact.age && contact.age <= 9", "1< contact.age && contact.age <= 9"),
        ('{time: {from: "09:00", to: "18:00"}}', "local time from 09:00 to 18:00"),
        ('{time: {days: [sat], from: "09:00", to: "18:00"}}', "local time from 09:00 to 18:00 on sat"),
        ("{bucket: {percent: 10, salt: x}}", "10% of contacts"),
        ("{in_journey: {id: other}}", "inside other"),
        ("{in_journey: {id: other, state: ever}}", "was ever inside other"),
        ('contact.name == "A#1"', "contact.name == 'A#1'"),
    ],
)
def test_every_condition_says_what_it_asks(condition: str, said: str) -> None:
    quoted = condition if condition.startswith("{") else f"'{condition}'"
    lines = drawn("{id: s, wait: {for: 1d}}", f"entry: {{where: {quoted}}}")
    assert f'trigger_1 -->|"only if {said}"| s_s' in lines
    assert len(lines) == len(drawn("{id: s, wait: {for: 1d}}", f"entry: {{where: {quoted}}}", language="ja"))


def test_what_became_of_a_message_is_said_too() -> None:
    steps = (
        f"{{id: mail, send: {{channels: [email], on_fail: exit, {MAIL}}}}},"
        "{id: way, branch: [{if: {message: {step: mail, was: clicked, within: 2d}}, then: []}]}"
    )
    assert {'s_mail -->|"on failure"| end_send_failed', 's_way -->|"mail was clicked within 2d"| end_completed'} <= set(
        drawn(steps)
    )


def test_the_exits_stand_beside_the_way() -> None:
    exits = (
        "exit: [{reason: bought, event: Paid}, {reason: back, if: {in_audience: loyal}}, {reason: late, after: 10d},"
        " {reason: gone, audience_left: loyal}]"
    )
    lines = drawn("{id: s, wait: {for: 1d}}", exits)
    said = "bought: Paid<br/>back: in the audience loyal<br/>late: after 10d<br/>gone: leaves the audience loyal"
    assert [f'early(["ends early<br/>{said}"])', 'trigger_1 -. "at any time" .-> early'] == lines[-2:]


def test_in_japanese_the_same_picture_has_japanese_words() -> None:
    assert [
        "flowchart TD",
        'trigger_1(["Cart Left"])',
        "trigger_1 --> s_rest",
        's_rest{{"rest<br/>1時間30分待つ"}}',
        "s_rest --> end_completed",
        'end_completed(["終了: completed"])',
    ] == drawn("{id: rest, wait: {for: 90m}}", language="ja")


def test_every_language_has_every_phrase() -> None:
    assert [set(PHRASES["en"])] * len(LANGUAGES) == [set(PHRASES[language]) for language in LANGUAGES]
