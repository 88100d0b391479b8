"""The links that a message gets: to be tracked by where it may be, to unsubscribe by, and its reference."""

from __future__ import annotations

import re
from typing import Any

import pytest

from shared.composing.links import REFERENCE_HEADER, MessageLinks, NoLinks, links_of
from shared.errors import ConfigurationError
from shared.ids import address_tag
from shared.links.link import Link, link_of
from shared.links.reference import Reference, resolve
from shared.links.seals import Purpose, Seals
from shared.messages.command import SendCommand
from tests.dispatching import NOON, Bench, a_command

SEALS = Seals(["s" * 32])
HOST = "https://m.shop.example"
LINKS = MessageLinks(SEALS, HOST, mailto="leave@m.shop.example")
PAGE = {
    "email": {
        "subject": "Hi",
        "html": '<body><a href="https://shop.example/cart?a=1&amp;b=2">Cart</a> '
        '<a href="{{ message.unsubscribe_url }}">Leave</a></body>',
    }
}


def mail(**changes: Any) -> SendCommand:
    return a_command(**{"content": PAGE, "topic": "news", **changes})


def link_in(purpose: Purpose, url: str) -> Link | None:
    return link_of(SEALS, purpose, url.rpartition("/")[2])


def target(purpose: Purpose, url: str) -> str | None:
    link = link_in(purpose, url)
    return None if link is None else link.target


async def sent(command: SendCommand) -> Any:
    """Return the message that the provider gets."""
    bench = Bench(links=LINKS)
    await bench.deliver(command)
    [message] = bench.channel.sent
    return message


async def test_a_mail_leads_back_here() -> None:
    page = (await sent(mail())).parts["html"]
    click, leave, opened = re.findall(r'(?:href|src)="([^"]+)"', page)
    assert "https://shop.example/cart?a=1&b=2" == target("click", click)
    assert "news" == target("unsubscribe", leave)
    command = mail()
    about = Link("u:c1", command.command_id, "cart", 1, "remind", "email", NOON)
    assert about == link_in("open", opened)
    assert page.endswith("</body>")


def test_a_mail_whose_place_in_the_log_is_known_can_be_shown_in_a_browser() -> None:
    command = mail()
    assert "view_in_browser_url" not in LINKS.data(command, "email", None)["message"]
    assert "view_in_browser_url" not in LINKS.data(command, "sms", 7)["message"]
    assert "7" == target("view", LINKS.data(command, "email", 7)["message"]["view_in_browser_url"])


TEXT = "Cart (https://shop.example/cart?a=1). Leave: {{ message.unsubscribe_url }}\nmailto:a@shop.example"


async def test_the_links_of_a_plain_text_lead_here_where_that_is_wanted() -> None:
    text = (await sent(mail(content={"email": {"subject": "Hi", "text": TEXT}}, text_tracked=True))).parts["text"]
    found = re.fullmatch(r"Cart \((\S+)\)\. Leave: (\S+)\nmailto:a@shop\.example", text)
    assert found is not None
    assert "https://shop.example/cart?a=1" == target("click", found[1])
    assert "news" == target("unsubscribe", found[2])


@pytest.mark.parametrize("changes", [{}, {"text_tracked": True, "tracked": False}])
async def test_else_a_plain_text_keeps_its_links(changes: dict[str, bool]) -> None:
    text = (await sent(mail(content={"email": {"subject": "Hi", "text": TEXT}}, **changes))).parts["text"]
    assert text.startswith("Cart (https://shop.example/cart?a=1). Leave:")


async def test_made_again_it_is_the_same_mail() -> None:
    assert (await sent(mail())).parts == (await sent(mail())).parts


async def test_what_may_not_be_tracked_has_its_links_as_they_are() -> None:
    page = (await sent(mail(tracked=False))).parts["html"]
    assert 'href="https://shop.example/cart?a=1&amp;b=2"' in page
    assert "<img" not in page
    assert f'href="{HOST}/u/' in page


@pytest.mark.parametrize(
    "link",
    [
        '<a href="mailto:a@shop.example">x</a>',
        '<a href="tel:+8190">x</a>',
        '<a href="#top">x</a>',
        '<a href="/relative">x</a>',
        '<a href="shopapp://cart/1">x</a>',
        '<a data-kikkake-track="off" href="https://shop.example/">x</a>',
        f'<a href="{HOST}/u/TOKEN">x</a>',
        f'<a href="https://shop.example/{"x" * 4_000}">x</a>',
    ],
)
def test_some_links_are_left_alone(link: str) -> None:
    made = LINKS.parts(mail(), "email", {"html": link})["html"]
    assert made.startswith(f"{link}<img")


@pytest.mark.parametrize("purpose", ["share", "forward"])
def test_a_link_may_say_that_it_shares(purpose: Any) -> None:
    page = LINKS.parts(mail(), "email", {"html": f'<a data-kikkake-as="{purpose}" href="https://x.example/">x</a>'})
    [url] = re.findall(r'href="([^"]+)"', page["html"])
    assert "https://x.example/" == target(purpose, url)


def test_texts_of_other_channels_stay() -> None:
    parts = {"text": "https://shop.example/"}
    assert parts == LINKS.parts(mail(), "sms", parts) == LINKS.parts(mail(), "email", parts)


async def test_marketing_says_how_to_unsubscribe_in_one_click() -> None:
    """RFC 8058 wants both headers, and an https address for a topic of one contact."""
    headers = dict((await sent(mail())).headers)
    url, by_mail = headers["List-Unsubscribe"].split(", ")
    assert f"<{HOST}/u/" == url[: len(HOST) + 4]
    assert "news" == target("unsubscribe", url[1:-1])
    assert f"<mailto:leave@m.shop.example?subject={url[1:-1].rpartition('/')[2]}>" == by_mail
    assert "List-Unsubscribe=One-Click" == headers["List-Unsubscribe-Post"]


async def test_what_is_transactional_has_no_such_header_and_its_page_lists_every_topic() -> None:
    message = await sent(mail(purpose="transactional", topic=None))
    assert [REFERENCE_HEADER] == [name for name, _ in message.headers]
    leave = re.findall(r'href="([^"]+)"', message.parts["html"])[1]
    assert link_in("preferences", leave) is not None


async def test_its_feedback_finds_it_back() -> None:
    message = await sent(mail())
    command = mail()
    expected = Reference("u:c1", command.command_id[:18], "email", address_tag("email", "c1@example.com"))
    assert expected == resolve(SEALS, message.reference)
    assert message.reference == dict(message.headers)[REFERENCE_HEADER]


async def test_what_goes_to_staff_has_nothing_of_it() -> None:
    command = mail(to_staff=True, content={"email": {"subject": "Hi", "html": '<a href="https://shop.example/">x</a>'}})
    message = await sent(command)
    assert ({}, None) == (dict(message.headers), message.reference)
    assert '<a href="https://shop.example/">x</a>' == message.parts["html"]


async def test_without_links_a_text_that_prints_one_is_not_sent() -> None:
    bench = Bench()
    await bench.deliver(mail())
    assert [] == bench.channel.sent
    assert [("skipped", "template_error")] == bench.outcomes


def test_without_a_secret_there_are_none() -> None:
    assert isinstance(links_of(None, None), NoLinks)
    assert isinstance(links_of(SEALS, HOST, "leave@m.shop.example"), MessageLinks)


@pytest.mark.parametrize("address", ["no address", "a@b\r\nBcc: c@d", "a@b?cc=x", "<a@b>", "a@b>,<c@d"])
def test_the_address_to_unsubscribe_by_cannot_write_headers(address: str) -> None:
    with pytest.raises(ConfigurationError, match="KIKKAKE_UNSUBSCRIBE_MAIL"):
        links_of(SEALS, HOST, address)


async def test_a_link_that_is_none_keeps_no_mail_back() -> None:
    page = {"email": {"subject": "Hi", "html": '<body><a href="http://[x">One</a><a href="https://a.example/">Two</a>'}}
    html = (await sent(mail(content=page))).parts["html"]
    assert '<a href="http://[x">One</a>' in html
    assert "https://a.example/" not in html
