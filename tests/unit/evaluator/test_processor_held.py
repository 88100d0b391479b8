"""Commands held back while a partition is behind: withdrawn by an exit, published once it has caught up."""

from __future__ import annotations

from shared.ids import outcome_id
from shared.messages import codec
from shared.messages.command import Cancel
from shared.messages.outcome import Outcome
from tests.builders import a_journey, an_event, at
from tests.unit.evaluator.hosts import Host, commands, conserved, sent, told


def test_while_behind_marketing_is_held_and_transactional_is_not() -> None:
    host = Host()
    host.known(caught_up=False)
    epoch = host.tick(at("10:46"), caught_up=False)
    assert [("send", "remind_1")] == told(epoch)
    assert [] == commands(epoch)
    assert host.processor.holding
    assert ["remind_1"] == [command.step for command in host.row().held]
    bought = host.take(an_event("Order Completed", at("10:50"), total=1), at("10:50"), "u:c1", caught_up=False)
    assert ["confirm"] == [command.step for command in commands(bought)]


def test_the_exit_of_its_run_deletes_a_held_command_and_says_so_in_the_log() -> None:
    """The contact bought in the backlog: nobody outside ever hears of the reminder, its slot is given back."""
    host = Host(a_journey())
    host.known(caught_up=False)
    host.tick(at("10:46"), caught_up=False)
    [held] = host.row().held
    epoch = host.take(an_event("Order Completed", at("10:50"), total=1), at("10:50"), caught_up=False)
    assert () == host.row().held
    assert not host.processor.holding
    assert [] == sent(epoch, "cancels")
    [value] = sent(epoch, "events")
    outcome = codec.EVENTS.decode(value)
    assert isinstance(outcome, Outcome)
    assert (outcome_id(held.command_id), held.command_id, "skipped", "exited", "email") == (
        outcome.message_id,
        outcome.command_id,
        outcome.status,
        outcome.reason,
        outcome.channel,
    )
    assert host.processor.unsettled
    settled = host.take(outcome, at("10:51"))
    assert [("skip", "exited")] == told(settled)
    assert not host.processor.unsettled
    assert host.processor.release(10).empty


def test_a_command_that_was_published_is_cancelled_where_it_was() -> None:
    host = Host(a_journey())
    host.known()
    [command] = commands(host.tick(at("10:46")))
    epoch = host.take(an_event("Order Completed", at("10:50"), total=1), at("10:50"))
    [cancel] = [codec.CANCELS.decode(value) for value in sent(epoch, "cancels")]
    assert Cancel(command_id=command.command_id, contact="u:c1", reason="exited", at=at("10:50")) == cancel
    assert [] == sent(epoch, "events")


def test_what_is_held_is_published_when_the_partition_has_caught_up() -> None:
    host = Host(a_journey())
    for contact in ("u:c1", "u:c2", "u:c3"):
        host.known(key=contact, caught_up=False)
    host.tick(at("10:46"), caught_up=False)
    first = host.processor.release(2)
    host.store.keep(first)
    assert ["u:c1", "u:c2"] == [command.contact for command in commands(first)]
    assert host.processor.holding
    second = host.processor.release(2)
    host.store.keep(second)
    assert ["u:c3"] == [command.contact for command in commands(second)]
    assert not host.processor.holding
    assert {()} == {host.row(contact).held for contact in ("u:c1", "u:c2", "u:c3")}
    assert 3 == conserved(host).commands
    assert host.processor.unsettled


def test_what_is_decided_live_waits_behind_what_is_held_of_the_same_contact() -> None:
    """A young batch after an old one: its message must not overtake the older one, which leaves at the end of both."""
    host = Host(a_journey())
    host.known(caught_up=False)
    host.tick(at("10:46"), caught_up=False)
    live = host.tick(at("10:47", day=1), caught_up=True)
    assert [("send", "remind_2")] == told(live)
    assert [] == commands(live)
    released = host.processor.release(10)
    assert ["remind_1", "remind_2"] == [command.step for command in commands(released)]
