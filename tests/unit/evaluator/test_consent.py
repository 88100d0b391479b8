"""The newest statement of consent counts, per topic and channel."""

from __future__ import annotations

import msgspec
import pytest

from services.evaluator.core.consent import allows, is_revoked, state_consent, stated, stated_channel
from services.evaluator.core.state import Consent
from tests.builders import at, consented

EARLY, LATE = at("09:00"), at("10:00")


@pytest.mark.parametrize(
    ("said", "sms", "email"),
    [
        ({}, False, False),
        ({"news": Consent(granted=True, at=EARLY)}, True, True),
        ({"news/sms": Consent(granted=True, at=EARLY)}, True, False),
        ({"news": Consent(granted=True, at=EARLY), "news/sms": Consent(granted=False, at=LATE)}, False, True),
        ({"news/sms": Consent(granted=True, at=EARLY), "news": Consent(granted=False, at=LATE)}, False, False),
        ({"news": Consent(granted=False, at=EARLY), "news/sms": Consent(granted=True, at=LATE)}, True, False),
        ({"news": Consent(granted=True, at=LATE), "news/sms": Consent(granted=False, at=LATE)}, False, True),
    ],
)
def test_of_the_statements_that_concern_a_channel_the_newest_counts(
    said: dict[str, Consent], sms: bool, email: bool
) -> None:
    """Unknown is no; of two said at one time the revocation counts."""
    assert (sms, email) == (allows(said, "news", "sms"), allows(said, "news", "email"))


def test_a_journey_without_a_topic_has_no_consent() -> None:
    assert not allows({"news": Consent(granted=True, at=EARLY)}, None, "email")


def test_an_older_statement_changes_nothing() -> None:
    revoked = {"news": Consent(granted=False, at=LATE)}
    assert stated(revoked, consented(EARLY, "news"), EARLY) is None
    assert revoked == state_consent(revoked, "news", granted=True, at=EARLY)


def test_of_two_statements_of_one_moment_the_revocation_stands() -> None:
    revoked = {"news": Consent(granted=False, at=LATE)}
    granted = {"news": Consent(granted=True, at=LATE)}
    assert stated(revoked, consented(LATE, "news"), LATE) is None
    assert revoked == stated(granted, consented(LATE, "news", "revoked"), LATE)


def test_a_statement_is_about_one_channel_or_about_all() -> None:
    revoked = consented(EARLY, "news", "revoked")
    assert is_revoked(revoked)
    assert not is_revoked(consented(EARLY, "news"))
    assert stated_channel(revoked) is None
    of_sms = msgspec.structs.replace(revoked, properties={**revoked.properties, "channel": "sms"})
    assert "sms" == stated_channel(of_sms)
