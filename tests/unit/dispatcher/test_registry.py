"""The table of providers: each row says enough of itself for the file, its errors and its page."""

from __future__ import annotations

import pytest

from services.dispatcher.channels.registry import KINDS
from services.dispatcher.providers import COMMON
from shared.journeys.conditions import CHANNELS


def test_the_kinds_are_these() -> None:
    mails, chats = ["smtp", "ses", "sendgrid", "mailgun", "postmark"], ["line", "slack", "webhook"]
    assert [*mails, "twilio", "twilio_whatsapp", "fcm", "apns", "web_push", *chats] == list(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_a_row_names_itself_its_channels_and_words_of_its_own(name: str) -> None:
    kind = KINDS[name]
    words = [word.name for word in kind.words]
    assert (name, True) == (kind.name, set() < set(kind.channels) <= set(CHANNELS))
    assert len(set(words)) == len(words)
    assert set() == set(words) & set(COMMON)
    assert [] == [word.name for word in kind.words if word.needed and word.default is not None]
    assert [] == [word.name for word in kind.words if not word.about]


def test_where_each_address_is_a_server_or_an_account_of_its_own_it_is_a_party() -> None:
    """Else one contact's broken server would stop the provider for everybody."""
    parties = {name: kind.party for name, kind in KINDS.items() if kind.party is not None}
    assert {"web_push", "slack", "webhook"} == set(parties)
    assert "hooks.example.com:8443" == parties["webhook"]("https://hooks.example.com:8443/a?b")
    assert "https://hooks.slack.com/services/T1/B1/x" == parties["slack"]("https://hooks.slack.com/services/T1/B1/x")
