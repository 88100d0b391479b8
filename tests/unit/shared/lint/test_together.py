"""What journeys do to each other is said where it can be changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.shared.lint.folders import journey, told

CAPPED = "{topic: news, frequency_cap: [{max: 1, per: 1d}]}"
NEWS = "{topic: news}"


def test_two_that_one_event_starts_with_the_same_priority_share_a_cap_by_their_ids(tmp_path: Path) -> None:
    found = told(tmp_path, journey("b", policy=CAPPED), journey("a", policy=NEWS))
    assert [
        (
            "1:6: warning: `Signed Up` starts `a` too, with the same priority 50; where a cap has room for one"
            " message, `a`"
            " gets it by its id; give them different priorities"
        )
    ] == found


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"policy": CAPPED}, {"policy": NEWS, "entry": "{priority: 60, reentry: {cooldown: 1d}}"}),
        ({"policy": NEWS}, {"policy": NEWS}),
        ({"policy": CAPPED}, {}),
        ({"policy": CAPPED}, {"policy": NEWS, "trigger": "{type: event, event: Signed In}"}),
    ],
)
def test_another_priority_no_cap_no_marketing_or_another_event_is_no_tie(
    first: dict[str, str], second: dict[str, str], tmp_path: Path
) -> None:
    assert [] == told(tmp_path, journey("a", **first), journey("b", **second))


def emits(event: str) -> str:
    return f"[{{id: rest, wait: {{for: 1h}}}}, {{id: tell, emit: {{event: {event}}}}}]"


def test_journeys_that_set_each_other_off_are_shown_as_a_circle(tmp_path: Path) -> None:
    found = told(
        tmp_path,
        journey("a", emits("Signed In")),
        journey("b", emits("Trial Ended"), trigger="{type: event, event: Signed In}"),
        journey("c", emits("Signed Up"), trigger="{type: inactivity, events: [Trial Ended], for: 1d}"),
        journey("d", emits("Nothing")),
    )
    assert [
        "1:7: warning: journeys set each other off without end: a -> b -> c -> a; break the circle by a `where`"
    ] == found


def test_a_journey_may_set_itself_off(tmp_path: Path) -> None:
    found = told(tmp_path, journey("a", emits("Signed Up")))
    assert ["1:7: warning: journeys set each other off without end: a -> a; break the circle by a `where`"] == found


def test_those_that_follow_one_another_and_end_are_fine(tmp_path: Path) -> None:
    following = journey("b", trigger="{type: event, event: Signed In}")
    assert [] == told(tmp_path, journey("a", emits("Signed In")), following)


def test_the_older_version_of_a_journey_is_not_held_against_the_newer(tmp_path: Path) -> None:
    older = journey("a", emits("Signed Up"))
    assert [] == told(tmp_path, older, journey("a", emits("Told")).replace("version: 1", "version: 2"))


def test_experiments_of_two_journeys_share_a_salt(tmp_path: Path) -> None:
    steps = "[{id: test, experiment: {salt: s1, variants: [{id: x, weight: 1}, {id: y, weight: 1}]}}]"
    found = told(tmp_path, journey("a", steps), journey("b", steps))
    assert [
        (
            "2:7: warning: the experiment `test` shares the salt `s1` with `test` of `a`: the same contacts get"
            " the same"
            " share of both; give it a salt of its own"
        )
    ] == found


def test_an_experiment_and_a_holdout_share_a_salt(tmp_path: Path) -> None:
    steps = "[{id: test, experiment: {salt: s1, variants: [{id: x, weight: 1}]}}]"
    found = told(tmp_path, journey("a", steps, policy="{purpose: transactional, holdout: {percent: 5, salt: s1}}"))
    assert [
        (
            "1:7: warning: the salt `s1` also picks the holdout of `a`: its variants are then no fair sample of"
            " the rest;"
            " give the experiment a salt of its own"
        )
    ] == found


def test_two_holdouts_of_one_salt_hold_out_different_shares(tmp_path: Path) -> None:
    def held(percent: int) -> dict[str, str]:
        return {"policy": f"{{purpose: transactional, holdout: {{percent: {percent}, salt: s}}}}"}

    found = told(tmp_path, journey("a", **held(5)), journey("b", **held(10)))
    assert [
        (
            "2:5: warning: `a` holds out 5 % by the salt `s`, and this journey 10 %: the smaller group is part of the"
            " larger; write the same percent, or another salt"
        )
    ] == found
    assert [] == told(tmp_path, journey("a", **held(5)), journey("b", **held(5)))


def test_marketing_without_a_bound_on_the_week(tmp_path: Path) -> None:
    found = told(tmp_path, journey("a", policy=NEWS, entry="{reentry: {mode: always}}"))
    assert [
        (
            "1:6: warning: nothing bounds the messages that one contact gets in a week: each trigger starts a"
            " run of its own"
            " (`reentry.mode: always`); add a `frequency_cap`"
        )
    ] == found
    assert [] == told(tmp_path, journey("a", entry="{reentry: {mode: always}}"))


def test_what_was_asked_for_needs_no_bound_where_the_marketing_behind_it_has_one(tmp_path: Path) -> None:
    asked = "{id: a, send: {channels: [email], purpose: transactional, template: {email: {subject: Hi, text: Hello}}}}"
    steps, entry = f"[{asked}, {{id: b, MAIL}}]", "{key: event.properties.email}"
    capped = "{topic: news, frequency_cap: [{max: 3, per: 7d}]}"
    assert [] == told(tmp_path, journey("a", steps, policy=capped, entry=entry))
    [found] = told(tmp_path, journey("a", steps, policy=NEWS, entry=entry))
    assert "nothing bounds the messages" in found


def test_one_cap_over_all_marketing_bounds_a_week_of_several_topics(tmp_path: Path) -> None:
    steps = (
        "[{id: a, MAIL}, {id: b, send: {channels: [email], topic: offers, template: {email: {subject: Hi, text: Hi}}}}]"
    )
    entry = "{key: event.properties.email}"
    assert [] == told(
        tmp_path, journey("a", steps, policy="{topic: news, frequency_cap: [{max: 3, per: 7d}]}", entry=entry)
    )
    [found] = told(
        tmp_path,
        journey("a", steps, policy="{topic: news, frequency_cap: [{max: 3, per: 7d, topic: news}]}", entry=entry),
    )
    assert "nothing bounds the messages" in found


def test_a_run_that_may_stay_for_ever(tmp_path: Path) -> None:
    steps = "[{id: hear, wait_for: {any: [{id: x, event: Signed In}]}}]"
    found = told(tmp_path, journey("a", steps))
    assert ["1:7: warning: a run may stay at `hear` for ever; add a `timeout`, or an exit `after` some time"] == found
    assert [] == told(tmp_path, journey("a", steps, exit="[{reason: late, after: 30d}]"))


def test_a_promise_that_is_neither_proved_nor_refuted(tmp_path: Path) -> None:
    steps = (
        "[{id: way, branch: [{if: contact.age == 1, then: [{id: b, wait: {for: 1h}}, {id: c, MAIL}]}]},"
        " {id: rest, wait: {for: 1h}}, {id: more, goto: {step: b, max_visits: 1000}},"
        " {id: again, goto: {step: way, max_visits: 1000}}]"
    )
    found = told(tmp_path, journey("a", steps, invariants="[{max_sends: 1}]"))
    assert [
        (
            "1:7: warning: `max_sends` is neither proved nor refuted: its loops turn too often to follow every way;"
            " lower their `max_visits`"
        )
    ] == found


def test_a_journey_with_faults_does_not_hide_what_is_doubtful_in_another(tmp_path: Path) -> None:
    found = told(tmp_path, journey("a", policy="{purpos: x}"), journey("b", emits("Signed Up")))
    assert [
        "1:5: fault: unknown key `purpos`; did you mean `purpose`?",
        "1:5: fault: a marketing journey that sends names its consent `topic` in `policy`",
        "2:7: warning: journeys set each other off without end: b -> b; break the circle by a `where`",
    ] == sorted(found, key=lambda one: (one[0], "marketing" in one))
