"""The verbs that move a run: branch, wait_for, experiment, goto. One rule each."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from shared.clock import MINUTE
from shared.journeys.model import Goto
from tests.builders import a_record, an_event, at, consented, identified
from tests.oracle import judge
from tests.unit.evaluator.playing import GO, KNOWN, happens, journey, sends, told

# ---- branch -------------------------------------------------------------------------------------------------------

WAYS = """
- id: way
  branch:
    - {if: event.properties.total > 100, then: [{id: dear, MAIL}]}
    - {if: event.properties.total > 10, then: [{id: middling, MAIL}]}
    - {else: [{id: cheap, MAIL}]}
- {id: last, MAIL}
"""


@pytest.mark.parametrize(("total", "expected"), [(500, "dear"), (50, "middling"), (5, "cheap"), (None, "cheap")])
def test_a_branch_goes_the_first_way_that_holds_and_all_meet_behind_it(total: int | None, expected: str) -> None:
    """What is missing is null, and no comparison with null holds."""
    verdict = happens(journey(WAYS), an_event("Go", at("10:00"), total=total), until=at("11:00"))
    assert [(expected, at("10:00")), ("last", at("10:00"))] == sends(verdict)


def test_a_branch_without_else_is_passed_by_when_nothing_holds() -> None:
    only = WAYS.replace("    - {else: [{id: cheap, MAIL}]}\n", "")
    verdict = happens(journey(only), an_event("Go", at("10:00"), total=1), until=at("11:00"))
    assert [("last", at("10:00"))] == sends(verdict)


def test_a_way_without_steps_leads_behind_the_branch() -> None:
    verdict = happens(
        journey("""
            - {id: way, branch: [{if: event.properties.total > 1, then: []}, {else: [{id: other, MAIL}]}]}
            - {id: last, MAIL}
        """),
        an_event("Go", at("10:00"), total=5),
        until=at("11:00"),
    )
    assert [("last", at("10:00"))] == sends(verdict)


def test_blocks_in_blocks_meet_behind_the_outermost() -> None:
    verdict = happens(
        journey("""
            - id: outer
              branch:
                - if: event.properties.total > 1
                  then:
                    - id: inner
                      branch: [{if: event.properties.total > 2, then: [{id: pause, wait: {for: 1h}}]}]
                    - {id: after_inner, MAIL}
                - {else: [{id: other, MAIL}]}
            - {id: last, MAIL}
        """),
        an_event("Go", at("10:00"), total=3),
        until=at("12:00"),
    )
    assert [("after_inner", at("11:00")), ("last", at("11:00"))] == sends(verdict)
    assert ("exited", "completed", at("11:00")) == told(verdict)[-1]


def test_a_branch_asks_when_it_is_reached() -> None:
    """The trait is set while the run waits."""
    verdict = happens(
        journey("""
            - {id: pause, wait: {for: 1h}}
            - {id: way, branch: [{if: contact.vip == true, then: [{id: vip, MAIL}]}]}
        """),
        GO,
        identified(at("10:30"), vip=True),
        until=at("12:00"),
    )
    assert [("vip", at("11:00"))] == sends(verdict)


def test_in_a_branch_the_event_is_the_one_that_caused_the_entry() -> None:
    """Also when another has just ended a wait_for before it."""
    verdict = happens(
        journey("""
            - {id: hear, wait_for: {any: [{id: paid, event: Paid, where: event.properties.total == 7}]}}
            - {id: way, branch: [{if: event.properties.total == 5, then: [{id: own, MAIL}]}, {else: [{id: no, MAIL}]}]}
        """),
        an_event("Go", at("10:00"), total=5),
        an_event("Paid", at("10:10"), total=7),
        until=at("11:00"),
    )
    assert [("own", at("10:10"))] == sends(verdict)


# ---- experiment ---------------------------------------------------------------------------------------------------

TEST = """
- id: offer
  experiment:
    salt: offer-1
    variants:
      - {id: plain, weight: 70, then: [{id: a, MAIL}]}
      - {id: discount, weight: 30, then: [{id: b, MAIL}]}
      - {id: never, weight: 0, then: [{id: c, MAIL}]}
- {id: last, MAIL}
"""


def ways_of(contacts: int, steps: str = TEST, when: str = "10:00") -> list[str | None]:
    """Return the step that each contact comes to first; nobody has an address, so that each is a skip."""
    log = [a_record(number, an_event("Go", at(when)), key=f"u:{number}") for number in range(contacts)]
    skips = [record for record in judge([journey(steps)], log).journal if record.decision == "skip"]
    return [record.step for record in skips if record.step != "last"]


def test_a_contact_goes_the_same_way_each_time() -> None:
    ways = ways_of(100)
    assert {"a", "b"} == set(ways)
    assert ways == ways_of(100, when="20:00")
    assert ways != ways_of(100, TEST.replace("offer-1", "offer-2"))


def test_the_weights_are_kept_over_many_contacts_and_weight_0_is_never() -> None:
    """10,000 contacts, 70 : 30 : 0, within three standard deviations."""
    ways = Counter(ways_of(10_000))
    assert {"a", "b"} == set(ways)
    assert 6_860 <= ways["a"] <= 7_140


def test_a_send_says_which_variant_the_run_has_gone() -> None:
    verdict = happens(journey(TEST), GO, until=at("11:00"))
    way, last = (record.detail["variants"] for record in verdict.journal if record.decision == "send")
    assert way == last
    assert way["offer"] in ("plain", "discount")


# ---- goto ---------------------------------------------------------------------------------------------------------


def test_goto_goes_back_until_its_step_was_entered_as_often_as_it_may() -> None:
    verdict = happens(
        journey("""
            - {id: mail, MAIL}
            - {id: pause, wait: {for: 1h}}
            - {id: again, goto: {step: mail, max_visits: 3}}
            - {id: last, MAIL}
        """),
        GO,
        until=at("20:00"),
    )
    mails = [("mail", at("10:00")), ("mail", at("11:00")), ("mail", at("12:00"))]
    assert [*mails, ("last", at("13:00"))] == sends(verdict)
    assert 4 == len({command.command_id for command in verdict.commands})


def test_goto_leaves_a_block_and_goes_on() -> None:
    verdict = happens(
        journey("""
            - {id: way, branch: [{if: contact.vip == true, then: []}, {else: [{id: skip, goto: {step: last}}]}]}
            - {id: vip, MAIL}
            - {id: last, MAIL}
        """),
        GO,
        until=at("20:00"),
    )
    assert [("last", at("10:00"))] == sends(verdict)


def test_a_run_that_never_waits_is_not_entered_and_harms_nobody() -> None:
    """The linter finds such loops; were there one that it does not see, the engine stops at a thousand steps."""
    good = journey("- {id: hello, MAIL}", name="b")
    bad = msgspec.structs.replace(good, id="a", steps=(Goto(id="one", step="two"), Goto(id="two", step="one")))
    verdict = happens((bad, good), GO, until=at("11:00"))
    assert [
        ("a", "not_entered", "error"),
        ("b", "entered", None),
        ("b", "send", None),
        ("b", "exited", "completed"),
    ] == [(record.journey, record.decision, record.reason) for record in verdict.journal]
    assert {"error": "EndlessRunError"} == verdict.journal[0].detail


def test_a_run_that_stops_waiting_at_an_event_or_a_timer_ends_with_an_error() -> None:
    loop = (Goto(id="one", step="two"), Goto(id="two", step="one"))
    waits = journey("- {id: pause, wait: {for: 1h}}")
    hears = journey("- {id: hear, wait_for: {any: [{id: a, event: Paid}]}}")
    for base in (waits, hears):
        bad = msgspec.structs.replace(base, steps=(*base.steps, *loop))
        verdict = happens(bad, GO, an_event("Paid", at("11:00")), until=at("12:00"))
        assert [("entered", None, at("10:00")), ("exited", "error", at("11:00"))] == [
            (decision, None if decision == "entered" else reason, when) for decision, reason, when in told(verdict)
        ]


# ---- exits by a condition -----------------------------------------------------------------------------------------


def test_an_exit_by_a_condition_is_asked_at_each_event() -> None:
    trip = journey(
        "- {id: pause, wait: {for: 1h}}\n- {id: last, MAIL}",
        more="exit: [{reason: rich, if: contact.balance > 100}]",
    )
    poor, rich = identified(at("10:20"), balance=5), identified(at("10:40"), balance=500)
    verdict = happens(trip, GO, poor, rich, until=at("12:00"))
    assert [("entered", None, at("10:00")), ("exited", "rich", at("10:40"))] == told(verdict)


def test_an_exit_by_what_was_done_since_entry() -> None:
    trip = journey(
        "- {id: pause, wait: {for: 1h}}\n- {id: last, MAIL}",
        more="exit: [{reason: enough, if: {performed: {event: Viewed, count: 2, since: entry}}}]",
    )
    views = [an_event("Viewed", at("09:00") + minutes * MINUTE) for minutes in (0, 30, 70, 80)]
    verdict = happens(trip, *views[:2], GO, *views[2:], until=at("12:00"))
    assert ("exited", "enough", at("10:20")) == told(verdict)[-1]


def test_always_lets_in_also_while_inside() -> None:
    trip = journey("- {id: pause, wait: {for: 1h}}\n- {id: last, MAIL}", more="entry: {reentry: {mode: always}}")
    verdict = happens(trip, GO, an_event("Go", at("10:30")), until=at("12:00"))
    assert [("last", at("11:00")), ("last", at("11:30"))] == sends(verdict)
    assert 2 == len({command.run_id for command in verdict.commands})


def test_always_lets_in_also_by_an_event_that_comes_late() -> None:
    """It would have, had it come in time: the end of another run meanwhile says nothing about it."""
    trip = journey("- {id: mail, MAIL}", more="entry: {reentry: {mode: always}}")
    late = an_event("Go", at("09:30"), received=at("10:30"))
    assert [("mail", at("10:00")), ("mail", at("09:30"))] == sends(happens(trip, GO, late, until=at("12:00")))
    slow = journey("- {id: mail, MAIL}", more="entry: {reentry: {mode: always, cooldown: 1h}}")
    again = (an_event("Go", at("10:59")), an_event("Go", at("11:00")))
    assert [("mail", at("10:00")), ("mail", at("11:00"))] == sends(happens(slow, GO, *again, until=at("12:00")))


def test_consent_in_a_branch_is_that_of_now() -> None:
    trip = journey("- {id: way, branch: [{if: {consent: {topic: offers}}, then: [{id: offer, MAIL}]}]}")
    known = (KNOWN[0], consented(at("09:00"), "offers"))
    assert [("offer", at("10:00"))] == sends(happens(trip, GO, until=at("11:00"), known=known))
    revoked = consented(at("09:30"), "offers", "revoked")
    assert [] == sends(happens(trip, GO, until=at("11:00"), known=(*known, revoked)))


def test_a_branch_by_bucket_takes_its_percent_by_the_salt() -> None:
    def inside(percent: int, salt: str = "pilot") -> set[str]:
        way = f"{{if: {{bucket: {{percent: {percent}, salt: {salt}}}}}, then: [{{id: inside, MAIL}}]}}"
        log = [a_record(n, it, key=f"u:{n}") for n in range(1_000) for it in (KNOWN[0], GO)]
        return {record.contact for record in judge([journey(f"- {{id: way, branch: [{way}]}}")], log).commands}

    assert [0, 1_000] == [len(inside(percent)) for percent in (0, 100)]
    assert 60 < len(inside(10)) < 140
    assert inside(10) < inside(20)
    assert inside(10) != inside(10, salt="other")
