"""What is promised and does not hold is a fault that shows the way; what holds says why."""

from __future__ import annotations

import pytest

from shared.journeys.flow.proofs import study, verdicts
from tests.unit.shared.journeys.flow.literals import journey, told

THREE = """
    - {id: a, MAIL}
    - {id: rest, wait: {for: 1d}}
    - {id: b, MAIL}
    - {id: more, wait: {for: 1h}}
    - {id: c, MAIL}
"""
LOOP = """
    - {id: a, MAIL}
    - {id: rest, wait: {for: 1d}}
    - {id: again, goto: {step: a, max_visits: 3}}
"""
WAYS = """
    - id: way
      branch:
        - {if: contact.vip == true, then: [{id: gift, MAIL}, {id: nap, wait: {for: 2h}}, {id: more, MAIL}]}
        - else: [{id: plain, MAIL}]
    - {id: rest, wait: {for: 3h}}
    - {id: last, MAIL}
"""
TEST = """
    - id: test
      experiment:
        salt: s
        variants: [{id: x, weight: 1, then: [{id: a, MAIL}]}, {id: y, weight: 1, then: [{id: b, MAIL}]}]
"""
HEAR = """
    - id: hear
      wait_for:
        any: [{id: paid, event: Paid, then: [{id: out, exit: {reason: paid}}]}]
        timeout: {after: 2d}
    - {id: a, MAIL}
"""
ASK = """
    - {id: rest, wait: {for: 1d}}
    - {id: ask, branch: [{if: {performed: {event: Paid, since: entry}}, then: [{id: out, exit: {reason: paid}}]}]}
    - {id: a, MAIL}
"""
MARKETING = "policy: {topic: news, "

REFUTED = [
    (
        THREE,
        "invariants: [{max_sends: 2}]",
        (
            "`max_sends` does not hold: a -> rest -> b -> more -> c sends 3; take a send"
            " away or set `max_sends: 2` in `policy`"
        ),
    ),
    (
        LOOP,
        "invariants: [{max_sends: 2}]",
        (
            "`max_sends` does not hold: a -> rest -> again -> a -> rest -> again -> a sends"
            " 3; take a send away or set `max_sends: 2` in `policy`"
        ),
    ),
    (
        WAYS,
        "invariants: [{max_sends: 2}]",
        (
            "`max_sends` does not hold: way -> gift -> nap -> more -> rest -> last sends 3;"
            " take a send away or set `max_sends: 2` in `policy`"
        ),
    ),
    (
        THREE,
        "invariants: [{min_gap: 20h}]",
        (
            "`min_gap` does not hold: b -> more -> c may take 1h; wait longer between them"
            " or cap them: `frequency_cap: [{max: 1, per: 20h, scope: journey}]`"
        ),
    ),
    (
        WAYS,
        "invariants: [{min_gap: 3h}]",
        (
            "`min_gap` does not hold: gift -> nap -> more may take 2h; wait longer between"
            " them or cap them: `frequency_cap: [{max: 1, per: 3h, scope: journey}]`"
        ),
    ),
    (
        "- {id: a, MAIL}\n- {id: align, wait: {until: {time: '10:00'}}}\n- {id: b, MAIL}",
        "invariants: [{min_gap: 1h}]",
        (
            "`min_gap` does not hold: a -> align -> b may take 0s; wait longer between them or cap them:"
            " `frequency_cap: [{max:"
            " 1, per: 1h, scope: journey}]`"
        ),
    ),
    (
        THREE,
        "invariants: [{no_send_after: Paid}]",
        (
            "`no_send_after` does not hold: a -> rest -> (Paid) -> b still sends;"
            " add `{reason: …, event: Paid}` to `exit`"
        ),
    ),
    (
        THREE,
        "exit: [{reason: paid, event: Paid, where: event.properties.total > 0}]\ninvariants: [{no_send_after: Paid}]",
        "`no_send_after` does not hold: a -> rest -> (Paid) -> b still sends; add `{reason: …, event: Paid}` to `exit`",
    ),
    (
        HEAR,
        "invariants: [{no_send_after: Left}]",
        ("`no_send_after` does not hold: hear -> (Left) -> a still sends; add `{reason: …, event: Left}` to `exit`"),
    ),
    (
        THREE,
        "invariants: [{max_duration: 1d}]",
        (
            "`max_duration` does not hold: a -> rest -> b -> more -> c may take 1d1h;"
            " add `{reason: max_duration, after: 1d}` to `exit`"
        ),
    ),
    (
        "- {id: rest, wait: {for: 1h, reset_by: [Go]}}",
        "invariants: [{max_duration: 1d}]",
        (
            "`max_duration` does not hold:"
            " rest may stay there without end; add `{reason: max_duration, after: 1d}` to `exit`"
        ),
    ),
    (
        "- {id: hear, wait_for: {any: [{id: x, event: X}]}}",
        "invariants: [{max_duration: 1d}]",
        (
            "`max_duration` does not"
            " hold: hear may stay there without end; add `{reason: max_duration, after: 1d}` to `exit`"
        ),
    ),
    (
        "- {id: rest, wait: {for: P1M}}",
        "invariants: [{max_duration: 31d}]",
        ("`max_duration` does not hold: rest may take 4w3d1h; add `{reason: max_duration, after: 4w3d}` to `exit`"),
    ),
    (
        "- {id: rest, wait: {until: {time: '08:00', days: [mon, tue]}}}",
        "invariants: [{max_duration: 1d}]",
        ("`max_duration` does not hold: rest may take 6d1h; add `{reason: max_duration, after: 1d}` to `exit`"),
    ),
    (
        "- {id: rest, wait: {until: {property: contact.birthday}}}",
        "invariants: [{max_duration: 1d}]",
        (
            "`max_duration` does"
            " not hold: rest may stay there without end; add `{reason: max_duration, after: 1d}` to `exit`"
        ),
    ),
]


@pytest.mark.parametrize(("steps", "more", "expected"), REFUTED)
def test_a_promise_that_a_way_breaks_is_a_fault_with_the_way(steps: str, more: str, expected: str) -> None:
    [found] = told(steps, more)
    line, _, message = found.partition(": ")
    assert str(5 + more.count("\n")) == line
    assert expected == message


PROVED = [
    (THREE, "invariants: [{max_sends: 3}]", "no way sends more than 3"),
    (TEST, "invariants: [{max_sends: 1}]", "no way sends more than 1"),
    (THREE, "policy: {purpose: transactional, max_sends: 2}\ninvariants: [{max_sends: 2}]", "`policy.max_sends: 2`"),
    (LOOP, "exit: [{reason: late, after: 2d}]\ninvariants: [{max_sends: 2}]", "no way sends more than 2"),
    (TEST, "invariants: [{min_gap: 1d}]", "no run sends a second message"),
    (THREE, "invariants: [{min_gap: 1h}]", "b -> more -> c takes 1h or more"),
    (
        THREE,
        MARKETING + "frequency_cap: [{max: 1, per: 2d, scope: journey}]}\ninvariants: [{min_gap: 1d}]",
        "the frequency cap of 1 per 2d",
    ),
    (
        THREE,
        MARKETING + "quiet_hours: {from: '21:00', to: '08:00'}}\ninvariants: [{min_gap: 1h}]",
        "b -> more -> c takes 1h or more",
    ),
    (
        THREE,
        "exit: [{reason: paid, event: Paid}]\ninvariants: [{no_send_after: Paid}]",
        "every run that can still send ends at it",
    ),
    (
        THREE,
        "exit: [{reason: paid, if: {performed: {event: Paid, within: 1h}}}]\ninvariants: [{no_send_after: Paid}]",
        "every run that can still send ends at it",
    ),
    (HEAR, "invariants: [{no_send_after: Paid}]", "every run that can still send ends at it"),
    (ASK, "invariants: [{no_send_after: Paid}]", "every run that can still send ends at it"),
    (
        "- {id: a, MAIL}\n- {id: rest, wait: {for: 1d}}",
        "invariants: [{no_send_after: Paid}]",
        "every run that can still send ends at it",
    ),
    (THREE, "invariants: [{max_duration: 25h}]", "no way takes longer than 1d1h"),
    (
        THREE,
        "exit: [{reason: late, after: 1h}]\ninvariants: [{max_duration: 1h}]",
        "an exit rule ends every run after 1h",
    ),
    (
        "- {id: rest, wait: {until: {time: '08:00'}}}",
        "invariants: [{max_duration: 25h}]",
        "no way takes longer than 1d1h",
    ),
    (LOOP, "invariants: [{max_duration: 3d}]", "no way takes longer than 3d"),
]


@pytest.mark.parametrize(("steps", "more", "expected"), PROVED)
def test_a_promise_that_every_way_keeps_is_proved(steps: str, more: str, expected: str) -> None:
    assert [("proved", expected)] == [(one.status, one.because) for one in verdicts(study(journey(steps, more)))]


MANY = """
- {id: way, branch: [{if: contact.a == 1, then: [{id: b, wait: {for: 1h}}, {id: c, MAIL}]}]}
- {id: rest, wait: {for: 1h}}
- {id: more, goto: {step: b, max_visits: 1000}}
- {id: again, goto: {step: way, max_visits: 1000}}
"""


def test_what_has_too_many_ways_to_follow_is_left_open_and_no_fault() -> None:
    [found] = verdicts(study(journey(MANY, "invariants: [{max_sends: 1}]")))
    assert ("open", "its loops turn too often to follow every way; lower their `max_visits`") == (
        found.status,
        found.because,
    )


SAMPLE = """
- {id: settle, wait: {for: 45m, reset_by: [Product Added, Product Viewed]}}
- {id: remind_1, MAIL}
- {id: pause_1, wait: {for: 24h}}
- {id: align, wait: {until: {time: "10:00", latest: 24h}}}
- id: offer_test
  experiment:
    salt: cart-offer-1
    variants:
      - {id: plain, weight: 50, then: [{id: remind_2_plain, MAIL}]}
      - {id: discount, weight: 50, then: [{id: coupon, update: {set: {coupon: A1}}}, {id: remind_2_coupon, MAIL}]}
- {id: observe, wait: {for: 7d}}
- {id: end, exit: {reason: no_response}}
"""
SAMPLE_TOP = """
policy: {topic: cart_reminders, quiet_hours: {from: "21:00", to: "08:00", when_quiet: defer, max_defer: 12h}}
exit: [{reason: converted, event: Order Completed}, {reason: max_duration, after: 10d}]
invariants: [{max_sends: 2}, {min_gap: 20h}, {no_send_after: Order Completed}, {max_duration: 10d}]
"""


def test_the_cart_journey_is_proved_whole_without_the_help_of_its_policy() -> None:
    """Of the two variants each contact goes one, and a deferral in the night makes no gap shorter."""
    found = verdicts(study(journey(SAMPLE, SAMPLE_TOP)))
    assert [
        ("proved", "no way sends more than 2"),
        ("proved", "remind_1 -> pause_1 -> align -> offer_test -> remind_2_plain takes 1d or more"),
        ("proved", "every run that can still send ends at it"),
        ("proved", "an exit rule ends every run after 1w3d"),
    ] == [(verdict.status, verdict.because) for verdict in found]


STRUCTURE = [
    (
        "- {id: rest, wait: {for: 0m}}\n- {id: a, MAIL}\n- {id: again, goto: {step: rest, max_visits: 2}}",
        "10: the loop rest -> a -> again -> rest has no wait in it; give it a `wait` with `for`",
    ),
    (
        (
            "- {id: rest, wait: {until: {time: '10:00'}}}\n- {id: a, MAIL}\n"
            "- {id: again, goto: {step: rest, max_visits: 2}}"
        ),
        "10: the loop rest -> a -> again -> rest has no wait in it; give it a `wait` with `for`",
    ),
    (
        (
            "- {id: way, branch: [{if: contact.a == 1, then: [{id: rest, wait: {for: 1d}}]}]}\n- {id: a, MAIL}\n"
            "- {id: again, goto: {step: way, max_visits: 2}}"
        ),
        "10: the loop way -> a -> again -> way has no wait in it; give it a `wait` with `for`",
    ),
    (
        (
            "- {id: hear, wait_for: {any: [{id: x, if: contact.a == 1}], timeout: {after: 1d}}}\n- {id: a, MAIL}\n"
            "- {id: again, goto: {step: hear, max_visits: 2}}"
        ),
        "10: the loop hear -> a -> again -> hear has no wait in it; give it a `wait` with `for`",
    ),
    (
        (
            "- {id: way, branch: [{if: contact.a == 1, then: [{id: x, exit: {reason: x}}]},"
            " {else: [{id: y, exit: {reason: y}}]}]}"
            "\n- {id: a, MAIL}"
        ),
        "9: step `a` is never reached: no way through `way` before it leads on",
    ),
    (
        "- {id: on_, goto: {step: end, max_visits: 2}}\n- {id: a, MAIL}\n- {id: end, exit: {reason: x}}",
        "9: step `a` is never reached: `on_` before it goes elsewhere each time: `end` is never entered so often",
    ),
    (
        "- {id: out, exit: {reason: x}}\n- {id: a, MAIL}\n- {id: b, MAIL}",
        "9: step `a` is never reached: `out` before it exits",
    ),
]


@pytest.mark.parametrize(("steps", "expected"), STRUCTURE)
def test_a_loop_without_a_wait_and_a_dead_step(steps: str, expected: str) -> None:
    assert [expected] == told(steps, "name: x")


@pytest.mark.parametrize(
    "steps",
    [
        (
            "- {id: hear, wait_for: {any: [{id: x, event: X}]}}\n- {id: a, MAIL}\n"
            "- {id: z, goto: {step: hear, max_visits: 2}}"
        ),
        (
            "- {id: a, goto: {step: c}}\n- {id: b, exit: {reason: x}}\n- {id: c, wait: {for: 1h}}\n"
            "- {id: d, goto: {step: b, max_visits: 2}}"
        ),
    ],
)
def test_a_loop_that_waits_for_an_event_and_a_way_back_to_what_was_jumped_over_are_fine(steps: str) -> None:
    assert [] == told(steps, "name: x")
