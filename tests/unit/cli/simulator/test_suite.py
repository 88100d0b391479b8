"""``kikkake journeys test``: each form of claim, true and false; and what a failing one prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.simulator.documents import read_tests
from cli.simulator.suite import Report, find_files, judge, play, run_suite
from shared.journeys.faults import Fault
from shared.journeys.files import load_definitions
from shared.journeys.model import Definitions
from tests.builders import CART, JOURNEYS, a_journey

HEAD = """\
schema: journey-test/v1
journey: cart@1
start: "2026-03-02T10:00:00+09:00"
contact: {traits: {email: a@example.jp, tier: gold, points: 3, ratio: 0.5}, consent: {cart_reminders: granted}}
"""
EVENTS = """\
scenarios:
  - name: the cart
    events:
      - {at: +0m, id: m1, event: Product Added, properties: {name: Kettle}}
      - {at: +10m, id: m1, event: Product Added, properties: {name: Kettle}}
      - {at: +20m, event: Product Added, properties: {name: Teapot}}
      - {at: +1h10m, arrives: +2h, event: Order Completed, properties: {total: 49.5}}
      - {at: +3h, type: identify, traits: {tier: none, tags: [a, b]}}
      - {at: +4h, consent: {cart_reminders: granted, news: revoked}}
      - {at: "2026-03-02T15:00:00+09:00", event: Consent Revoked, properties: {topic: cart_reminders}}
      - {at: +6h, type: page, properties: {name: Home}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cart.yaml").write_text(CART)
    return tmp_path


def run(folder: Path, claims: str, events: str = EVENTS) -> Report:
    (folder / "cart.test.yaml").write_text(f"{HEAD}{events}    expect:\n{claims}")
    return run_suite(find_files([folder]))


TRUE = """
{at: +1h5m, send: remind_1}
{send: remind_1, channel: email, render: {contains: Teapot}}
{send: remind_1, render: {contains: Hello}}
{exit: converted}
{exit: converted, at: +1h10m, regret: []}
{not_entered: already_inside, at: +20m}
{never: {send: remind_2}}
{count: {send: remind_1}, equals: 1}
{count: {send: any}, equals: 1}
{trait: tier, is: none}
{trait: tags, is: [a, b]}
{trait: points, is: 3}
{trait: ratio, is: 0.5}
{trait: unheard_of, is: null}
""".strip().splitlines()
FALSE = """
{at: +1h4m59s, send: remind_1}
{at: "2026-03-02T11:05:01+09:00", send: remind_1}
{send: remind_2}
{send: remind_1, channel: sms}
{send: remind_1, render: {contains: Kettle}}
{exit: converted, regret: [remind_1]}
{exit: converted, at: +2h}
{exit: max_duration}
{skip: remind_1, reason: no_consent}
{not_entered: too_old}
{not_entered: already_inside, at: +10m}
{never: {send: any}}
{never: {send: remind_1}}
{count: {send: any}, equals: 2}
{trait: tier, is: gold}
{trait: points, is: true}
{trait: points, is: "3"}
{call: coupons.issue}
{emit: Reminded}
""".strip().splitlines()


@pytest.mark.parametrize("claim", TRUE)
def test_a_claim_that_is_true_passes(folder: Path, claim: str) -> None:
    report = run(folder, f"      - {claim}\n")
    assert (1, 0, 0, []) == (report.scenarios, report.failed, report.faults, report.lines)


@pytest.mark.parametrize("claim", FALSE)
def test_a_claim_that_is_false_fails_at_its_line(folder: Path, claim: str) -> None:
    report = run(folder, f"      - {claim}\n")
    assert (1, 1, 0) == (report.scenarios, report.failed, report.faults)
    assert f"{folder}/cart.test.yaml:17: the cart" == report.lines[0]
    assert report.lines[1].startswith("  expected  ")
    assert report.lines[2].startswith("  actual    ")


def test_a_failing_claim_shows_what_was_expected_and_what_was_decided(folder: Path) -> None:
    report = run(folder, "      - {at: +45m, send: remind_1, channel: email, render: {contains: Cup}}\n")
    assert [
        f"{folder}/cart.test.yaml:17: the cart",
        "  expected  send remind_1 by email at +45m (2026-03-02T01:45:00+00:00), with `Cup` in its texts",
        "  actual    +0s     entered",
        "            +10m    not_entered duplicate_event",
        "            +20m    not_entered already_inside",
        "            +1h5m   send remind_1 by email",
        "            +1h10m  converted remind_1 recovered",
        "            +1h10m  exited converted",
        "            the texts of remind_1:",
        "              subject: Teapot",
        "              text: Hello",
    ] == report.lines


def test_regret_names_every_message_that_a_late_event_would_have_stopped(folder: Path) -> None:
    events = """\
scenarios:
  - name: late
    events:
      - {at: +0m, event: Product Added, properties: {name: Kettle}}
      - {at: +40m, arrives: +50m, event: Order Completed}
"""
    claims = "      - {exit: converted, at: +40m, regret: [remind_1]}\n"
    assert [] == run(folder, claims, events).lines
    assert 1 == run(folder, claims.replace("[remind_1]", "[]"), events).failed


def test_what_is_known_of_the_contact_starts_nothing_but_the_same_said_by_an_event_does(folder: Path) -> None:
    (folder / "cart.yaml").write_text(
        CART.replace("event: Product Added, max_age: 30m", "event: Identified").replace("{{ context.product }}", "Hi")
    )
    events = "scenarios:\n  - name: known\n    events: {events}\n"
    none, one = events.format(events="[]"), events.format(events="[{at: +1s, type: identify, traits: {tier: none}}]")
    assert [] == run(folder, "      - {never: {send: any}}\n", none).lines
    assert [] == run(folder, "      - {send: remind_1, at: +45m1s}\n", one).lines


def test_consent_that_is_granted_at_the_start_is_newer_than_what_was_known(folder: Path) -> None:
    events = """\
scenarios:
  - name: back
    contact: {traits: {email: a@example.jp}, consent: {cart_reminders: revoked}}
    events:
      - {at: +0m, consent: {cart_reminders: granted}}
      - {at: +0m, event: Product Added, properties: {name: Kettle}}
"""
    assert [] == run(folder, "      - {at: +45m, send: remind_1}\n", events).lines


def test_events_of_before_the_start_are_no_late_ones(folder: Path) -> None:
    events = """\
scenarios:
  - name: yesterday
    events:
      - {at: "2026-03-01T10:00:00+09:00", event: Product Added, properties: {name: Kettle}}
"""
    assert [] == run(folder, "      - {at: -23h15m, send: remind_1}\n", events).lines


def test_until_stops_the_clock_and_a_scenario_has_its_own_start_and_contact(folder: Path) -> None:
    events = """\
scenarios:
  - name: short
    start: "2026-07-01T00:00:00Z"
    until: +44m59s
    contact: {id: 77, locale: ja, traits: {email: b@example.jp}}
    events:
      - {at: +0m, event: Product Added, properties: {name: Kettle}}
"""
    assert [] == run(folder, "      - {never: {send: any}}\n      - {trait: locale, is: ja}\n", events).lines
    assert 1 == run(folder, "      - {skip: remind_1, reason: no_consent}\n", events).failed
    longer = events.replace("44m59s", "45m")
    assert [] == run(folder, "      - {skip: remind_1, reason: no_consent, at: +45m}\n", longer).lines


def test_a_contact_that_nobody_can_be_is_said_and_no_traceback(folder: Path) -> None:
    events = "scenarios:\n  - name: nobody\n    contact: {id: anonymous, traits: {email: a@example.jp}}\n"
    report = run(folder, "      - {never: {send: any}}\n", events)
    assert ["  cannot run: contact: userId is a value that no contact can have"] == report.lines[1:]


COUPON = """\
schema: journey/v1
id: coupons
version: 1
trigger: {type: event, event: Go}
policy: {purpose: transactional}
steps:
  - {id: ask, call: {connector: coupons.issue, save_as: coupon, timeout: 5m, on_fail: exit}}
  - {id: tell, emit: {event: Coupon Issued}}
  - {id: note, update: {set: {coupon: {expr: context.coupon.code}}}}
  - {id: pass, enrol: {journey: other}}
"""
COUPON_TEST = """\
schema: journey-test/v1
journey: coupons
start: "2026-03-02T10:00:00Z"
scenarios:
  - name: a coupon
    events: [{at: +0m, event: Go}, ANSWER]
    expect: [CLAIM]
"""


def judged(answer: str, claim: str) -> list[str]:
    """Return what is not as ``claim`` says when the connector gives ``answer``."""
    faults: list[Fault] = []
    text = COUPON_TEST.replace("ANSWER", answer).replace("CLAIM", claim)
    whole = Definitions(journeys=(a_journey(COUPON),))
    scenarios = read_tests("coupons.test.yaml", text, whole.journeys, faults)
    assert [] == faults
    return judge(scenarios[0], whole)


GIVEN = "{answer: coupons.issue, data: {code: TEN}}"


@pytest.mark.parametrize(
    ("answer", "claim"),
    [
        (GIVEN, "{call: coupons.issue, at: +0m}"),
        (GIVEN, "{emit: Coupon Issued, at: +0m}"),
        (GIVEN, "{trait: coupon, is: TEN}"),
        (GIVEN.replace("{answer", "{at: +3m, answer"), "{emit: Coupon Issued, at: +3m}"),
        ("{answer: coupons.issue, error: refused}", "{exit: call_failed, at: +0m}"),
        ("{at: +1m, answer: coupons.issue, error: refused}", "{exit: call_failed, at: +1m}"),
        ("{at: +1m, event: Other}", "{exit: call_failed, at: +5m}"),
    ],
)
def test_a_call_is_answered_as_the_test_says(answer: str, claim: str) -> None:
    assert [] == judged(answer, claim)


def test_a_call_that_is_not_made_is_not_found() -> None:
    assert "  expected  call crm" == judged(GIVEN, "{call: crm}")[1]
    assert (
        "  expected  emit Coupon Issued at +3m (2026-03-02T10:03:00+00:00)"
        == judged(GIVEN, "{emit: Coupon Issued, at: +3m}")[1]
    )


def test_an_answer_that_nobody_asked_for_is_said() -> None:
    said = judged("{at: +9m, answer: crm, data: 1}", "{call: coupons.issue}")
    assert "  cannot run: no call of crm waits for the answer that is given" == said[1]


def test_answers_are_given_one_after_another_and_the_last_again() -> None:
    twice = COUPON.replace("on_fail: exit", "").replace("timeout: 5m, ", "timeout: 5m")
    loop = twice.replace(
        "  - {id: pass",
        "  - {id: rest, wait: {for: 1m}}\n  - {id: again, goto: {step: ask, max_visits: 3}}\n  - {id: pass",
    )
    whole = Definitions(journeys=(a_journey(loop),))
    answers = "{answer: coupons.issue, error: refused}, {answer: coupons.issue, data: {code: TEN}}"
    faults: list[Fault] = []
    text = COUPON_TEST.replace("ANSWER", answers).replace("CLAIM", "{trait: coupon, is: TEN}")
    [scenario] = read_tests("coupons.test.yaml", text, whole.journeys, faults)
    simulator = play(scenario, whole)
    reasons = [it.record.reason for it in simulator.decided if it.record.decision == "answered"]
    assert ["refused", None, None] == reasons


def test_an_enrolment_stands_among_the_events() -> None:
    made = COUPON.replace("{type: event, event: Go}", "{type: api}")
    whole = Definitions(journeys=(a_journey(made),))
    faults: list[Fault] = []
    text = COUPON_TEST.replace(
        "{at: +0m, event: Go}, ANSWER", "{at: +2m, type: enrolment, journey: coupons, context: {a: 1}}"
    )
    [scenario] = read_tests(
        "coupons.test.yaml", text.replace("CLAIM", "{call: coupons.issue, at: +2m}"), whole.journeys, faults
    )
    assert ([], []) == (faults, judge(scenario, whole))


def test_the_sample_with_its_coupon_runs_through() -> None:
    """The cart journey whose second text has the coupon that a connector issues."""
    report = run_suite(find_files([Path(__file__).parent / "sample"]))
    assert ([], 5, True) == (report.lines, report.scenarios, report.passed)


def test_the_shipped_tests_pass() -> None:
    report = run_suite(find_files([JOURNEYS]))
    assert ([], True) == (report.lines, report.passed)
    shipped = {journey.id for journey in load_definitions(JOURNEYS).journeys}
    tested = {file.name.removesuffix(".test.yaml") for file in JOURNEYS.glob("*.test.yaml")}
    assert {"cart_abandonment", "order_confirmation"} <= tested <= shipped


ALARM = """
schema: journey/v1
id: alarm
version: 1
trigger: {type: event, event: Flight Late}
policy: {purpose: transactional}
steps:
  - id: tell
    send:
      channels: [email, sms, push]
      mode: all
      data: {hours: {expr: event.properties.hours}}
      template:
        email: {subject: Late, text: "{{ data.hours }} hours late"}
        sms: {text: "Late: {{ data.hours }} h"}
        push: {title: Late, body: Late}
"""


def test_a_claim_names_one_of_the_channels_that_a_step_sends_by(tmp_path: Path) -> None:
    (tmp_path / "alarm.yaml").write_text(ALARM)
    claims = """\
      - {at: +0m, send: tell, channel: email, render: {contains: 3 hours}}
      - {at: +0m, send: tell, channel: sms, render: {contains: "3 h"}}
      - {count: {send: tell}, equals: 2}
"""
    head = """\
schema: journey-test/v1
journey: alarm@1
start: "2026-03-02T10:00:00+09:00"
contact: {traits: {email: a@example.jp, phone: "+8190"}}
scenarios:
  - name: each channel that reaches the contact
    events: [{at: +0m, event: Flight Late, properties: {hours: 3}}]
    expect:
"""
    (tmp_path / "alarm.test.yaml").write_text(head + claims)
    assert (1, 0, 0) == counts(run_suite(find_files([tmp_path])))
    (tmp_path / "alarm.test.yaml").write_text(head + "      - {send: tell, channel: push}\n")
    assert (1, 1, 0) == counts(run_suite(find_files([tmp_path])))


def counts(report: Report) -> tuple[int, int, int]:
    return report.scenarios, report.failed, report.faults
