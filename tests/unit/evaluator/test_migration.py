"""Runs of an older version of a journey and its newer one: ``in_flight: pin``, ``migrate`` and ``exit``."""

from __future__ import annotations

import pytest

from services.evaluator.core.advance import advance, next_timer
from services.evaluator.core.catalog import build_catalog
from services.evaluator.core.effects import TimerTally
from services.evaluator.core.occurrence import EventArrived
from services.evaluator.core.state import ContactState
from shared.ids import command_id
from shared.journeys.model import Journey
from shared.messages.command import Cancel, SendCommand
from shared.messages.event import Event
from shared.messages.journal import JournalRecord
from tests.builders import an_event, at
from tests.unit.evaluator.playing import GO, KNOWN, MAIL, journey

TOUCH = an_event("Looked", at("11:00"))
"""Nothing that any journey asks for; the contact is touched, an hour after the entry."""
STEPS = "- {id: rest, wait: {for: 1d}}\n- {id: mail, MAIL}\n- {id: end, exit: {reason: done}}"


class World:
    """One contact, whose host adopts other journeys now and then."""

    def __init__(self, *journeys: Journey) -> None:
        self.adopt(*journeys)
        self.state = ContactState("u:c1")
        self.journal: list[JournalRecord] = []
        self.commands: list[SendCommand] = []
        self.cancels: list[Cancel] = []
        self.timers = TimerTally()
        for event in (*KNOWN, GO):
            self.happens(event)

    def adopt(self, *journeys: Journey) -> None:
        self.catalog = build_catalog(journeys)

    def happens(self, event: Event) -> None:
        self.run_to(event.received_at)
        self._take(EventArrived(event, event.received_at))

    def run_to(self, until: int) -> None:
        while (due := next_timer(self.state, until)) is not None:
            self._take(due)

    def _take(self, occurrence: object) -> None:
        result = advance(self.catalog, self.state, occurrence)  # type: ignore[arg-type]  # one of two kinds
        self.state = result.state
        self.journal += result.journal
        self.commands += [it for it in result.commands if isinstance(it, SendCommand)]
        self.cancels += result.cancels
        tally = result.timers
        self.timers = TimerTally(
            self.timers.armed + tally.armed, self.timers.fired + tally.fired, self.timers.cancelled + tally.cancelled
        )
        assert self.timers.armed == self.timers.fired + self.timers.cancelled + self.state.armed_timers

    @property
    def told(self) -> list[tuple[str, str | None, int, int]]:
        """Return what was decided after the entry: decision, reason or step, version, time."""
        kept = [record for record in self.journal if record.decision != "entered"]
        return [(record.decision, record.reason or record.step, record.version, record.at) for record in kept]


def version(number: int, steps: str = STEPS, in_flight: str = "", more: str = "") -> Journey:
    made = f"in_flight: {in_flight}\n{more}" if in_flight else more
    return journey(steps, more=made, version=number)


def adopted(
    new: Journey, *, old: Journey | None = None, keep_old: bool = True, until: int = at("12:00", day=3)
) -> World:
    """Return a world that has gone over from the old version to the new one, was touched at 11:00 and ran on."""
    former = version(1) if old is None else old
    world = World(former)
    world.adopt(*([former, new] if keep_old else [new]))
    world.happens(TOUCH)
    world.run_to(until)
    return world


# ---- pin and exit -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_flight", ["", "{default: pin}"])
def test_pinned_runs_finish_their_own_version(in_flight: str) -> None:
    new = version(2, "- {id: rest, wait: {for: 1h}}\n- {id: other, MAIL}", in_flight)
    assert [("send", "mail", 1, at("10:00", day=1)), ("exited", "done", 1, at("10:00", day=1))] == adopted(new).told


def test_exit_ends_the_runs_of_older_versions_at_the_next_touch() -> None:
    new = version(2, in_flight="{default: exit}")
    assert [("exited", "new_version", 1, at("11:00"))] == adopted(new).told


def test_exit_calls_back_what_is_not_sent_yet() -> None:
    old = version(1, "- {id: mail, MAIL}\n- {id: rest, wait: {for: 1d}}")
    world = adopted(version(2, in_flight="{default: exit}"), old=old)
    assert [world.commands[0].command_id] == [cancel.command_id for cancel in world.cancels]


def test_a_timer_is_a_touch_as_well() -> None:
    world = World(version(1))
    world.adopt(version(1), version(2, in_flight="{default: exit}"))
    world.run_to(at("12:00", day=1))
    assert [("exited", "new_version", 1, at("10:00", day=1))] == world.told


def test_runs_of_the_new_version_and_of_other_journeys_are_left_alone() -> None:
    world = World(version(2, in_flight="{default: exit}"), journey(STEPS, name="other"))
    world.happens(TOUCH)
    assert [] == world.told


# ---- migrate ------------------------------------------------------------------------------------------------------


def test_a_run_goes_on_at_the_step_of_the_same_id_and_its_wait_ends_as_it_would_have() -> None:
    new = version(2, "- {id: rest, wait: {for: 3d}}\n- {id: new_mail, MAIL}", "{default: migrate}")
    assert [
        ("migrated", "rest", 2, at("11:00")),
        ("send", "new_mail", 2, at("10:00", day=1)),
        ("exited", "completed", 2, at("10:00", day=1)),
    ] == adopted(new).told


@pytest.mark.parametrize("keep_old", [True, False])
def test_a_run_goes_on_whether_its_old_file_is_still_there_or_not(keep_old: bool) -> None:
    new = version(2, in_flight="{default: migrate}")
    world = adopted(new, keep_old=keep_old)
    assert ["migrated", "send", "exited"] == [decision for decision, *_ in world.told]


def test_migrate_from_names_the_versions_it_is_for() -> None:
    new = version(3, in_flight="{migrate: [{from: 2}]}")
    assert "migrated" not in [decision for decision, *_ in adopted(new).told]
    assert "migrated" in [decision for decision, *_ in adopted(new, old=version(2)).told]


def test_a_renamed_step_is_found_by_the_map() -> None:
    new = version(
        2,
        "- {id: pause, wait: {for: 1d}}\n- {id: mail, MAIL}",
        "{migrate: [{from: 1, map: {rest: pause}}]}",
    )
    assert [
        ("migrated", "pause", 2, at("11:00")),
        ("send", "mail", 2, at("10:00", day=1)),
        ("exited", "completed", 2, at("10:00", day=1)),
    ] == adopted(new).told


@pytest.mark.parametrize(
    ("wait", "expected"),
    [("{for: 3d}", at("10:00", day=3)), ("{for: 90m}", at("11:30")), ("{for: 10m}", at("11:00"))],
)
def test_recompute_works_the_wait_out_anew_from_when_its_step_was_entered(wait: str, expected: int) -> None:
    """It never ends before the moment of the migration."""
    new = version(2, f"- {{id: rest, wait: {wait}}}\n- {{id: mail, MAIL}}", "{migrate: [{from: 1, timers: recompute}]}")
    assert ("send", "mail", 2, expected) in adopted(new).told


def test_recompute_of_a_wait_for_is_of_its_timeout() -> None:
    old = version(1, "- {id: hear, wait_for: {any: [{id: go, event: Paid}], timeout: {after: 5d}}}")
    hear = "- {id: hear, wait_for: {any: [{id: go, event: Paid}], timeout: {after: 1d}}}\n- {id: mail, MAIL}"
    recomputed = adopted(version(2, hear, "{migrate: [{from: 1, timers: recompute}]}"), old=old)
    assert ("send", "mail", 2, at("10:00", day=1)) in recomputed.told
    kept = adopted(version(2, hear, "{default: migrate}"), old=old, until=at("12:00", day=6))
    assert ("send", "mail", 2, at("10:00", day=5)) in kept.told


def test_a_step_that_became_another_kind_is_entered_at_once() -> None:
    new = version(
        2,
        "- {id: first, wait: {for: 9d}}\n- {id: end, exit: {reason: over}}",
        "{migrate: [{from: 1, map: {rest: end}}]}",
    )
    assert [("migrated", "end", 2, at("11:00")), ("exited", "over", 2, at("11:00"))] == adopted(new).told


@pytest.mark.parametrize("keep_old", [True, False])
def test_a_run_on_a_step_that_is_gone_stays_where_it_is_as_long_as_its_file_is_there(keep_old: bool) -> None:
    world = adopted(version(2, "- {id: other, wait: {for: 1d}}", "{default: migrate}"), keep_old=keep_old)
    if keep_old:
        assert ("send", "mail", 1, at("10:00", day=1)) in world.told
    else:
        assert [("exited", "unmapped_step", 1, at("11:00"))] == world.told


def test_command_ids_do_not_change_with_the_version() -> None:
    """A message that waits for its quiet hours to end has the id that it would have had."""
    night = "{topic: news, quiet_hours: {from: '09:00', to: '12:00'}}"
    old = journey("- {id: mail, MAIL}", policy=night)
    new = journey("- {id: mail, MAIL}", policy=night, version=2, more="in_flight: {default: migrate}")
    world = adopted(new, old=old)
    assert ("send", "mail", 2, at("12:00")) in world.told
    [command] = world.commands
    assert command_id(command.run_id, "mail", 1) == command.command_id


def test_no_visit_has_the_number_of_another() -> None:
    """Two steps become one: the message behind it is another than the one that was sent from there before."""
    old = journey(f"- {{id: a, {MAIL}}}\n- {{id: b, {MAIL}}}", policy=NIGHT)
    new = journey(
        f"- {{id: a, {MAIL}}}", policy=NIGHT, version=2, more="in_flight: {migrate: [{from: 1, map: {b: a}}]}"
    )
    world = World(old)
    world.happens(an_event("Day", at("10:30")))
    world.run_to(at("12:00", day=1))
    first = [command.command_id for command in world.commands]
    world.adopt(new)
    world.happens(an_event("Looked", at("12:30", day=1)))
    world.run_to(at("12:00", day=4))
    ids = [command.command_id for command in world.commands]
    assert 1 == len(first)
    assert 2 == len(ids) == len(set(ids))


NIGHT = "{topic: news, frequency_cap: [{max: 1, per: 2d, when_capped: defer}]}"


def test_exit_rules_after_a_time_are_those_of_the_new_version_from_the_entry_on() -> None:
    old = version(1, more="exit: [{reason: early, after: 2h}]")
    new = version(
        2, in_flight="{default: migrate}", more="exit: [{reason: sooner, after: 90m}, {reason: late, after: 5d}]"
    )
    assert ("exited", "sooner", 2, at("11:30")) == adopted(new, old=old).told[-1]


def test_an_exit_that_would_be_over_already_ends_the_run_now() -> None:
    new = version(2, in_flight="{default: migrate}", more="exit: [{reason: over, after: 10m}]")
    assert [("migrated", "rest", 2, at("11:00")), ("exited", "over", 2, at("11:00"))] == adopted(new).told


def test_each_version_in_between_has_its_say() -> None:
    """Version 2 renames the step, version 3 takes its runs: the same as if each had been adopted in turn."""
    second = version(2, "- {id: pause, wait: {for: 1d}}", "{migrate: [{from: 1, map: {rest: pause}}]}")
    third = version(3, "- {id: pause, wait: {for: 1d}}\n- {id: mail, MAIL}", "{migrate: [{from: 2}]}")
    world = World(version(1))
    world.adopt(version(1), second, third)
    world.happens(TOUCH)
    assert [("migrated", "pause", 2, at("11:00")), ("migrated", "pause", 3, at("11:00"))] == world.told


def test_a_second_touch_changes_nothing_more() -> None:
    world = adopted(version(2, in_flight="{default: migrate}"), until=at("11:01"))
    before = world.state.runs
    world.happens(an_event("Looked", at("11:30")))
    assert before == world.state.runs


def test_a_late_event_does_not_take_the_run_back_in_time() -> None:
    """It happened before the run came to its step; the exit that follows is of when the step was reached."""
    new = version(2, "- {id: rest, exit: {reason: over}}", "{default: migrate}")
    world = World(version(1))
    world.adopt(new)
    world.happens(an_event("Looked", at("09:00"), received=at("11:00")))
    assert ("exited", "over", 2, at("10:00")) == world.told[-1]


def test_a_run_that_raises_on_its_way_ends_and_the_event_is_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(version(1), journey(STEPS, name="other"))
    new = version(2, "- {id: rest, exit: {reason: over}}", "{default: migrate}")
    world.adopt(new, journey(STEPS, name="other"))
    monkeypatch.setattr("services.evaluator.core.migration.proceed", _raise)
    world.happens(TOUCH)
    assert ("exited", "error", 1, at("11:00")) == world.told[-1]
    assert ["other"] == [run.journey for run in world.state.runs]


def _raise(*_: object) -> None:
    raise ZeroDivisionError
