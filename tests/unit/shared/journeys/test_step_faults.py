"""What the author of a broken step or policy is told; one fault each, in the words that a person reads."""

from __future__ import annotations

import pytest

from tests.unit.shared.journeys.literals import changed, faults

DAYS = "mon, tue, wed, thu, fri, sat, sun"
CHANNELS = "email, in_app, line, push, slack, sms, web_push, webhook, whatsapp"
ENDS = "the expression ends here; write a value, such as contact.email, 5 or 'text'"
CLOCK = 'is not a time of day; write a quoted "HH:MM" or "HH:MM:SS", such as "09:30"'

CONDITIONS = [
    ("'contact.plan = 1'", "`=` has no meaning here; write `==` (at character 14 of the expression)"),
    (
        "'1 + 1'",
        "a condition is true or false, this is an int; compare it with something (at character 1 of the expression)",
    ),
    ("{performed: {event: X}}", "`performed` has either `within` (a duration) or `since: entry`"),
    (
        "{performed: {event: X, within: 1d, since: entry}}",
        "`performed` has either `within` (a duration) or `since: entry`",
    ),
    ("{performed: {event: X, since: start}}", "unknown since `start`; known: entry"),
    (
        "{performed: {event: X, since: entry, where: event.total >}}",
        f"{ENDS} (at character 14 of the expression)",
    ),
    ("{time: {from: 9}}", "expected a text, not `9`; put it in quotes"),
    ("{time: {from: '25:00'}}", f"'25:00' {CLOCK}"),
    ("{time: {days: [monday]}}", f"'monday' is not a day of the week; known: {DAYS}"),
    ("{time: {timezone: Asia/Tokio}}", "'Asia/Tokio' is not a time zone; did you mean Asia/Tokyo?"),
    ("{bucket: {percent: 101, salt: a}}", "expected a number from 0 to 100"),
    ("{bucket: {percent: 10}}", "`salt` is missing"),
    ("{consent: {channel: email}}", "`topic` is missing"),
    ("{consent: {topic: news, channel: fax}}", f"unknown channel `fax`; known: {CHANNELS}"),
    ("{in_journey: {id: cart, state: left}}", "unknown state `left`; known: active, ever"),
]


@pytest.mark.parametrize(("condition", "expected"), CONDITIONS)
def test_a_broken_condition(condition: str, expected: str) -> None:
    assert [f"journey.yaml:5: {expected}"] == faults(changed("{priority: 10}", f"{{where: {condition}}}"))


TOP = [
    (
        "entry: {reentry: {mode: sometimes}}",
        "unknown reentry mode `sometimes`; known: after_exit, always, never, per_key",
    ),
    (
        "entry: {key: event.properties.}",
        "the expression ends here; write a name after the dot (at character 18 of the expression)",
    ),
    ("goals: [{id: x, event: A, value: event.properties.total *}]", f"{ENDS} (at character 25 of the expression)"),
    (
        "exit: [{reason: x, if: contact.a == 1, event: Y}]",
        "an exit rule has exactly one of event, if, audience_left, after",
    ),
    ("exit: [{reason: x, if: contact.a == 1, where: contact.b == 1}]", "`where` belongs to an exit by `event`"),
]


@pytest.mark.parametrize(("line", "expected"), TOP)
def test_a_broken_line_of_the_top(line: str, expected: str) -> None:
    assert [f"journey.yaml:5: {expected}"] == faults(changed("entry: {priority: 10}", line))


WAITS = [
    ("{for: 1d, until: {time: '10:00'}}", "`wait` has either `for` (a duration) or `until` (a local time)"),
    (
        "{for: P1H}",
        "'P1H' is not a calendar span; write P6M, P1Y, P2W, P10D or P1Y6M (hours and minutes: 24h, 45m)",
    ),
    ("{for: P200Y}", "'P200Y' is longer than a hundred years"),
    ("{for: 1d, past: exit}", "`past` belongs to a wait `until` a date"),
    ("{for: 1d, jitter: 1}", "expected a duration such as 45m, 24h, 3d or 2w, not `1`"),
    ("{until: {days: [mon]}}", "`until` has at least one of time, date, property"),
    ("{until: {time: '24:00'}}", f"'24:00' {CLOCK}"),
    ("{until: {time: 10}}", "expected a text, not `10`; put it in quotes"),
    ("{until: {time: '10:00', days: [Mon]}}", f"'Mon' is not a day of the week; known: {DAYS}"),
    ("{until: {time: '10:00', days: mon}}", "expected a list, not `mon`"),
    (
        "{until: {time: '10:00', days: []}}",
        f"no day is listed; leave `days` out for every day, or list some of {DAYS}",
    ),
    ("{until: {date: 2026-02-30}}", "`2026-02-30` is not a date; write one such as 2026-12-24"),
    ("{until: {date: 2026-02-03, days: [mon]}}", "a wait until a `date` has no `days` and no `property`"),
    ("{until: {property: birthday}}", "`birthday` is not a trait; write contact.NAME, such as contact.birthday"),
    ("{until: {property: contact.birthday, days: [mon]}}", "a wait until a `property` has no `days`"),
    ("{until: {property: contact.birthday, offset: 10}}", "expected a text, not `10`; put it in quotes"),
    (
        "{until: {property: contact.birthday, offset: -1h}}",
        "`-1h` is not an offset; write days with a sign, such as -10d, 0d or +3d",
    ),
    ("{until: {property: contact.birthday, match: yearly}}", "unknown match `yearly`; known: anniversary, exact"),
    ("{until: {property: contact.birthday}, past: skip}", "unknown past `skip`; known: continue, exit"),
    ("{until: {time: '10:00', offset: 1d}}", "`offset` belongs to a wait until a `property`"),
    ("{until: {time: '10:00', timezone: Tokyo}}", "'Tokyo' is not a time zone; did you mean Asia/Tokyo?"),
    ("{until: {time: '10:00', latest: 0s}}", "expected a duration longer than nothing"),
]


@pytest.mark.parametrize(("wait", "expected"), WAITS)
def test_a_broken_wait(wait: str, expected: str) -> None:
    assert [f"journey.yaml:9: {expected}"] == faults(changed("wait: {for: 1d}", f"wait: {wait}"))


STEPS = [
    ("wait_for: {any: []}", "a `wait_for` waits for at least one thing"),
    ("wait_for: {any: [{id: a}]}", "what is waited for is either an `event` or an `if`"),
    (
        "wait_for: {any: [{id: a, event: X, if: contact.a == 1}]}",
        "what is waited for is either an `event` or an `if`",
    ),
    (
        "wait_for: {any: [{id: a, if: contact.a == 1, where: contact.b == 1}]}",
        "`where` belongs to an `event`; join conditions with `all`",
    ),
    (
        "wait_for: {any: [{id: a, event: X}], timeout: 1d}",
        "expected a mapping (lines of `key: value`), not `1d`",
    ),
    ("wait_for: {any: [{id: a, event: X}], timeout: {then: []}}", "`after` is missing"),
    ("branch: []", "a branch has at least one way"),
    ("branch: {}", "expected a list, not a mapping"),
    (
        "branch: [{if: contact.a == 1, then: []}, {else: []}, {if: contact.b == 1, then: []}]",
        "`else` is the last way of a branch",
    ),
    ("branch: [{else: []}, {else: []}]", "`else` is the last way of a branch"),
    ("branch: [{then: []}]", "a way of a branch is `if` with `then`, or `else`"),
    ("branch: [{if: contact.a == 1}]", "a way of a branch is `if` with `then`, or `else`"),
    ("branch: [{if: contact.a == 1, else: []}]", "a way of a branch is `if` with `then`, or `else`"),
    ("branch: [{if: contact.a ==, then: []}]", f"{ENDS} (at character 13 of the expression)"),
    (
        "branch: [{if: contact.a == 1, then: [{id: rest, exit: {reason: x}}]}]",
        "step id `rest` is used twice",
    ),
    (
        "branch: [{else: [{id: out, exit: {reason: x}}, {id: dead, wait: {for: 1d}}]}]",
        "step `dead` is never reached: `out` before it exits",
    ),
    ("experiment: {salt: a, variants: []}", "an experiment has at least one variant"),
    ("experiment: {salt: a, variants: [{id: a, weight: 0}]}", "at least one variant needs a weight above 0"),
    ("experiment: {salt: a, variants: [{id: a, weight: 1}, {id: a, weight: 1}]}", "a variant id is used twice"),
    (
        "experiment: {salt: a, variants: [{id: a, weight: 1}, {id: b, weight: -1}]}",
        "expected a whole number from 0 to 10000",
    ),
    ("experiment: {variants: [{id: a, weight: 1}]}", "`salt` is missing"),
    (
        "update: {}",
        "`update` has at least one of set, increment, add_tags, remove_tags, subscribe, unsubscribe",
    ),
    ("update: {set: {a: [1]}}", "expected a text, a number, true or false, or {expr: …}"),
    ("update: {set: {a: {expr: contact.b +}}}", f"{ENDS} (at character 12 of the expression)"),
    ("update: {increment: {a: many}}", "expected a number from -1e+09 to 1e+09"),
    ("update: {add_tags: vip}", "expected a list, not `vip`"),
    ("emit: {properties: {}}", "`event` is missing"),
    ("goto: {step: helo, max_visits: 2}", "unknown step `helo`; did you mean `hello`?"),
    (
        "goto: {step: hello, max_visits: 2}",
        "the loop hello -> rest -> hello has no wait in it; give it a `wait` with `for`",
    ),
    ("goto: {step: end, max_visits: 0}", "expected a whole number from 1 to 1000"),
]


@pytest.mark.parametrize(("step", "expected"), STEPS)
def test_a_broken_step(step: str, expected: str) -> None:
    assert [f"journey.yaml:9: {expected}"] == faults(changed("wait: {for: 1d}", step))


def test_a_goto_that_goes_back_says_how_often() -> None:
    back = changed("  - {id: end, exit: {reason: done}}\n", "  - {id: again, goto: {step: hello}}\n")
    assert ["journey.yaml:10: a goto that goes back says how often: `max_visits`"] == faults(back)
    assert [] == faults(back.replace("{step: hello}", "{step: hello, max_visits: 3}"))


def test_what_stands_behind_a_goto_without_an_end_is_never_reached() -> None:
    text = changed("wait: {for: 1d}}", "goto: {step: end}}\n  - {id: more, wait: {for: 1d}}")
    assert ["journey.yaml:10: step `more` is never reached: `rest` before it goes elsewhere"] == faults(text)


QUIET = "quiet_hours: {from: '21:00', to: '08:00', "
POLICIES = [
    ("holdout: {percent: 5}", "`salt` is missing"),
    ("holdout: {percent: 120, salt: a}", "expected a number from 0 to 100"),
    ("frequency_cap: {max: 1, per: 1d}", "expected a list, not a mapping"),
    ("frequency_cap: none", "expected a list, not `none`"),
    ("frequency_cap: [{max: 0, per: 1d}]", "expected a whole number from 1 to 1000"),
    ("frequency_cap: [{max: 1}]", "`per` is missing"),
    ("frequency_cap: [{max: 1, per: 0s}]", "expected a duration longer than nothing"),
    ("frequency_cap: [{max: 1, per: 1d, scope: all}]", "unknown scope `all`; known: contact, journey"),
    (
        "frequency_cap: [{max: 1, per: 1d, when_capped: wait}]",
        "unknown when_capped `wait`; known: defer, exit, next_channel, skip",
    ),
    ("frequency_cap: [{max: 1, per: 1d, channel: fax}]", f"unknown channel `fax`; known: {CHANNELS}"),
    ("quiet_hours: {from: '21:00'}", "`to` is missing"),
    ("quiet_hours: {from: '21:00', to: '21:00'}", "quiet hours from 21:00 to 21:00 never end"),
    ("quiet_hours: {from: 9pm, to: '08:00'}", f"'9pm' {CLOCK}"),
    (QUIET + "when_quiet: send}", "unknown when_quiet `send`; known: defer, exit, skip"),
    (QUIET + "timezone: JP}", "'JP' is not a time zone; write an IANA name such as Asia/Tokyo"),
    (QUIET + "fallback_timezone: JP}", "'JP' is not a time zone; write an IANA name such as Asia/Tokyo"),
    (QUIET + "max_defer: 0s}", "expected a duration longer than nothing"),
    ("send_window: {from: '09:00'}", "`to` is missing"),
    ("utm: {hosts: [shop.example]}", "`source` is missing"),
    ("utm: {hosts: [], source: s}", "expected at least one host"),
    (
        "utm: {hosts: ['https://shop.example/'], source: s}",
        "`https://shop.example/` is not a host; write one such as shop.example.com",
    ),
    (
        "utm: {hosts: [shop.example], source: s, term: t}",
        "unknown key `term`; known: campaign, content, hosts, medium, source",
    ),
    (
        "send_window: {from: '09:00', to: '18:00', days: [mon, fry]}",
        f"'fry' is not a day of the week; known: {DAYS}",
    ),
    (
        "send_window: {from: '09:00', to: '18:00', when_outside: send}",
        "unknown when_outside `send`; known: defer, exit, skip",
    ),
]


@pytest.mark.parametrize(("policy", "expected"), POLICIES)
def test_a_broken_policy(policy: str, expected: str) -> None:
    written = changed("{purpose: transactional}", f"{{purpose: transactional, {policy}}}")
    assert [f"journey.yaml:6: {expected}"] == faults(written)
