"""What ``kikkake dev`` tells a developer who starts it for the first time."""

from __future__ import annotations

from pathlib import Path

import click
from click.testing import CliRunner

from cli.dev import banner, dev
from cli.main import cli
from services.standalone.credentials import Credentials
from services.standalone.settings import StandaloneSettings

CALL = '{"userId": "u1", "event": "Product Added", "properties": {"name": "Kettle"}}'
KEYS = Credentials("wk_1", "at_1")


def test_it_prints_addresses_keys_where_messages_go_and_the_first_call() -> None:
    said = banner(StandaloneSettings(), 8000, ["cart@1", "welcome@2"], KEYS)
    assert [
        "Kikkake serves http://127.0.0.1:8000",
        "API          http://127.0.0.1:8000/docs",
        "metrics      http://127.0.0.1:8000/metrics",
        "journeys     cart@1, welcome@2",
        "write key    wk_1",
        "admin token  at_1",
        "messages     all to http://127.0.0.1:8000/v1/inbox, with the admin token",
        "data         .kikkake/data",
        "",
        "Send the first event, and see what is known of its contact:",
        f"  curl -u wk_1: http://127.0.0.1:8000/v1/track -d '{CALL}'",
        "  curl -H 'Authorization: Bearer at_1' http://127.0.0.1:8000/v1/contacts/u1",
        "",
        "Stop with Ctrl-C.",
    ] == list(said)


def test_who_carries_messages_is_said_without_a_password() -> None:
    settings = StandaloneSettings(smtp="smtp://shop:s3cret@mail.example:587", providers=Path("providers.yaml"))
    [line] = [line for line in banner(settings, 1, [], KEYS) if line.startswith("messages")]
    assert (
        "messages     the channels of providers.yaml by their providers; mails to smtp://mail.example:587; "
        "all others to http://127.0.0.1:1/v1/inbox, with the admin token" == line
    )


def test_an_address_for_everybody_is_shown_as_one_that_can_be_asked() -> None:
    assert "Kikkake serves http://127.0.0.1:8000" == banner(StandaloneSettings(host="0.0.0.0"), 8000, [], KEYS)[0]
    assert "Kikkake serves http://[::1]:8000" == banner(StandaloneSettings(host="::1"), 8000, [], KEYS)[0]


def test_every_option_says_what_it_is() -> None:
    assert [] == [option.opts[0] for option in dev.params if isinstance(option, click.Option) and not option.help]


def test_the_help_says_where_events_go_and_where_messages_are() -> None:
    said = CliRunner().invoke(cli, ["dev", "--help"]).stdout
    for word in ("POST /v1/track", "GET /v1/inbox", "/docs", "Ctrl-C"):
        assert word in " ".join(said.split())
