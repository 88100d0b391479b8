"""Links in messages as their readers and machines follow them: what is answered, and what is written."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingest.errors import ContactUnavailableError
from services.ingest.link_routes import consents_by
from services.ingest.pace import Pace
from shared.clock import HOUR, MINUTE
from shared.journeys.workspace import Workspace
from shared.messages.event import Event
from tests.fakes import FakeClock
from tests.unit.ingest.links.following import PERSON, SENT, a_site, path, said
from tests.unit.ingest.sites import NOW, Site

SHOP = "https://shop.example/cart?a=1&b=%20x#top"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def get(site: Site, where: str, **more: Any) -> Any:
    return site.http.get(where, headers={**PERSON, **more}, follow_redirects=False)


# ---- opened -------------------------------------------------------------------------------------------------------


def test_an_open_is_an_event_of_the_contact() -> None:
    site = a_site()
    answer = get(site, path("open"))
    assert (200, "image/gif", "no-store") == (
        answer.status_code,
        answer.headers["content-type"],
        answer.headers["cache-control"],
    )
    [event] = site.events
    assert ("aki", "Message Opened", NOW) == (event.user_id, event.name, event.timestamp)
    assert {
        "command_id": "6a1f1f0e-8f0c-5b7e-8e0a-1c2d3e4f5a6b",
        "journey": "cart",
        "version": 2,
        "step": "remind",
        "channel": "email",
    } == event.properties
    assert {} == event.context


def test_of_a_visitor_it_is_the_visitors() -> None:
    site = a_site()
    get(site, path("open", contact="a:3c1f"))
    assert [(None, "3c1f")] == [(event.user_id, event.anonymous_id) for event in site.events]


def test_opens_count_once_an_hour() -> None:
    site = a_site()
    for at in (NOW, NOW + MINUTE, NOW + HOUR):
        site.clock.now = at
        get(site, path("open"))
    assert 2 == len({event.message_id for event in site.events})


def test_what_a_machine_loads_is_no_open() -> None:
    site = a_site()
    assert 200 == site.http.get(path("open"), headers={"user-agent": "Mozilla/5.0"}).status_code
    assert 200 == site.http.head(path("open"), headers=PERSON).status_code
    assert [
        ("Message Scanned", {"what": "opened", "by": "apple_mail_privacy"}),
        ("Message Scanned", {"what": "opened", "by": "head"}),
    ] == said(site)


def test_the_picture_is_shown_whatever_the_log_does() -> None:
    site = a_site()
    site.publisher.down = True
    answer = get(site, path("open"))
    assert (200, "image/gif") == (answer.status_code, answer.headers["content-type"])
    assert 1 == site.count("events_rejected_total", reason="log_unavailable")


# ---- followed -----------------------------------------------------------------------------------------------------


def test_a_link_leads_to_where_it_was_made_to_lead() -> None:
    site = a_site()
    answer = get(site, path("click", SHOP))
    assert (302, SHOP) == (answer.status_code, answer.headers["location"])
    assert "no-referrer" == answer.headers["referrer-policy"]
    assert [("Message Clicked", {"url": SHOP})] == said(site)


def test_a_link_with_other_letters_leads_there_all_the_same() -> None:
    answer = get(a_site(), path("click", "https://shop.example/傘?q=青\r\nX: y"))
    assert "https://shop.example/%E5%82%98?q=%E9%9D%92%0D%0AX:%20y" == answer.headers["location"]


@pytest.mark.parametrize(("purpose", "name"), [("share", "Message Shared"), ("forward", "Message Forwarded")])
def test_shares_and_forwards_are_events_of_their_own(purpose: Any, name: str) -> None:
    site = a_site()
    assert 302 == get(site, path(purpose, SHOP)).status_code
    assert [(name, {"url": SHOP})] == said(site)


def test_nothing_that_is_asked_changes_where_it_leads() -> None:
    """No open redirect: neither a query nor a header is looked at."""
    where = path("click", SHOP) + "?url=https://evil.example&to=//evil.example"
    answer = get(a_site(), where, host="evil.example", **{"x-forwarded-host": "evil.example"})
    assert SHOP == answer.headers["location"]


@pytest.mark.parametrize("target", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "/t/c/x", ""])
def test_what_leads_to_no_page_leads_nowhere(target: str) -> None:
    site = a_site()
    assert 404 == get(site, path("click", target)).status_code
    assert [] == site.events


def test_follows_count_once_a_minute() -> None:
    site = a_site()
    for at in (NOW, NOW + 1, NOW + MINUTE):
        site.clock.now = at
        get(site, path("click", SHOP))
    assert 2 == len({event.message_id for event in site.events})


def test_a_machine_is_led_on_and_counts_as_one() -> None:
    site = a_site()
    assert 302 == get(site, path("click", SHOP), **{"sec-purpose": "prefetch"}).status_code
    assert 302 == get(site, path("click", SHOP, at=NOW - 1)).status_code
    assert [
        ("Message Scanned", {"what": "clicked", "by": "prefetch"}),
        ("Message Scanned", {"what": "clicked", "by": "too_soon"}),
    ] == said(site)


def test_who_follows_all_links_at_once_is_a_machine_from_the_third_on() -> None:
    site = a_site()
    for number in range(4):
        get(site, path("click", f"{SHOP}{number}"))
    assert ["Message Clicked"] * 2 + ["Message Scanned"] * 2 == [event.name for event in site.events]


def test_a_link_leads_on_while_the_log_is_away() -> None:
    site = a_site()
    site.publisher.down = True
    assert (302, SHOP) == ((answer := get(site, path("click", SHOP))).status_code, answer.headers["location"])
    assert [] == site.events


def test_above_the_pace_links_lead_on_and_are_not_counted() -> None:
    site = a_site(pace=Pace(2, FakeClock(0)))
    answers = [get(site, path("click", f"{SHOP}{number}")).status_code for number in range(5)]
    assert [302] * 5 == answers
    assert 2 == len(site.events)
    assert 3 == site.count("events_rejected_total", reason="too_many_links")


# ---- chosen -------------------------------------------------------------------------------------------------------


def choices(site: Site) -> list[tuple[str, str]]:
    return [(event.properties["topic"], event.properties["status"]) for event in site.events if event.type == "consent"]


def test_one_click_unsubscribes() -> None:
    """RFC 8058: no cookie, no login, no redirect; the answer says that it is done, so it is durable."""
    site = a_site()
    answer = site.http.post(path("unsubscribe", "news"), data=ONE_CLICK, follow_redirects=False)
    assert (200, b"") == (answer.status_code, answer.content)
    assert "set-cookie" not in answer.headers
    assert [("news", "revoked")] == choices(site)
    consent, told = site.events
    assert ("consent", "Consent Revoked", None) == (consent.type, consent.name, consent.properties["channel"])
    assert ("Unsubscribed", "news", "remind") == (told.name, told.properties["topic"], told.properties["step"])


def test_a_get_changes_nothing() -> None:
    site = a_site()
    for where in (path("unsubscribe", "news"), path("preferences")):
        assert 200 == get(site, where).status_code
        assert 200 == site.http.head(where, headers=PERSON).status_code
        assert 200 == get(site, where + "?List-Unsubscribe=One-Click&all=revoked").status_code
    assert [] == site.publisher.outputs


def test_the_page_is_in_the_readers_language_and_lets_nothing_in() -> None:
    answer = get(a_site(), path("unsubscribe", "news"), **{"accept-language": "ja"})
    assert "お知らせ" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert ("no-store", "no-referrer") == (answer.headers["cache-control"], answer.headers["referrer-policy"])


def test_the_page_takes_choices_of_topics() -> None:
    site = a_site()
    form = {"page": "1", "topic.news": "revoked", "topic.sale": "granted", "topic.tracking": "granted"}
    answer = site.http.post(path("preferences"), data=form)
    assert 200 == answer.status_code
    assert 'role="status"' in answer.text
    assert [("news", "revoked"), ("sale", "granted")] == choices(site)
    assert 1 == answer.text.count('name="topic.sale" value="granted" checked')


def test_a_choice_may_be_made_back_and_forth() -> None:
    site = a_site()
    for status in ("revoked", "granted", "revoked"):
        site.clock.now += 1
        site.http.post(path("preferences"), data={"page": "1", "topic.news": status})
    consents: list[Event] = [event for event in site.events if event.type == "consent"]
    assert 3 == len({event.message_id for event in consents})


def test_a_topic_that_the_workspace_does_not_list_can_be_left() -> None:
    site = a_site()
    site.http.post(path("unsubscribe", "old_topic"), data=ONE_CLICK)
    assert [("old_topic", "revoked")] == choices(site)


def test_a_choice_that_is_not_durable_is_not_confirmed() -> None:
    site = a_site()
    site.publisher.down = True
    click = site.http.post(path("unsubscribe", "news"), data=ONE_CLICK)
    assert (503, "1") == (click.status_code, click.headers["retry-after"])
    page = site.http.post(path("unsubscribe", "news"), data={**ONE_CLICK, "page": "1"})
    assert (503, True) == (page.status_code, 'role="alert"' in page.text)


@pytest.mark.parametrize("body", [b"", b"x=y", b"\xff", b'{"List-Unsubscribe": "One-Click"}'])
def test_what_chooses_nothing_does_nothing(body: bytes) -> None:
    site = a_site()
    assert 400 == site.http.post(path("unsubscribe", "news"), content=body).status_code
    assert [] == site.events


def test_a_long_body_is_refused() -> None:
    assert 413 == a_site().http.post(path("unsubscribe", "news"), content=b"x" * 20_000).status_code


def test_above_the_pace_a_choice_is_refused_and_not_lost_silently() -> None:
    site = a_site(choices=Pace(1, FakeClock(0)))
    answers = [site.http.post(path("unsubscribe", "news"), data=ONE_CLICK).status_code for _ in range(2)]
    assert [200, 429] == answers


def test_opens_by_the_thousand_refuse_nobody_s_choice() -> None:
    """Mail programs do not ask again: a one-click unsubscription that is refused is lost."""
    site = a_site(pace=Pace(1, FakeClock(0)))
    assert [302, 302] == [get(site, path("click", SHOP)).status_code for _ in range(2)]
    assert 200 == site.http.post(path("unsubscribe", "news"), data=ONE_CLICK).status_code


def test_the_page_marks_what_is_known() -> None:
    async def find(contact: str) -> bytes | None:
        assert "u:aki" == contact
        return json.dumps({"consent": {"sale": {"status": "revoked", "at": 1}}}).encode()

    page = get(a_site(consents=consents_by(find)), path("preferences")).text
    assert 'name="topic.sale" value="revoked" checked' in page
    assert 1 == page.count("checked")


@pytest.mark.parametrize("answer", [None, ContactUnavailableError])
def test_the_page_does_not_need_to_know(answer: Any) -> None:
    async def find(_contact: str) -> bytes | None:
        if answer is None:
            return None
        raise answer

    page = get(a_site(consents=consents_by(find)), path("preferences"))
    assert (200, 0) == (page.status_code, page.text.count("checked"))


def test_above_the_pace_nobody_is_asked_what_is_known() -> None:
    asked: list[str] = []

    async def find(contact: str) -> bytes | None:
        asked.append(contact)
        return None

    site = a_site(consents=consents_by(find), pace=Pace(2, FakeClock(0)))
    assert [200] * 4 == [get(site, path("preferences")).status_code for _ in range(4)]
    assert 2 == len(asked)


def test_without_a_workspace_the_page_shows_what_is_known_of_the_messages_topic() -> None:
    async def find(_contact: str) -> bytes | None:
        return json.dumps({"consent": {"news": {"status": "granted", "at": 1}}}).encode()

    page = get(a_site(workspace=Workspace(), consents=consents_by(find)), path("unsubscribe", "news")).text
    assert 1 == page.count('name="topic.news" value="granted" checked')
    assert 1 == page.count("checked")


def test_a_message_without_a_topic_has_nothing_to_choose_where_no_workspace_names_one() -> None:
    page = get(a_site(workspace=Workspace()), path("preferences")).text
    assert ("There is nothing to choose here" in page, "<form" in page) == (True, False)


# ---- forged -------------------------------------------------------------------------------------------------------

ROUTES = ("/t/o/", "/t/c/", "/u/")
FORGED = a_site()


@pytest.mark.parametrize("purpose", ["open", "click", "share", "forward", "unsubscribe", "preferences", "reference"])
def test_a_token_opens_its_own_route_only(purpose: Any) -> None:
    site = a_site()
    own = path(purpose, SHOP) if purpose != "reference" else "/none/x"
    token = own.rpartition("/")[2]
    for route in ROUTES:
        if not own.startswith(route):
            assert 404 == get(site, route + token).status_code
            assert site.http.post(route + token, data=ONE_CLICK).status_code in (404, 405)
    assert [] == site.events


@given(st.text(st.characters(codec="ascii", exclude_characters="/?#\\"), min_size=1, max_size=80))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_no_token_is_not_found(token: str) -> None:
    for route in ROUTES:
        answer = FORGED.http.get(f"{route}{quote(token, safe='')}", headers=PERSON, follow_redirects=False)
        assert answer.status_code in (404, 400)
    assert [] == FORGED.publisher.outputs


def test_without_a_secret_there_are_no_such_routes() -> None:
    assert 404 == Site().http.get(path("open")).status_code
    assert SENT < NOW
