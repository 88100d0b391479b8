"""A message in a browser: as it was sent, for as long as its command is kept, and nothing in it runs."""

from __future__ import annotations

import re
from typing import Any

import pytest

from services.ingest.links.views import Views
from services.ingest.pace import Pace
from shared.composing.compose import compose
from shared.composing.links import MessageLinks
from shared.links.link import Link, url_of
from shared.log import LogRecord, LogUnavailableError
from shared.messages import codec
from shared.messages.command import CommandRecord
from tests.dispatching import a_call, a_command
from tests.fakes import FakeClock
from tests.unit.ingest.links.following import PERSON, SEALS, a_site
from tests.unit.ingest.sites import Site

OFFSET = 7
LINKS = MessageLinks(SEALS, "https://m.shop.example")
CONTENT = {
    "email": {
        "subject": "Hi {{ contact.name }}",
        "text": "{{ message.view_in_browser_url }}",
        "html": '<p>Hello {{ contact.name }}</p><a href="{{ message.view_in_browser_url }}">In your browser</a> '
        '<a href="https://shop.example/">Shop</a>',
    }
}
COMMAND = a_command(content=CONTENT, topic="news", data={"contact": {"name": "Aki <3"}})
BROWSER = {**PERSON, "accept": "text/html"}


def a_shop(kept: CommandRecord | None = COMMAND, *, at: int = OFFSET, shown: Pace | None = None) -> Site:
    """Return a site whose log has ``kept`` at the offset ``at``."""

    async def fetch(contact: str, offset: int) -> LogRecord | None:
        assert ("u:c1", OFFSET) == (contact, offset)
        return None if kept is None else LogRecord(at, 0, b"u:c1", codec.encode(kept))

    return a_site(views=Views(fetch, LINKS), shown=shown or Pace(1_000, FakeClock(0)))


def view_of(command: Any = COMMAND) -> str:
    """Return the path of the link in the message."""
    [url] = re.findall(r"https://m.shop.example(/v/\S+)", compose(command, "email", LINKS, OFFSET)["text"])
    return str(url)


def test_it_is_the_mail_as_it_was_sent() -> None:
    site = a_shop()
    answer = site.http.get(view_of(), headers=BROWSER)
    assert (200, "text/html; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
    assert compose(COMMAND, "email", LINKS, OFFSET)["html"] == answer.text
    assert "<p>Hello Aki &lt;3</p>" in answer.text
    assert [] == site.publisher.outputs, "the picture in it is what counts"


def test_a_mail_without_html_is_shown_as_text() -> None:
    command = a_command(
        content={"email": {"subject": "Hi", "text": "1 < 2\n{{ message.view_in_browser_url }}"}}, topic="news"
    )
    page = a_shop(command).http.get(view_of(command), headers=BROWSER).text
    assert "<title>Hi</title>" in page
    assert "1 &lt; 2\n" in page


def test_scanners_that_ask_for_its_head_get_it() -> None:
    assert 200 == a_shop().http.head(view_of(), headers=BROWSER).status_code


def test_nothing_in_it_runs_or_is_kept() -> None:
    headers = a_shop().http.get(view_of(), headers=BROWSER).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "sandbox allow-popups" in policy
    assert "allow-scripts" not in policy
    assert ("no-store", "no-referrer", "noindex") == tuple(
        headers[name] for name in ("cache-control", "referrer-policy", "x-robots-tag")
    )


@pytest.mark.parametrize(
    ("kept", "at"),
    [
        (None, OFFSET),
        (COMMAND, OFFSET + 1),
        (a_command(2, content=CONTENT), OFFSET),
        (a_call(1), OFFSET),
    ],
)
def test_what_is_not_kept_any_more_is_not_there(kept: CommandRecord | None, at: int) -> None:
    """Retention has taken it, or it stands there no more: the topic was created anew."""
    answer = a_shop(kept, at=at).http.get(view_of(), headers=BROWSER)
    assert (404, True) == (answer.status_code, "not kept any more" in answer.text)


def test_only_a_link_of_ours_shows_a_message() -> None:
    about = Link("u:c1", COMMAND.command_id, "cart", 1, "remind", "email", 0, str(OFFSET))
    other = url_of(SEALS, "", "click", about).replace("/t/c/", "/v/")
    assert [404, 404] == [a_shop().http.get(path, headers=PERSON).status_code for path in (other, view_of()[:-1])]


def test_nothing_personal_stands_in_its_address() -> None:
    assert not {"c1", "Aki", COMMAND.command_id} & set(re.split(r"[/_-]", view_of()))
    assert re.fullmatch(r"/v/[A-Za-z0-9_-]{100,300}", view_of())


def test_above_the_pace_people_are_asked_to_wait() -> None:
    site = a_shop(shown=Pace(1, FakeClock(0)))
    assert [200, 429] == [site.http.get(view_of(), headers=BROWSER).status_code for _ in range(2)]


def test_while_the_log_is_away_people_are_asked_to_wait() -> None:
    async def fetch(_contact: str, _offset: int) -> LogRecord | None:
        raise LogUnavailableError("away")

    answer = a_site(views=Views(fetch, LINKS)).http.get(view_of(), headers=BROWSER)
    assert (503, True) == (answer.status_code, "try again" in answer.text)
