"""What a send says, to which address, in which language."""

from __future__ import annotations

import pytest

from services.evaluator.core.addresses import address, addresses
from shared.ids import command_id
from shared.journeys.predicate import Channel
from shared.messages.command import SendCommand
from tests.builders import CART, a_journey, a_record, an_event, at, consented, identified
from tests.oracle import judge


@pytest.mark.parametrize(
    ("traits", "channel", "expected"),
    [
        ({"email": " a@example.jp "}, "email", "a@example.jp"),
        ({"phone": "+8190", "whatsapp": "+8180"}, "whatsapp", "+8180"),
        ({"phone": "+8190"}, "whatsapp", "+8190"),
        ({"phone": "+8190", "whatsapp": ""}, "whatsapp", "+8190"),
        ({"phone": "+8190"}, "sms", "+8190"),
        ({"line_user_id": "U1"}, "line", "U1"),
        ({"push_token": "t"}, "push", "t"),
        ({"email": None}, "email", None),
        ({}, "email", None),
    ],
)
def test_the_first_trait_that_holds_a_text_is_the_address(
    traits: dict[str, object], channel: Channel, expected: str | None
) -> None:
    assert expected == address(traits, channel)


def test_addresses_come_in_the_order_of_the_channels() -> None:
    traits = {"email": "a@example.jp", "phone": "+8190"}
    assert [("sms", "+8190"), ("email", "a@example.jp")] == list(addresses(traits, ("push", "sms", "email")).items())


def the_command(journey: str = CART, **traits: object) -> SendCommand:
    messages = [
        identified(at("08:00"), email="a@example.jp", **traits),
        consented(at("08:00"), "cart_reminders"),
        an_event("Product Added", at("10:00"), name="Kettle"),
    ]
    verdict = judge([a_journey(journey)], [a_record(n, it) for n, it in enumerate(messages)], until=at("10:46"))
    [command] = verdict.commands
    return command


def test_a_command_carries_all_that_is_needed_to_render_and_send_it() -> None:
    command = the_command(first_name="Aki")
    run = command.run_id
    assert (
        SendCommand(
            command_id=command_id(run, "remind_1", 1),
            contact="u:c1",
            run_id=run,
            journey="cart",
            version=1,
            step="remind_1",
            channels=("email",),
            addresses={"email": "a@example.jp"},
            content={"email": {"subject": "{{ context.product }}", "text": "Hello"}},
            data={
                "contact": {"email": "a@example.jp", "first_name": "Aki", "id": "c1"},
                "event": {"name": "Product Added", "properties": {"name": "Kettle"}},
                "context": {"product": "Kettle"},
                "journey": {"id": "cart", "version": 1},
                "message": {"id": command_id(run, "remind_1", 1), "step": "remind_1", "timezone": "UTC"},
                "now": "2026-03-02T10:45:00.000+00:00",
            },
            purpose="marketing",
            on_ambiguous="hold",
            decided_at=at("10:45"),
            topic="cart_reminders",
            expires_at=at("22:45"),
        )
        == command
    )


def test_a_trait_named_id_does_not_hide_the_contacts_own() -> None:
    assert "c1" == the_command(id="somebody else").data["contact"]["id"]


def test_now_is_the_decisions_time_on_the_contacts_clock() -> None:
    data = the_command(timezone="Asia/Tokyo").data
    assert ("Asia/Tokyo", "2026-03-02T19:45:00.000+09:00") == (data["message"]["timezone"], data["now"])


def test_what_is_ambiguous_is_held_for_marketing_and_retried_for_the_rest() -> None:
    transactional = CART.replace("{topic: cart_reminders,", "{purpose: transactional,")
    declared = CART.replace("{topic: cart_reminders,", "{topic: cart_reminders, on_ambiguous: retry,")
    assert ["hold", "retry", "retry"] == [the_command(it).on_ambiguous for it in (CART, transactional, declared)]
