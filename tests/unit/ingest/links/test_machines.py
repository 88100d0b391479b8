"""Machines that look at a message are told from its reader by what they say, and by when they come."""

from __future__ import annotations

import pytest

from services.ingest.links.machines import TOGETHER, TOO_SOON, Followers, machine_of
from tests.unit.ingest.links.following import PERSON

LONG_AGO = 3_600_000


@pytest.mark.parametrize(
    "agent",
    [
        PERSON["user-agent"],
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
        "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
        "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
        "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17328; Pro)",
    ],
)
def test_a_person_is_one(agent: str) -> None:
    """Also behind the proxies that load a picture when its reader opens the mail."""
    assert machine_of("GET", {"user-agent": agent}, "opened", LONG_AGO) is None


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({"user-agent": "Mozilla/5.0"}, "apple_mail_privacy"),
        ({"user-agent": "BarracudaCentral Spam Firewall"}, "security_filter"),
        ({"user-agent": "Mozilla/5.0 (compatible; ProofPoint URL Defense)"}, "security_filter"),
        ({"user-agent": "facebookexternalhit/1.1;line-poker/1.0"}, "link_preview"),
        ({"user-agent": "Slackbot-LinkExpanding 1.0"}, "link_preview"),
        ({"user-agent": "Mozilla/5.0 (compatible; bingbot/2.0)"}, "robot"),
        ({"user-agent": "python-requests/2.32"}, "program"),
        ({"user-agent": ""}, "nameless"),
        ({}, "nameless"),
        ({**PERSON, "sec-purpose": "prefetch;prerender"}, "prefetch"),
        ({**PERSON, "purpose": "Preview"}, "prefetch"),
        ({**PERSON, "x-moz": "prefetch"}, "prefetch"),
    ],
)
def test_what_says_that_it_is_a_machine_is_one(headers: dict[str, str], kind: str) -> None:
    assert kind == machine_of("GET", headers, "opened", LONG_AGO)


def test_a_head_is_asked_by_programs_alone() -> None:
    assert "head" == machine_of("HEAD", PERSON, "clicked", LONG_AGO)


def test_nobody_follows_a_link_while_its_message_is_on_its_way() -> None:
    assert "too_soon" == machine_of("GET", PERSON, "clicked", TOO_SOON - 1)
    assert machine_of("GET", PERSON, "clicked", TOO_SOON) is None
    assert machine_of("GET", PERSON, "opened", 0) is None


def test_who_follows_three_links_of_a_message_at_once_is_a_filter() -> None:
    followers = Followers()
    assert [False, False, True] == [followers.follow("m1", link, at) for at, link in enumerate("abc")]


def test_one_link_followed_again_or_links_of_several_messages_are_a_persons() -> None:
    followers = Followers()
    assert not any(followers.follow("m1", "a", at) for at in range(10))
    assert not any(followers.follow(message, message, 0) for message in ("m2", "m3", "m4"))


def test_links_followed_one_after_another_are_a_persons() -> None:
    followers = Followers()
    assert not any(followers.follow("m1", link, at * TOGETHER) for at, link in enumerate("abcdef"))
