"""What the author of a broken journey is told: each fault with its line, all of them at once."""

from __future__ import annotations

import pytest

from tests.unit.shared.journeys.literals import VALID, changed, faults

CONDITIONS = (
    "all, any, not, performed, reachable, consent, time, bucket, in_journey, aggregate, in_audience, message, online"
)
VERBS = "wait, wait_for, branch, experiment, send, update, emit, call, notify, enrol, collect, goto, exit"
ROOTS = "a path starts with one of contact, event, context, trigger, journey, message, now"
ENDS = "the expression ends here; write a value, such as contact.email, 5 or 'text'"
FIRST = "(at character 1 of the expression)"

BROKEN: list[tuple[str, str, list[str]]] = [
    # Keys
    ("entry:", "entyr:", ["5: unknown key `entyr`; did you mean `entry`?"]),
    ("{priority: 10}", "{colour: 1}", [
        "5: unknown key `colour`; known: backfill, key, limit, on_retrigger, priority, rate, reentry, where, window"
    ]),
    ("id: welcome\n", "id: welcome\non: true\n", ["3: unknown key `on`"]),
    ("id: welcome\n", "id: welcome\n1: x\n", ["3: unknown key `1`"]),
    ("id: welcome\n", "id: welcome\n<<: {id: x}\n", ["3: unknown key `<<`"]),
    ("id: welcome\n", "id: welcome\nid: other\n", ["3: key `id` is written twice; keep one"]),
    ("schema: journey/v1\n", "", ["1: `schema` is missing"]),
    ("version: 1\n", "", ["1: `version` is missing"]),
    ("trigger: {type: event, event: Signed Up}\n", "", ["1: `trigger` is missing: nothing starts this journey"]),
    ("entry: {priority: 10}", "triggers: []", [
        "5: a journey has at least one trigger",
        "5: write either `trigger` or `triggers`, not both",
    ]),
    ("{id: rest, wait: {for: 1d}}", "{wait: {for: 1d}}", ["9: `id` is missing"]),
    ("wait: {for: 1d}", "wait: {}", ["9: `wait` has either `for` (a duration) or `until` (a local time)"]),
    ("exit: {reason: done}", "exit: ", ["10: expected a mapping (lines of `key: value`), but nothing is written here"]),
    # Kinds of values
    ("schema: journey/v1", "schema: journey/v2", ["1: unknown schema `journey/v2`; did you mean `journey/v1`?"]),
    ("id: welcome", "id: 5", ["2: expected a text, not `5`; put it in quotes"]),
    ("id: welcome", "id: true", ["2: expected a text, not `true`; put it in quotes"]),
    ("id: welcome", "id:", ["2: expected a text, but nothing is written here"]),
    ("id: welcome", 'id: ""', ["2: expected a text that is not empty"]),
    ("id: welcome", "id: [welcome]", ["2: expected a text, not a list; a text that starts with { or [ needs quotes"]),
    ("id: welcome", "id: Welcome mail", [
        "2: `Welcome mail` is not an id; use up to 64 small letters, digits and _, a letter first",
    ]),
    ("version: 1", 'version: "1"', ["3: expected a whole number from 1 to 1000000, not `1`"]),
    ("version: 1", "version: 1.5", ["3: expected a whole number from 1 to 1000000, not `1.5`"]),
    ("version: 1", "version: 0", ["3: expected a whole number from 1 to 1000000"]),
    ("version: 1", "version: true", ["3: expected a whole number from 1 to 1000000, not `true`"]),
    ("version: 1", "version: " + "9" * 5000, [
        "3: expected a whole number from 1 to 1000000, not `" + "9" * 60 + "…`",
    ]),
    ("priority: 10", "priority: 101", ["5: expected a whole number from 0 to 100"]),
    ("{type: event, event: Signed Up}", "Signed Up", [
        "4: expected a mapping (lines of `key: value`), not `Signed Up`",
    ]),
    ("[email]", "email", ["8: expected a list, not `email`"]),
    ("[email]", "[]", ["8: expected at least one channel"]),
    ("[email]", "[email, email]", ["8: a channel is listed twice"]),
    ("[email]", "[e-mail]", [
        "8: unknown channel `e-mail`; did you mean `email`?",
    ]),
    ("purpose: transactional", "purpose: no", ["6: unknown purpose `no`; known: marketing, transactional"]),
    ("purpose: transactional", "purpose: false", ["6: expected purpose: one of marketing, transactional"]),
    # Durations and times
    ("for: 1d", "for: 45", ["9: expected a duration such as 45m, 24h, 3d or 2w, not `45`"]),
    ("for: 1d", "for: 1 day", [
        "9: `1 day` is not a duration; write a number and a unit, such as 45m, 24h, 3d or 2w",
    ]),
    ("for: 1d", "for: 21:00", [
        "9: `21:00` is not a duration; write a number and a unit, such as 45m, 24h, 3d or 2w",
    ]),
    ("for: 1d", "for: 2026-01-01", [
        "9: `2026-01-01` is not a duration; write a number and a unit, such as 45m, 24h, 3d or 2w",
    ]),
    ("for: 1d", "for: 6000w", ["9: `6000w` is longer than a hundred years"]),
    ("[email], ", "[email], expires: 0m, ", ["8: expected a duration longer than nothing"]),
    # Conditions and paths
    ("{priority: 10}", "{where: event.propertes.total > 1}", [
        "5: `event` has no `propertes`; did you mean `properties`?",
    ]),
    ("[email], ", "[email, fax], ", [
        "8: unknown channel `fax`; known: email, in_app, line, push, slack, sms, web_push, webhook, whatsapp",
    ]),
    ("{priority: 10}", "{where: event.total >}", [
        f"5: {ENDS} (at character 14 of the expression)",
    ]),
    ("{priority: 10}", "{where: {reachable: [email], not: {reachable: [sms]}}}", [
        f"5: a condition has exactly one of {CONDITIONS}",
    ]),
    ("{priority: 10}", "{where: {}}", [f"5: a condition has exactly one of {CONDITIONS}"]),
    ("{priority: 10}", "{where: {performed: {event: Signed Up, within: 0s, count: 2000}}}", [
        "5: expected a duration longer than nothing",
        "5: expected a whole number from 1 to 1000",
    ]),
    ("{priority: 10}", "{key: order}", [
        f"5: unknown root `order`; {ROOTS}; write the whole path, such as `contact.order` {FIRST}",
    ]),
    ("{priority: 10}", "{key: user.id}", [
        f"5: unknown root `user`; {ROOTS}; write the whole path, such as `contact.user` {FIRST}",
    ]),
    # Steps
    ("{id: rest, wait: {for: 1d}}", "{id: rest, wait: {for: 1d}, exit: {reason: x}}", [
        f"9: a step has exactly one verb of {VERBS}",
    ]),
    ("{id: rest, wait: {for: 1d}}", "{id: rest}", [f"9: a step has exactly one verb of {VERBS}"]),
    ("{id: rest, wait: {for: 1d}}", "{id: rest, wate: {for: 1d}}", ["9: unknown key `wate`; did you mean `wait`?"]),
    ("{id: rest,", "{id: hello,", ["9: step id `hello` is used twice"]),
    ("wait: {for: 1d}", "exit: {reason: x}", ["10: step `end` is never reached: `rest` before it exits"]),
    ("{purpose: transactional}", "{max_sends: 1}", [
        "6: a marketing journey that sends names its consent `topic` in `policy`",
    ]),
    ("policy: {purpose: transactional}\n", "", [
        "6: a marketing journey that sends names its consent `topic` in `policy`",
    ]),
    # Templates
    ("{email: {subject: Hi, text: Hello}}", "cart/remnd", [
        "8: there is no file `templates/cart/remnd.yaml`; did you mean `cart/remind`?",
    ]),
    ("[email], template: {email: {subject: Hi, text: Hello}}", "[email, sms], template: cart/remind", [
        "8: template `cart/remind` has no text for sms in locale ja",
    ]),
    ("{email: {subject: Hi, text: Hello}}", "{sms: {text: Hello}}", [
        "8: template `hello` has no text for email in locale default",
    ]),
    ("subject: Hi, ", "", ["8: `subject` is missing"]),
    ("subject: Hi,", "subject: {{ context.name }},", [
        "8: a key is a word; a text that starts with { or [ needs quotes",
    ]),
    ("subject: Hi,", "subject: {{ context.name }} left,", [
        "8: a key is a word; a text that starts with { or [ needs quotes",
    ]),
    # Exits and goals
    ("entry: {priority: 10}", "exit: [{reason: bought}]", [
        "5: an exit rule has exactly one of event, if, audience_left, after",
    ]),
    ("entry: {priority: 10}", "exit: [{reason: x, after: 1d, where: {reachable: [email]}}]", [
        "5: `where` belongs to an exit by `event`",
    ]),
    ("entry: {priority: 10}", "goals: [{id: a, event: X}, {id: a, event: Y}]", ["5: goal id `a` is used twice"]),
    ("trigger: {type: event, event: Signed Up}", "triggers: [{type: event, event: X}, {type: event, event: X}]", [
        "4: two triggers for `X`; join their `where` with `any`",
    ]),
    # What YAML itself does not allow, or this language does not
    ("entry: {priority: 10}", "entry:\n\tpriority: 10", ["6: a tab; indent with spaces"]),
    ("id: welcome", "id: welcome: mail", [
        "2: a `:` in the wrong place; check the indentation, and put a text with a `:` in it in quotes",
    ]),
    ("id: welcome", 'id: "welcome', ["2: the quote that opens here is not closed"]),
    ("[email]", "[email", ["8: what opens here with [ or { is not closed, or a comma is missing"]),
    ("subject: Hi,", "subject: Hi: there,", [
        "8: what opens here with [ or { is not closed, or a comma is missing; a text with `: ` in it needs quotes",
    ]),
    ("id: welcome", "id: welcome\n   name: x", [
        "3: a `:` in the wrong place; check the indentation, and put a text with a `:` in it in quotes",
    ]),
    ("id: welcome", "id: &x welcome\nname: *x", [
        "2: `&x`: anchors are not read; a text that starts so needs quotes",
        "3: `*x`: aliases are not read; write the value out (a text needs quotes)",
    ]),
    ("id: welcome", "id: !!python/name:os.system welcome", [
        "2: `!`: tags are not read; a text that starts so needs quotes",
    ]),
    ("id: welcome", "? [id]\n: welcome", ["2: a key is a word; a text that starts with { or [ needs quotes"]),
    ("id: welcome", "id: welcome\n---\nid: other", ["3: a second document; one file holds one, without `---`"]),
    ("schema: journey/v1", "%YAML 1.1\n---\nschema: journey/v1", [
        "2: this is read as YAML 1.2; leave out the %YAML line",
    ]),
    ("id: welcome", "id: wel\x00come", ["2: a character that no text has; is this a YAML file?"]),
]  # fmt: skip


def test_the_journey_that_the_tests_break_is_valid() -> None:
    assert [] == faults(VALID)


@pytest.mark.parametrize(("old", "new", "expected"), BROKEN)
def test_a_fault_says_its_line_and_what_to_do(old: str, new: str, expected: list[str]) -> None:
    assert [f"journey.yaml:{fault}" for fault in expected] == faults(changed(old, new))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1: the file is empty; it starts with `schema:`"),
        ("# nothing yet\n", "1: the file is empty; it starts with `schema:`"),
        ("---\n", "1: the file is empty; it starts with `schema:`"),
        ("- schema: journey/v1\n", "1: expected a mapping (lines of `key: value`), not a list"),
        ("welcome", "1: expected a mapping (lines of `key: value`), not `welcome`"),
        ("id: x\n" * 100_000, "1: the file is longer than 250000 characters"),
        ("[" * 5_000, "1: nested deeper than 32 levels"),
        ("- " * 5_000, "1: nested deeper than 32 levels"),
        ("a: " + "{a: " * 5_000, "1: nested deeper than 32 levels"),
    ],
)
def test_a_file_that_is_no_journey_at_all_gets_one_fault(text: str, expected: str) -> None:
    assert [f"journey.yaml:{expected}"] == faults(text)


def test_all_faults_of_a_file_are_found_in_one_run() -> None:
    text = """\
schema: journey/v1
name: 5
trigger: {type: event, max_age: soon}
steps:
  - {id: Hello, send: {template: nowhere, channels: [e-mail], mode: any}}
  - {id: wait, collect: []}
  - {id: wait, wait: {for: 1}}
"""
    assert [
        "journey.yaml:1: `id` is missing",
        "journey.yaml:1: `version` is missing",
        "journey.yaml:2: expected a text, not `5`; put it in quotes",
        "journey.yaml:3: `event` is missing",
        "journey.yaml:5: `Hello` is not an id; use up to 64 small letters, digits and _, a letter first",
        "journey.yaml:5: there is no file `templates/nowhere.yaml`; known: cart/remind",
        "journey.yaml:5: unknown channel `e-mail`; did you mean `email`?",
        "journey.yaml:5: unknown mode `any`; known: all, first_reachable, preferred",
        "journey.yaml:6: expected a mapping (lines of `key: value`), not a list",
        "journey.yaml:7: step id `wait` is used twice",
        "journey.yaml:7: expected a duration such as 45m, 24h, 3d or 2w, not `1`",
    ] == faults(text)


def test_a_billion_laughs_cost_nothing() -> None:
    """Aliases that multiply are refused where they stand, and nothing is ever multiplied."""
    bomb = "a0: &a0 [lol, lol]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    found = faults(bomb + VALID)
    assert 30 + 29 * 9 == len(found)
    assert "journey.yaml:1: `&a0`: anchors are not read; a text that starts so needs quotes" == found[0]
